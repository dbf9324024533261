"""The folder of a run: one process at a time, its last two checkpoints, its history."""

import contextlib
import errno
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gmlib import parallel
from gmlib.errors import DivergedError, InputError, one_line
from gmlib.files import require_writable, unreadable, write_whole
from gmlib.training.state import DamagedError, State, StopTraining, pack, unpack

log = logging.getLogger("gmlib")

KEPT = 2  # checkpoints: the newest, and the one before in case it is damaged
SHARE = 50  # a checkpoint is due when training has gone on for this many times what writing one takes
CHECKPOINT = r"checkpoint-\d{9,}\.safetensors"
HISTORY = ("history.csv", "history.json")
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
LONGEST = 600.0  # and after so many seconds in any case: a disk that stalled once may be quick again


def checkpoints(folder: Path) -> list[Path]:
    """List the checkpoints from which a run can go on.

    Args:
        folder: of the run.

    Returns:
        The files that gmlib wrote, by their exact names, the newest last.
    """
    found = (path for path in folder.glob("checkpoint-*") if re.fullmatch(CHECKPOINT, path.name))
    return sorted(found, key=lambda path: (len(path.name), path.name))


class Folder:
    """A run's place on disk, held by this process alone while it is open: `with Folder(...) as folder`."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        """Name the place; nothing is touched yet.

        Args:
            path: the folder; it is made if it is missing.
            about: what the run is of (recipe, seed, data, device): a run of something else is refused.
        """
        self.path = path
        self.about = about
        self.lock = FileLock(path / ".gmlib.lock", timeout=0)
        self.written = 0.0  # when the last checkpoint was
        self.cost = 0.0  # seconds that it took

    def results(self) -> list[str]:
        """Return the names of the files that a run writes beside its checkpoints.

        Returns:
            Those of the finished run, and of its history.
        """
        name = self.about.get("recipe", "")
        return [f"{name}.json", f"{name}.safetensors", *HISTORY]

    def require_free(self, *, resume: bool) -> None:
        """Refuse a folder in which the run cannot write, or would replace what is not its own. Nothing is touched.

        Args:
            resume: whether the run may go on from a checkpoint that is there.

        Raises:
            InputError: if there is a run and `resume` is not set, if there are results without a checkpoint, or if a file
                of the run cannot be written.
        """
        error = None
        if parallel.rank() == 0:
            try:
                self._require_free(resume=resume)
            except InputError as refusal:
                error = refusal
        parallel.broadcast(None, error)

    def _require_free(self, *, resume: bool) -> None:
        """Do so, in one process."""
        for name in (".gmlib.lock", *self.results()):
            require_writable(self.path / name)
        if checkpoints(self.path):
            if not resume:
                raise InputError(
                    f"{self.path} holds a run already: add --resume to go on with it, or choose another --out"
                )
            return
        pairs = (path.name for path in self.path.glob("*.safetensors") if path.with_suffix(".json").exists())
        there = sorted({*pairs, *(name for name in self.results() if (self.path / name).exists())})
        if there:
            raise InputError(
                f"{self.path} holds {', '.join(there)} and no checkpoint to go on from: choose another --out, or move the files "
                "elsewhere, since a new run does not replace them"
            )

    def __enter__(self) -> "Folder":
        """Take the folder for this process.

        Returns:
            Itself.

        Raises:
            InputError: if another process has it, or it cannot be written to.
        """
        error = None
        if parallel.rank() == 0:
            try:
                self._take()
            except InputError as refusal:
                error = refusal
        parallel.broadcast(None, error)
        return self

    def _take(self) -> None:
        """Lock the folder, and remove what a killed process of gmlib left half written, by its exact names."""
        left = re.compile(rf"\.({CHECKPOINT}|{'|'.join(map(re.escape, self.results()))})\.\d+\.tmp")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.lock.acquire()
            for path in self.path.iterdir():
                if left.fullmatch(path.name):
                    path.unlink()
        except Timeout as error:
            raise InputError(
                f"another process is training in {self.path}: wait until it is done, or choose another --out"
            ) from error
        except (OSError, NotImplementedError) as error:
            code = getattr(error, "errno", errno.ENOSYS)
            if code in NO_LOCKS:
                raise InputError(
                    f"the file system of {self.path} has no locks, which keep two processes out of one folder: choose an --out "
                    "on another disk, such as a local one"
                ) from error
            raise InputError(
                f"cannot write {self.path} ({one_line(error)}): give a folder that exists or can be made, and is writable"
            ) from error

    def __exit__(self, *_: object) -> None:
        """Let others have the folder."""
        self.lock.release()

    def open(self, state: State, *, resume: bool) -> None:
        """Bring a state to where the newest good checkpoint was written, or begin the run.

        Args:
            state: a fresh one of the recipe.
            resume: whether to go on with what is there; if nothing is, the run begins.

        Raises:
            InputError: if there is a run and `resume` is not set, or what is there is of another run, or damaged.
        """
        content = error = None
        if parallel.rank() == 0:
            try:
                content = self._begin(state, resume=resume)
            except InputError as refusal:
                error = refusal
        content = parallel.broadcast(content, error)
        if content is not None and parallel.rank() > 0:
            unpack(content, state, self.about)
        self.written = time.perf_counter()

    def _begin(self, state: State, *, resume: bool) -> bytes | None:
        """Load what there is, or write the first checkpoint, so that a folder that takes none costs no epoch."""
        self._require_free(resume=resume)
        content = self._newest(state)
        if content is None:
            self.save(state)
        return content

    def _newest(self, state: State) -> bytes | None:
        """Load the newest checkpoint that is whole, and put damaged ones aside."""
        damaged: list[Path] = []
        for path in reversed(checkpoints(self.path)):
            try:
                content = path.read_bytes()
                unpack(content, state, self.about)
            except OSError as error:
                raise unreadable(path, error) from error
            except DamagedError as error:
                log.warning("the checkpoint %s is damaged: %s; trying the one before", path, error)
                damaged.append(path)
            except InputError as error:
                raise InputError(f"cannot go on from the checkpoint {path}: {error}") from error
            else:
                for bad in damaged:  # out of the way of what will be written under later numbers
                    bad.rename(bad.with_suffix(".damaged"))
                return content
        if damaged:
            raise InputError(
                f"cannot read any checkpoint in {self.path} ({', '.join(path.name for path in damaged)}), expected whole "
                "files written by gmlib train: restore a copy, or remove the folder and train again"
            )
        return None

    def save(self, state: State) -> None:
        """Write a checkpoint and the history, and remove the checkpoint before the last.

        Args:
            state: the run, between two steps.

        Raises:
            DivergedError: if the run has left the finite numbers; the earlier checkpoints stay.
            InputError: if the disk does not take it; the earlier checkpoints stay.
        """
        if parallel.rank() > 0:
            return
        started = time.perf_counter()
        write_whole(self.path / f"checkpoint-{state.step:09d}.safetensors", pack(state, self.about))
        write_whole(self.path / "history.csv", state.history.csv(), sync=False)
        write_whole(self.path / "history.json", state.history.json(), sync=False)
        for old in checkpoints(self.path)[:-KEPT]:
            old.unlink()
        self.written = time.perf_counter()
        self.cost = self.written - started

    def keep(self, state: State) -> None:
        """Write a checkpoint if one is due: when it costs at most one part in `SHARE` of the time, or `LONGEST` has passed.

        Args:
            state: the run, between two steps.
        """
        if time.perf_counter() - self.written > min(max(1.0, SHARE * self.cost), LONGEST):
            self.save(state)


def train_in(
    folder: Folder | None,
    loop: Callable[..., State],
    *,
    resume: bool = False,
    on_start: Callable[[State], None] | None = None,
    on_step: Callable[[State], None] | None = None,
    on_epoch: Callable[[State], None] | None = None,
) -> State:
    """Run a loop to its end, or until a callback raises `StopTraining`, with checkpoints in a folder if there is one.

    Args:
        folder: where to keep the run; None keeps it in memory.
        loop: `fit_vae` and the like, with all arguments but what is called along the way.
        resume: go on from the newest checkpoint.
        on_start: called before the first step, before a checkpoint is loaded.
        on_step: called after each step.
        on_epoch: called after each epoch.

    Returns:
        The state after the last step.

    Raises:
        DivergedError: if the run diverges, with the last good checkpoint and what to try.
    """
    states: list[State] = []
    begun: list[tuple[int, int]] = []  # a run may have been cut off between its last step and the end of its epoch

    def start(state: State) -> None:
        if on_start:
            on_start(state)
        if folder:
            folder.open(state, resume=resume)
        states.append(state)
        begun.append((state.step, state.epoch))

    def step(state: State) -> None:
        if folder:
            folder.keep(state)
        if on_step:
            on_step(state)

    if folder:
        folder.require_free(resume=resume)
    with folder or contextlib.nullcontext():
        try:
            with contextlib.suppress(StopTraining):
                loop(on_start=start, on_step=step if folder else on_step, on_epoch=on_epoch)
            (state,) = states
            if folder and (state.step, state.epoch) != begun[0]:
                folder.save(state)
        except DivergedError as error:
            kept = checkpoints(folder.path) if folder else []
            last = f"; the last good checkpoint is {kept[-1]}" if kept else ""
            advice = "try a lower learning rate, another seed, or float32 in place of bfloat16"
            raise DivergedError(f"training has diverged: {error}{last}; {advice}") from error
    return state
