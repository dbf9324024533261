"""What the machine can do: its peak in a product of matrices, and the share of it that training reaches."""

import os
import platform
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import ClassVar

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.loops import multiple, ours
from benchmarks.timing import Effort, Row, clock
from gmlib.experiments.recipe import Recipe
from gmlib.experiments.run import versions

SIZE = 2048  # rows and columns: products this large do nothing but multiply and add
QUIET = 1.5  # load average above which others work on the machine too


def about() -> Row:
    """Return what the measurements were made on."""
    with_jax = {"jax": version("jax")} if find_spec("jax") else {}
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{os.cpu_count()} CPU cores, {platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "versions": versions() | with_jax,
        "load": load,
        "shared": load > QUIET,
    }


@cache
def _matrices(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(SIZE, SIZE).to(dtype), torch.randn(SIZE, SIZE).to(dtype)


def product_rate(dtype: torch.dtype) -> float:
    """Multiply two matrices."""
    a, b = _matrices(dtype)
    return 2 * SIZE**3 / clock(lambda: a @ b)


def measure(effort: Effort) -> dict[str, int]:
    """Measure the machine's peak: the best of several products."""
    kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    found = effort.in_turn({name: lambda kind=kind: product_rate(kind) for name, kind in kinds.items()})  # type: ignore[misc]
    return {name: round(max(values) / 1e9) for name, values in found.items()}


class _NoTracker(nullcontext):
    """In the place of what tells modules apart, which a gradient of a gradient does not go with."""

    parents: ClassVar[set[str]] = {"Global"}


def flops_an_image(recipe: Recipe) -> float:
    """Count the work of training: products of matrices and convolutions, forwards and backwards."""
    advance, steps = ours(recipe), multiple(recipe)
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _NoTracker()  # type: ignore[assignment]
    with counter:
        advance(steps)
    return counter.get_total_flops() / (steps * recipe.batch_size)


def share(flops: float, images_per_second: float, peak: float) -> float:
    """Return the share of the machine's peak that training reaches."""
    if not peak > 0:
        raise ValueError(f"got a peak of {peak:g} operations per second, expected a number above 0: measure it first")
    return flops * images_per_second / peak
