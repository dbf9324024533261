"""The digit classifier: the eye with which samples are judged."""

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Generator, Tensor, nn

from gmlib import parallel
from gmlib.data import ImageDataset
from gmlib.errors import InputError, one_line
from gmlib.evaluate.conditional import label_accuracy
from gmlib.isolated import Isolated
from gmlib.mode import require_training, train_mode
from gmlib.models.conv import normed
from gmlib.shapes import Image, require_image

if TYPE_CHECKING:
    from gmlib.train.history import History
    from gmlib.train.state import State


def convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    """A 3×3 convolution, batch norm and ReLU.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        stride: 2 halves height and width.

    Returns:
        The modules in order.
    """
    return normed(nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), outputs, batch_norm=True)


class Classifier(nn.Module):
    """From an image to ten log-odds, by way of 128 features in which samples are compared."""

    def __init__(self) -> None:
        """Build the network."""
        super().__init__()
        self.features = nn.Sequential(
            *convolution(1, 16),  # 28
            *convolution(16, 32, stride=2),  # 28 -> 14
            *convolution(32, 64),  # 14
            *convolution(64, 64, stride=2),  # 14 -> 7
            nn.Flatten(),
            nn.Linear(64 * 7 * 7, 128),
            nn.ReLU(),
        ).to(memory_format=torch.channels_last)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(128, 10))

    def forward(self, x: Image) -> Float[Tensor, "b 10"]:
        """Give the log-odds of each digit.

        Args:
            x: images `(b, 1, 28, 28)` in [0, 1].

        Returns:
            Logits `(b, 10)`.
        """
        require_image(x, (1, 28, 28))
        return self.head(self.features(x))


def distort(x: Image, generator: Generator) -> Image:
    """Turn, scale and shift each image a little, at random: by up to 15 degrees, 15 % and 2 pixels.

    Args:
        x: images `(b, 1, 28, 28)` in [0, 1].
        generator: source of randomness, on the device of x.

    Returns:
        Images of the same shape.
    """
    turn, stretch, right, down = (2 * parallel.draw(torch.rand, (4, len(x)), generator, x.device, dim=1) - 1).unbind()
    cos, sin = torch.cos(turn * 0.26) * (1 + 0.15 * stretch), torch.sin(turn * 0.26) * (1 + 0.15 * stretch)
    matrix = torch.stack([cos, -sin, right * 2 / 14, sin, cos, down * 2 / 14], 1).view(-1, 2, 3)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False).clamp(0, 1)


def fit_classifier(
    state: "State",
    *,
    epochs: int,
    lr: float,
    bfloat16: bool = False,
    validation: ImageDataset | None = None,
    on_step: Callable[["State"], None] | None = None,
    on_epoch: Callable[["State"], None] | None = None,
) -> "History":
    """Teach a classifier digits, half of them grey and half binarised, all a little distorted.

    Args:
        state: network and optimiser named "classifier", and grey batches.
        epochs: how many epochs the whole run has.
        lr: highest learning rate; it rises to it over the first fifth of the run, and falls to 0.
        bfloat16: whether the network computes in bfloat16.
        validation: digits whose accuracy is noted after each epoch.
        on_step: called after each step.
        on_epoch: called after each epoch.

    Returns:
        A row an epoch: cross-entropy of the training batches in nats, and accuracy on grey and binarised validation digits.

    Raises:
        InputError: if gradients are off.
    """
    classifier, optimiser, batches = state.networks["classifier"], state.optimisers["classifier"], state.batches
    require_training(classifier=classifier)
    steps = epochs * len(batches)
    while state.epoch < epochs:
        train_mode(classifier)
        for x, y in batches:
            if y is None:
                raise InputError(
                    "got images without labels, expected one label per image: a classifier is trained on both"
                )
            progress = (state.step + 1) / steps
            optimiser.param_groups[0]["lr"] = lr * min(progress / 0.2, (1 - progress) / 0.8)
            optimiser.zero_grad()
            x = distort(x, state.generator)
            noise = parallel.draw(torch.rand, x.shape, state.generator, x.device)
            x = torch.where((torch.arange(len(x), device=x.device) % 2 == 0).view(-1, 1, 1, 1), x, (noise < x).float())
            with torch.autocast(x.device.type, torch.bfloat16, enabled=bfloat16):
                logits = classifier(x)
            loss = F.cross_entropy(logits.float(), y)
            loss.backward()
            mean = parallel.average_gradients(classifier.parameters(), loss.detach())
            optimiser.step()
            state.average()
            state.note(mean.view(1))
            state.step += 1
            if on_step:
                on_step(state)
        row: dict[str, float | None] = {"epoch": state.epoch + 1, "loss": state.noted()[0] / len(batches)}
        if validation is not None:
            judge = cast(Classifier, state.result()["classifier"])
            labels = validation.require_labels()
            row["validation_accuracy"] = label_accuracy(validation.grey(), labels, judge)
            row["validation_accuracy_binarised"] = label_accuracy(validation.binarised(), labels, judge)
        state.end_epoch(row)
        if on_epoch:
            on_epoch(state)
    return state.history


@cache
def shipped_classifier() -> Classifier:
    """Load the classifier that gmlib ships: every sample metric is taken with it.

    Returns:
        The network, float32 on the CPU, in eval mode.

    Raises:
        InputError: if its weights are missing or damaged.
    """
    path = Path(str(files("gmlib") / "weights" / "classifier.safetensors"))
    # it serves the whole process, so it does not depend on the settings where it is loaded first
    with torch.inference_mode(mode=False), Isolated(Generator()):
        classifier = Classifier()
    try:
        classifier.load_state_dict({k.removeprefix("classifier."): v for k, v in load_file(path).items()})
    except (SafetensorError, OSError, RuntimeError) as error:
        raise InputError(
            f"cannot read {path} ({one_line(error)}), expected the shipped classifier: install gmlib again, "
            "or train it again with gmlib train classifier --profile full --out runs/full/classifier"
        ) from error
    return classifier.eval().requires_grad_(False)
