"""Training as seen from outside: a bar in a terminal, a row an epoch elsewhere, curves in TensorBoard."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from gmlib.errors import InputError
from gmlib.parallel import rank
from gmlib.training.history import Row
from gmlib.training.state import State

# the two or three numbers that matter, of those that a row has
HEADLINES = (
    *("train_elbo", "train_iwae", "validation_elbo", "validation_kl"),
    *("critic_loss", "generator_loss", "validation_fid", "validation_modes"),
    *("loss", "validation_accuracy"),
)


class Progress:
    """Images seen, speed, numbers and time left: `on_step` and `on_epoch` of a run."""

    def __init__(self, epochs: int, say: Callable[[str], object]) -> None:
        """Begin.

        Args:
            epochs: how many there will be.
            say: prints a row where there is no terminal.
        """
        self.epochs = epochs
        self.say = say
        self.bar: tqdm[Any] | None = None
        self.begun: tuple[int, float] | None = None  # images and seconds before the first step

    def step(self, state: State) -> None:
        """Move the bar by a step.

        Args:
            state: the run.
        """
        done = _images(state)
        if self.begun is None:
            self.begun = done - state.batches.batch_size, state.seconds
            total = self.epochs * len(state.batches) * state.batches.batch_size
            self.bar = tqdm(
                total=total,
                initial=self.begun[0],
                unit="img",
                unit_scale=True,
                disable=rank() > 0 or not sys.stderr.isatty(),
            )
            self.bar.set_description_str(f"epoch {state.epoch + 1}/{self.epochs}", refresh=False)
        if self.bar is not None:
            self.bar.update(done - self.bar.n)

    def epoch(self, state: State) -> None:
        """Show the numbers of an epoch.

        Args:
            state: the run, its row written.
        """
        text = headline(state.history.rows[-1])
        if self.bar is None or self.begun is None or self.bar.disable:
            images, seconds = self.begun or (0, 0.0)
            speed = (_images(state) - images) / max(state.seconds - seconds, 1e-9)
            left = (self.epochs - state.epoch) * len(state.batches) * state.batches.batch_size / max(speed, 1e-9)
            self.say(
                f"epoch {state.epoch:>4}/{self.epochs}  {text}  {speed:,.0f} images/s  {tqdm.format_interval(left)} left"
            )
        else:
            self.bar.set_description_str(f"epoch {min(state.epoch + 1, self.epochs)}/{self.epochs}", refresh=False)
            self.bar.set_postfix_str(text)

    def close(self) -> None:
        """Leave the terminal tidy."""
        if self.bar is not None:
            self.bar.close()


def headline(row: Row) -> str:
    """Name the numbers that matter of a row.

    Args:
        row: of a history.

    Returns:
        Such as "train_elbo -150.2  validation_elbo -151.0".
    """
    numbers = {name: value for name in HEADLINES if (value := row.get(name)) is not None}
    return "  ".join(f"{name} {value:{'.1f' if abs(value) >= 10 else '.4f'}}" for name, value in numbers.items())


def _images(state: State) -> int:
    """Count the images that a run has seen."""
    return (state.epoch * len(state.batches) + state.batches.position) * state.batches.batch_size


class TensorBoard:
    """Writes every number of every epoch where `tensorboard --logdir` finds it."""

    def __init__(self, folder: Path) -> None:
        """Find TensorBoard; nothing is written yet.

        Args:
            folder: of the run.

        Raises:
            InputError: if it is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError(
                "got --tensorboard, but TensorBoard is not installed: pip install 'gmlib[tensorboard]'"
            ) from error
        self.folder = folder / "tensorboard"
        self.writer: SummaryWriter | None = None
        self.open = SummaryWriter

    def epoch(self, state: State) -> None:
        """Write the row of an epoch; what an interrupted run wrote from this epoch on is superseded.

        Args:
            state: the run, its row written.
        """
        if self.writer is None:
            self.writer = self.open(str(self.folder), purge_step=state.epoch)
        for name, value in state.history.rows[-1].items():
            if value is not None and name != "epoch":
                self.writer.add_scalar(name, value, state.epoch)
        self.writer.flush()

    def close(self) -> None:
        """Finish the file."""
        if self.writer is not None:
            self.writer.close()
