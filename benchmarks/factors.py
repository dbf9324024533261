"""What each decision gained: the same training with it and without, in turn."""

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from benchmarks.loops import digits, multiple, ours
from benchmarks.timing import Advance, Effort, Row, median, spread
from benchmarks.usual import usual, usual_stack
from gmlib import recipes
from gmlib.data import Batches
from gmlib.experiments.fit import training_loop
from gmlib.experiments.recipe import Recipe
from gmlib.models import PixelCNN
from gmlib.progress import Progress
from gmlib.training.checkpoint import Folder
from gmlib.training.state import State

PLAIN = replace(
    recipes.PIXEL_CNN, name="plain_stack", pixelcnn=partial(PixelCNN, channels=64, layers=7), batch_size=64, ema=0.0
)


class Decision(NamedTuple):
    """A decision, and the training of a recipe with it and without."""

    name: str
    recipe: Recipe
    with_it: Advance
    without: Advance


def instead(target: str, other: Callable[..., object], recipe: Recipe) -> Advance:
    """Train a recipe with another function in the place of one of gmlib's.

    Args:
        target: the function, where it is looked up.
        other: what is called in its place.
        recipe: what is trained.

    Returns:
        What trains so many steps more.
    """
    advance = ours(recipe)

    def patched(steps: int) -> None:
        with patch(target, other):
            advance(steps)

    return patched


def endless(recipe: Recipe) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the digits of gmlib's batches, for a usual loop.

    Args:
        recipe: for its batch size.

    Yields:
        Grey images and labels.
    """
    batches = Batches(digits(), recipe.batch_size, binarised=False)
    while True:
        yield from cast(Iterable[tuple[Tensor, Tensor]], batches)


def slow_binarise(images: Tensor, generator: Generator) -> Tensor:
    """Draw pixels from their probabilities as floats.

    Args:
        images: uint8.
        generator: source of randomness.

    Returns:
        Zeros and ones.
    """
    return torch.bernoulli(images.float() / 255, generator=generator)


def slow_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Take PyTorch's cross-entropy of pixels.

    Args:
        x: images.
        logits: log-odds.

    Returns:
        Nats per image.
    """
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def two_passes(critic: nn.Module, real: Tensor, fake: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
    """Score real and fake images one after the other.

    Args:
        critic: the network.
        real: images.
        fake: images.
        label: of both.

    Returns:
        Scores of both.
    """
    return critic(real, label).float(), critic(fake, label).float()


def loop_adam(parameters: Iterator[nn.Parameter], lr: float, **options: tuple[float, float]) -> torch.optim.Optimizer:
    """Make Adam with its defaults.

    Args:
        parameters: what is trained.
        lr: learning rate.
        **options: its betas.

    Returns:
        The optimiser, not fused.
    """
    return torch.optim.Adam(parameters, lr=lr, **options)  # type: ignore[arg-type]


def learning_critic(recipe: Recipe) -> Advance:
    """Train a GAN whose critic gathers gradients in the generator's step too, which nobody uses.

    Args:
        recipe: of the GAN.

    Returns:
        What trains so many steps more.
    """
    return instead("gmlib.training.gan.frozen", contextlib.nullcontext, recipe)


def channels_first(recipe: Recipe) -> Advance:
    """Train a recipe with memory laid out as PyTorch does it.

    Args:
        recipe: of convolutions.

    Returns:
        What trains so many steps more.
    """
    model = recipe.build()
    loop = training_loop(recipe, model, digits(), 0)
    model.to(memory_format=torch.contiguous_format)
    return ours(recipe, loop=loop)


def decisions(place: contextlib.ExitStack) -> Iterator[Decision]:
    """List what was decided.

    Args:
        place: closes what some of them open.

    Yields:
        One decision after the other.
    """
    vae, gan, dcgan = recipes.VAE, recipes.GAN, recipes.DCGAN_PLAIN
    folder = Folder(Path(place.enter_context(tempfile.TemporaryDirectory())), {})
    place.enter_context(folder)
    progress = Progress(1, lambda row: None)
    for recipe in (vae, gan):
        # both loops are the usual one: only where images come from differs
        yield Decision("digits in memory, no work an image", recipe, usual(recipe, endless(recipe)), usual(recipe))
    yield Decision("pixels drawn as bytes", vae, ours(vae), instead("gmlib.data.batches.binarise", slow_binarise, vae))
    yield Decision(
        "likelihood as one product and one softplus",
        vae,
        ours(vae),
        instead("gmlib.models.vae.bernoulli_log_prob", slow_log_prob, vae),
    )
    waiting = ours(vae, then=lambda state: None if state.totals is None else state.totals.tolist())
    yield Decision("nothing waits for a number", vae, ours(vae), waiting)
    yield Decision("fused optimiser", gan, ours(gan), ours(replace(gan, optimiser=loop_adam)))
    for recipe in (gan, dcgan):
        yield Decision(
            "real and fake in one pass",
            recipe,
            ours(recipe),
            instead("gmlib.training.gan.score_both", two_passes, recipe),
        )
        yield Decision("the critic rests in the generator's step", recipe, ours(recipe), learning_critic(recipe))
    yield Decision("channels of a pixel side by side", dcgan, ours(dcgan), channels_first(dcgan))
    yield Decision("only what a mask leaves", PLAIN, ours(PLAIN), ours(replace(PLAIN, pixelcnn=usual_stack)))
    for recipe in (vae, gan, dcgan, PLAIN):
        yield Decision("bfloat16", recipe, ours(recipe, bfloat16=True), ours(recipe))

    def keep(state: State) -> None:
        folder.save_if_due(state)
        progress.step(state)

    yield Decision("checkpoints and progress: what they cost", vae, ours(vae, then=keep), ours(vae))


def measure(effort: Effort) -> list[Row]:
    """Measure every decision.

    Args:
        effort: how long.

    Returns:
        A row a decision and recipe: images per second with it and without, and how many times as many.
    """
    rows: list[Row] = []
    with contextlib.ExitStack() as place:
        for name, recipe, with_it, without in decisions(place):
            found = effort.rates({"with": with_it, "without": without}, recipe.batch_size, multiple(recipe))
            rates = {way: median(values) for way, values in found.items()}
            rows.append({"decision": name, "recipe": recipe.name, **rates, **spread(found["with"], found["without"])})
    return rows
