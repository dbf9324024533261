"""The speed gained by each implementation decision: the same training with it and without it, alternately."""

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

from benchmarks.loops import critic_steps, digits, ours
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
    """An implementation decision, and the training of a recipe with it and without it."""

    name: str
    recipe: Recipe
    with_it: Advance
    without: Advance


def with_replaced(target: str, other: Callable[..., object], recipe: Recipe) -> Advance:
    """Return the training of a recipe in which another function replaces one of gmlib."""
    advance = ours(recipe)

    def patched(steps: int) -> None:
        with patch(target, other):
            advance(steps)

    return patched


def endless_batches(recipe: Recipe) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of gmlib's `Batches` for ever, for a tutorial loop."""
    batches = Batches(digits(), recipe.batch_size, binarised=False)
    while True:
        yield from cast(Iterable[tuple[Tensor, Tensor]], batches)


def slow_binarise(images: Tensor, generator: Generator) -> Tensor:
    """Binarise images with float probabilities."""
    return torch.bernoulli(images.float() / 255, generator=generator)


def slow_log_prob(x: Tensor, logits: Tensor) -> Tensor:
    """Return the log-likelihood by PyTorch's cross-entropy."""
    return -F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def two_passes(critic: nn.Module, real: Tensor, fake: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the scores of real and of fake images, in two forward passes."""
    return critic(real, label).float(), critic(fake, label).float()


def loop_adam(parameters: Iterator[nn.Parameter], lr: float, **options: tuple[float, float]) -> torch.optim.Optimizer:
    """Return Adam with default options, which is not fused."""
    return torch.optim.Adam(parameters, lr=lr, **options)  # type: ignore[arg-type]


def learning_critic(recipe: Recipe) -> Advance:
    """Return the training of a GAN whose critic accumulates unused gradients in the generator's step."""
    return with_replaced("gmlib.training.gan.frozen", contextlib.nullcontext, recipe)


def channels_first(recipe: Recipe) -> Advance:
    """Return the training of a recipe in PyTorch's default memory format."""
    model = recipe.build()
    loop = training_loop(recipe, model, digits(), 0)
    model.to(memory_format=torch.contiguous_format)
    return ours(recipe, loop=loop)


def decisions(stack: contextlib.ExitStack) -> Iterator[Decision]:
    """Yield all decisions; the exit stack closes what they open."""
    vae, gan, dcgan = recipes.VAE, recipes.GAN, recipes.DCGAN_PLAIN
    folder = Folder(Path(stack.enter_context(tempfile.TemporaryDirectory())), {})
    stack.enter_context(folder)
    progress = Progress(1, lambda row: None)
    for recipe in (vae, gan):
        # both loops are the usual one: only where images come from differs
        yield Decision(
            "digits in memory, no work an image", recipe, usual(recipe, endless_batches(recipe)), usual(recipe)
        )
    yield Decision(
        "pixels drawn as bytes", vae, ours(vae), with_replaced("gmlib.data.batches.binarise", slow_binarise, vae)
    )
    yield Decision(
        "likelihood as one product and one softplus",
        vae,
        ours(vae),
        with_replaced("gmlib.models.vae.bernoulli_log_prob", slow_log_prob, vae),
    )
    waiting = ours(vae, then=lambda state: None if state.totals is None else state.totals.tolist())
    yield Decision("nothing waits for a number", vae, ours(vae), waiting)
    yield Decision("fused optimiser", gan, ours(gan), ours(replace(gan, optimiser=loop_adam)))
    for recipe in (gan, dcgan):
        yield Decision(
            "real and fake in one pass",
            recipe,
            ours(recipe),
            with_replaced("gmlib.training.gan.score_both", two_passes, recipe),
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
    """Return images per second with each decision and without it, and their ratio."""
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        for name, recipe, with_it, without in decisions(stack):
            found = effort.rates({"with": with_it, "without": without}, recipe.batch_size, critic_steps(recipe))
            rates = {way: median(values) for way, values in found.items()}
            rows.append({"decision": name, "recipe": recipe.name, **rates, **spread(found["with"], found["without"])})
    return rows
