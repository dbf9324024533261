"""The machine of the measurements, its peak speed, and the number of operations of training."""

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

from benchmarks.loops import critic_steps, ours
from benchmarks.timing import Effort, Row, clock
from gmlib.experiments.recipe import Recipe
from gmlib.experiments.run import versions

SIZE = 2048  # rows and columns of the matrices: so large that the time of anything but the product is negligible
IDLE_LOAD = 1.5  # above this load average the machine is shared with other work


def about() -> Row:
    """Return the date, the machine, threads, versions, and whether the machine is shared with other work."""
    with_jax = {"jax": version("jax")} if find_spec("jax") else {}
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else 0.0
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{os.cpu_count()} CPU cores, {platform.system()} {platform.machine()}",
        "threads": torch.get_num_threads(),
        "versions": versions() | with_jax,
        "load": load,
        "shared": load > IDLE_LOAD,
    }


@cache
def _matrices(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two matrices of random numbers."""
    return torch.randn(SIZE, SIZE).to(dtype), torch.randn(SIZE, SIZE).to(dtype)


def product_rate(dtype: torch.dtype) -> float:
    """Return the floating-point operations per second of a matrix product."""
    a, b = _matrices(dtype)
    return 2 * SIZE**3 / clock(lambda: a @ b)


def measure(effort: Effort) -> dict[str, int]:
    """Return the machine's peak in GFLOP/s: the best of several matrix products."""
    kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    found = effort.in_turn({name: lambda kind=kind: product_rate(kind) for name, kind in kinds.items()})  # type: ignore[misc]
    return {name: round(max(values) / 1e9) for name, values in found.items()}


class _NoTracker(nullcontext):
    """A module tracker that does nothing: PyTorch's own fails with second derivatives."""

    parents: ClassVar[set[str]] = {"Global"}


def flops_per_image(recipe: Recipe) -> float:
    """Return the floating-point operations of training per image: matrix products and convolutions, forward and backward."""
    advance, steps = ours(recipe), critic_steps(recipe)
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _NoTracker()  # type: ignore[assignment]
    with counter:
        advance(steps)
    return counter.get_total_flops() / (steps * recipe.batch_size)
