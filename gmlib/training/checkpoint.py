"""The folder of a run: a lock that admits one process at a time, the last two checkpoints, and the history.

A run whose learning rate is constant until its cooldown also keeps the checkpoint from before the cooldown, since up to there
its length changes nothing: from it, the run can be made longer.
"""

import contextlib
import io
import logging
import re
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from gmlib import parallel
from gmlib.errors import DivergedError, InputError, one_line
from gmlib.files import write_whole
from gmlib.training.state import State, StopTraining

log = logging.getLogger("gmlib")

BEFORE_COOLDOWN = "checkpoint-before-cooldown.pt"
KEPT = 2  # checkpoints: the newest, and the one before in case the newest is damaged
# seconds between two checkpoints: 50 times what the last one took to write, so that writing takes at most 2 % of the time,
# but at least 1, and at most 600, since a disk may have been slow only once
COST_FACTOR, SHORTEST_INTERVAL, LONGEST_INTERVAL = 50, 1.0, 600.0


class DamagedError(InputError):
    """A checkpoint differs from what was written."""


class OtherLengthError(InputError):
    """A checkpoint is of a run of another length, and of an epoch in which the length matters."""


def pack(state: State, settings: dict[str, Any], constant_epochs: int = 0) -> bytes:
    """Return the file of a checkpoint: the state and the settings of the run by `torch.save`, then their checksum.

    Up to the end of `constant_epochs` the length of the run changes nothing.

    Raise DivergedError if a tensor holds NaN or infinity.
    """
    content = state.state_dict()
    for name, tensor in _tensors(content):
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise DivergedError(f"{name} is not finite in epoch {state.epoch + 1}, step {state.step}")
    buffer = io.BytesIO()
    torch.save({"state": content, "settings": settings, "constant_epochs": constant_epochs}, buffer)
    return buffer.getvalue() + _checksum(buffer.getvalue())


def unpack(content: bytes, state: State, settings: dict[str, Any], constant_epochs: int = 0) -> None:
    """Load what `pack` returned into a fresh state of the same run, or of one of another length, if it does not matter yet.

    Raise DamagedError if a byte has changed, OtherLengthError if the lengths differ and matter, and InputError if the checkpoint
    is of another recipe, seed, data or device.
    """
    if content[-4:] != _checksum(content[:-4]):
        raise DamagedError("its checksum differs from the one that it was written with")
    saved = torch.load(io.BytesIO(content[:-4]), map_location="cpu", weights_only=True)
    constant_epochs = min(saved.get("constant_epochs", 0), constant_epochs)
    length_matters = not constant_epochs or saved["state"]["step"] > constant_epochs * len(state.batches)
    for name, value in settings.items():
        saved_value = saved["settings"].get(name)
        if saved_value == value or (name == "epochs" and not length_matters):
            continue
        advice = "resume with the settings that it was started with, or choose another --out"
        if name == "epochs":
            advice += "; a run can be made longer only from before its cooldown, if its recipe has one"
        error = OtherLengthError if name == "epochs" else InputError
        raise error(f"it is of {name} {saved_value!r}, this run is of {value!r}: {advice}")
    state.load_state_dict(saved["state"])


def _checksum(content: bytes) -> bytes:
    """Return the CRC-32 of the content, 4 bytes."""
    return zlib.crc32(content).to_bytes(4, "little")


def _tensors(tree: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of nested dicts and lists, each with its path, such as "networks/vae/decoder.net.0.weight"."""
    if isinstance(tree, Tensor):
        yield path.strip("/"), tree
    elif isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _tensors(value, f"{path}/{key}")


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, the newest last."""
    paths = (path for path in folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d{9,}\.pt", path.name))
    return sorted(paths, key=lambda path: (len(path.name), path.name))


class Folder:
    """The folder of one run, locked for other processes from `open` to the end of `with Folder(...) as folder`."""

    def __init__(self, path: Path, settings: dict[str, Any], constant_epochs: int = 0) -> None:
        """Set the path, the settings of the run (recipe, seed, data, device), and the epochs in which its length changes nothing.

        Nothing is read or written yet.
        """
        self.path = path
        self.settings = settings
        self.constant_epochs = constant_epochs
        self.lock = FileLock(path / ".gmlib.lock", timeout=0)
        self.written = 0.0  # time at which the last checkpoint was written
        self.cost = 0.0  # seconds that it took to write

    def __enter__(self) -> "Folder":
        """Return the folder."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.lock.release()

    def open(self, state: State, *, resume: bool) -> None:
        """Lock the folder and load its newest intact checkpoint into a fresh state, or write the first checkpoint."""
        content = parallel.from_first(lambda: self._open(state, resume))
        if content is not None and parallel.rank() > 0:
            unpack(content, state, self.settings, self.constant_epochs)
        self.written = time.perf_counter()

    def _open(self, state: State, resume: bool) -> bytes | None:
        """Do the same in the first process; return the checkpoint that was loaded, for the other processes."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.lock.acquire()
            for unfinished in self.path.glob(".checkpoint-*.tmp"):  # left by a process that was killed
                unfinished.unlink()
            paths = checkpoints(self.path)
            if paths and not resume:
                raise InputError(
                    f"{self.path} holds a run already: add --resume to continue it, or choose another --out"
                )
            if paths:
                return self._load_newest(paths, state)
            results = sorted(path.name for path in self.path.iterdir() if path.suffix == ".safetensors")
            results += ["history.csv"] if (self.path / "history.csv").exists() else []
            if results:
                raise InputError(
                    f"{self.path} holds {', '.join(results)} and no checkpoint to continue from: choose another --out, or "
                    "move the files elsewhere"
                )
            self.save(state)  # a folder that cannot be written is refused before the first step
            return None
        except Timeout as error:
            raise InputError(
                f"another process is training in {self.path}: wait until it has finished, or choose another --out"
            ) from error
        except (OSError, NotImplementedError) as error:  # filelock raises the latter on a disk without locks
            raise InputError(f"cannot use the folder {self.path} ({one_line(error)}): choose another --out") from error

    def _load_newest(self, paths: list[Path], state: State) -> bytes:
        """Load the newest checkpoint that is intact and, if the run has another length now, from before its cooldown.

        Damaged checkpoints are renamed, and those of the other length removed; both have later numbers.
        """
        damaged: list[Path] = []
        other_length: dict[Path, OtherLengthError] = {}
        before_cooldown = self.path / BEFORE_COOLDOWN
        for path in [*reversed(paths), *([before_cooldown] if before_cooldown.exists() else [])]:
            content = path.read_bytes()
            try:
                unpack(content, state, self.settings, self.constant_epochs)
            except DamagedError as error:
                log.warning("the checkpoint %s is damaged: %s; trying the one before", path, error)
                damaged.append(path)
            except OtherLengthError as error:
                other_length[path] = error
            except InputError as error:
                raise InputError(f"cannot continue from the checkpoint {path}: {error}") from error
            else:
                for damaged_path in damaged:
                    damaged_path.rename(damaged_path.with_suffix(".damaged"))
                for later in other_length:
                    later.unlink()
                return content
        for path, reason in other_length.items():
            raise InputError(f"cannot continue from the checkpoint {path}: {reason}") from reason
        raise InputError(
            f"cannot read any checkpoint in {self.path}, expected whole files written by gmlib train: "
            "restore a copy, or remove the folder and train again"
        )

    def save(self, state: State) -> None:
        """Write a checkpoint and the history, and remove the checkpoint before the last; raise DivergedError for NaN."""
        if parallel.rank() > 0:
            return
        started = time.perf_counter()
        write_whole(self.path / f"checkpoint-{state.step:09d}.pt", pack(state, self.settings, self.constant_epochs))
        write_whole(self.path / "history.csv", state.history.csv())
        for old in checkpoints(self.path)[:-KEPT]:
            old.unlink()
        self.written = time.perf_counter()
        self.cost = self.written - started

    def save_before_cooldown(self, state: State) -> None:
        """After the last epoch in which the length of the run changes nothing, write the checkpoint that is kept."""
        if state.epoch == self.constant_epochs and parallel.rank() == 0:
            write_whole(self.path / BEFORE_COOLDOWN, pack(state, self.settings, self.constant_epochs))

    def save_if_due(self, state: State) -> None:
        """Write a checkpoint if the last one is old enough, so that writing takes a small part of the time."""
        interval = min(max(SHORTEST_INTERVAL, COST_FACTOR * self.cost), LONGEST_INTERVAL)
        if time.perf_counter() - self.written > interval:
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
    states: list[State] = []  # the loop's state, which also a loop that is stopped leaves here

    def start(state: State) -> None:
        states.append(state)
        if on_start:
            on_start(state)
        if folder:
            folder.open(state, resume=resume)

    def step(state: State) -> None:
        if folder:
            folder.save_if_due(state)
        if on_step:
            on_step(state)

    def epoch(state: State) -> None:
        if folder:
            folder.save_before_cooldown(state)
        if on_epoch:
            on_epoch(state)

    with folder or contextlib.nullcontext():
        try:
            with contextlib.suppress(StopTraining):
                loop(on_start=start, on_step=step, on_epoch=epoch)
            if folder:
                folder.save(states[0])
        except DivergedError as error:
            saved = checkpoints(folder.path) if folder else []
            last = f"; the last good checkpoint is {saved[-1]}" if saved else ""
            advice = "try a lower learning rate, another seed, or float32 in place of bfloat16"
            raise DivergedError(f"training has diverged: {error}{last}; {advice}") from error
    return states[0]
