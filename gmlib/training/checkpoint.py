"""The folder of a run: a lock for one process at a time, the last two checkpoints, and the history."""

import contextlib
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gmlib import parallel
from gmlib.errors import DivergedError, InputError, one_line
from gmlib.files import write_whole
from gmlib.training.state import DamagedError, State, StopTraining, pack, unpack

log = logging.getLogger("gmlib")

KEPT = 2  # checkpoints: the newest, and the one before in case the newest is damaged
SHARE = 50  # the next checkpoint is due after this many times the seconds that the last one took,
LONGEST = 600.0  # and at the latest after this many seconds, since a disk may have been slow only once


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, the newest last."""
    found = (path for path in folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d{9,}\.safetensors", path.name))
    return sorted(found, key=lambda path: (len(path.name), path.name))


class Folder:
    """A run's place on disk, from `open` to the end of `with Folder(...) as folder` locked for other processes."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        """Take the path and what the run is of (recipe, seed, data, device): checkpoints of another run are refused."""
        self.path = path
        self.about = about
        self.lock = FileLock(path / ".gmlib.lock", timeout=0)
        self.written = 0.0  # time of the last checkpoint
        self.cost = 0.0  # seconds that it took

    def __enter__(self) -> "Folder":
        """Return the folder."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.lock.release()

    def open(self, state: State, *, resume: bool) -> None:
        """Lock the folder and load the newest whole checkpoint into a fresh state, or write the first checkpoint."""
        content = parallel.from_first(lambda: self._open(state, resume))
        if content is not None and parallel.rank() > 0:
            unpack(content, state, self.about)
        self.written = time.perf_counter()

    def _open(self, state: State, resume: bool) -> bytes | None:
        """Do the same in the first process; return the checkpoint that was loaded, for the others."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.lock.acquire()
            for half_written in self.path.glob(".checkpoint-*.tmp"):  # by a process that was killed
                half_written.unlink()
            found = checkpoints(self.path)
            if found and not resume:
                raise InputError(
                    f"{self.path} holds a run already: add --resume to continue it, or choose another --out"
                )
            if found:
                return self._load_newest(found, state)
            names = sorted(path.name for path in self.path.iterdir() if path.suffix == ".safetensors")
            names += ["history.csv"] if (self.path / "history.csv").exists() else []
            if names:
                raise InputError(
                    f"{self.path} holds {', '.join(names)} and no checkpoint to continue from: choose another --out, or move "
                    "the files elsewhere"
                )
            self.save(state)  # so that a folder that cannot be written costs no epoch
            return None
        except Timeout as error:
            raise InputError(
                f"another process is training in {self.path}: wait until it has finished, or choose another --out"
            ) from error
        except (OSError, NotImplementedError) as error:  # filelock raises the latter on a disk without locks
            raise InputError(f"cannot use the folder {self.path} ({one_line(error)}): choose another --out") from error

    def _load_newest(self, found: list[Path], state: State) -> bytes:
        """Load the newest checkpoint that is whole, and rename the damaged ones, which may have later numbers."""
        damaged: list[Path] = []
        for path in reversed(found):
            content = path.read_bytes()
            try:
                unpack(content, state, self.about)
            except DamagedError as error:
                log.warning("the checkpoint %s is damaged: %s; trying the one before", path, error)
                damaged.append(path)
            except InputError as error:
                raise InputError(f"cannot continue from the checkpoint {path}: {error}") from error
            else:
                for bad in damaged:
                    bad.rename(bad.with_suffix(".damaged"))
                return content
        raise InputError(
            f"cannot read any checkpoint in {self.path}, expected whole files written by gmlib train: "
            "restore a copy, or remove the folder and train again"
        )

    def save(self, state: State) -> None:
        """Write a checkpoint and the history, and remove the checkpoint before the last; raise DivergedError for NaN."""
        if parallel.rank() > 0:
            return
        started = time.perf_counter()
        write_whole(self.path / f"checkpoint-{state.step:09d}.safetensors", pack(state, self.about))
        write_whole(self.path / "history.csv", state.history.csv(), sync=False)
        for old in checkpoints(self.path)[:-KEPT]:
            old.unlink()
        self.written = time.perf_counter()
        self.cost = self.written - started

    def keep(self, state: State) -> None:
        """Write a checkpoint if one is due, so that all of them together take at most 1 / `SHARE` of the time."""
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
    """Run a training loop to its end, or until a callback raises `StopTraining`, with checkpoints if there is a folder."""
    states: list[State] = []

    def start(state: State) -> None:
        states.append(state)
        if on_start:
            on_start(state)
        if folder:
            folder.open(state, resume=resume)

    def step(state: State) -> None:
        if folder:
            folder.keep(state)
        if on_step:
            on_step(state)

    with folder or contextlib.nullcontext():
        try:
            with contextlib.suppress(StopTraining):
                loop(on_start=start, on_step=step, on_epoch=on_epoch)
            if folder:
                folder.save(states[0])
        except DivergedError as error:
            kept = checkpoints(folder.path) if folder else []
            last = f"; the last good checkpoint is {kept[-1]}" if kept else ""
            advice = "try a lower learning rate, another seed, or float32 in place of bfloat16"
            raise DivergedError(f"training has diverged: {error}{last}; {advice}") from error
    return states[0]
