"""Progress of training: a bar in a terminal, a row per epoch elsewhere, curves in TensorBoard."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from gmlib.errors import InputError
from gmlib.parallel import rank
from gmlib.training.history import Row
from gmlib.training.state import State

# the columns of a history that are shown, if a run has them
HEADLINES = (
    *("train_elbo", "train_iwae", "validation_elbo", "validation_kl"),
    *("critic_loss", "generator_loss", "validation_fid", "validation_auc", "validation_modes"),
    *("loss", "validation_accuracy"),
)


class Progress:
    """Images per second, metrics and time left: `step` and `epoch` are the `on_step` and `on_epoch` of a run."""

    def __init__(self, epochs: int, print_row: Callable[[str], object]) -> None:
        """Set the length of the run, and a function that prints the row of an epoch where there is no terminal."""
        self.epochs = epochs
        self.print_row = print_row
        self.bar: tqdm[Any] | None = None
        self.start = (0, 0.0)  # images and seconds of training before the first step: those of a resumed run

    def step(self, state: State) -> None:
        """Advance the bar to the number of images that the run has trained on."""
        images, batch_size = _images(state), state.batches.batch_size
        if self.bar is None:
            self.start = images - batch_size, state.seconds
            hidden = rank() > 0 or not sys.stderr.isatty()
            total = self.epochs * len(state.batches) * batch_size
            self.bar = tqdm(total=total, initial=self.start[0], unit="img", unit_scale=True, disable=hidden)
            self._name_epoch(self.bar, state)
        self.bar.update(images - self.bar.n)

    def epoch(self, state: State) -> None:
        """Show the last row of the history."""
        text = headline(state.history.rows[-1])
        if self.bar is None or self.bar.disable:
            images, seconds = self.start
            speed = max((_images(state) - images) / max(state.seconds - seconds, 1e-9), 1e-9)
            left = (self.epochs - state.epoch) * len(state.batches) * state.batches.batch_size / speed
            self.print_row(
                f"epoch {state.epoch:>4}/{self.epochs}  {text}  {speed:,.0f} images/s  {tqdm.format_interval(left)} left"
            )
        else:
            self._name_epoch(self.bar, state)
            self.bar.set_postfix_str(text)

    def _name_epoch(self, bar: "tqdm[Any]", state: State) -> None:
        """Write the number of the current epoch before the bar."""
        bar.set_description_str(f"epoch {min(state.epoch + 1, self.epochs)}/{self.epochs}", refresh=False)

    def close(self) -> None:
        """Close the bar."""
        if self.bar is not None:
            self.bar.close()


def headline(row: Row) -> str:
    """Return the main metrics of a row as text, such as "train_elbo -150.2  validation_elbo -151.0"."""
    metrics = {name: value for name in HEADLINES if (value := row.get(name)) is not None}
    return "  ".join(f"{name} {value:{'.1f' if abs(value) >= 10 else '.4f'}}" for name, value in metrics.items())


def _images(state: State) -> int:
    """Return the number of images that a run has trained on, counting an image once per epoch."""
    return (state.epoch * len(state.batches) + state.batches.position) * state.batches.batch_size


class TensorBoard:
    """Curves of every column of the history, in a folder for `tensorboard --logdir`."""

    def __init__(self, folder: Path) -> None:
        """Set the folder of the run; raise InputError if TensorBoard is not installed."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError(
                "got --tensorboard, but TensorBoard is not installed: pip install 'gmlib[tensorboard]'"
            ) from error
        self.folder = folder / "tensorboard"
        self.writer: SummaryWriter | None = None
        self.writer_class = SummaryWriter

    def epoch(self, state: State) -> None:
        """Write the last row of the history; the first call of a resumed run discards later rows of the interrupted one."""
        if self.writer is None:
            self.writer = self.writer_class(str(self.folder), purge_step=state.epoch)
        for name, value in state.history.rows[-1].items():
            if value is not None and name != "epoch":
                self.writer.add_scalar(name, value, state.epoch)
        self.writer.flush()

    def close(self) -> None:
        """Close the file."""
        if self.writer is not None:
            self.writer.close()
