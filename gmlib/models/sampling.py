"""Drawing of latents, and computing in batches that fit into memory; used by `VAE` and `GAN`."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Generator, Tensor, nn

from gmlib.errors import InputError
from gmlib.parallel import draw
from gmlib.shapes import Labels, Latent, require_whole

MAX_BATCH = 500  # images per pass of a network: the hidden layers of 60,000 images would take gigabytes


def in_batches(compute: Callable[..., Tensor], *inputs: Tensor | None) -> Tensor:
    """Return the concatenated results of a function of batches of its inputs; an input that is None stays None."""
    counts = {len(tensor) for tensor in inputs if tensor is not None}
    if len(counts) > 1:
        raise InputError(
            f"got {' and '.join(map(str, sorted(counts)))} rows of inputs and labels, expected equal numbers: give one label per image"
        )
    starts = range(0, counts.pop(), MAX_BATCH)
    batches = ([None if tensor is None else tensor[i : i + MAX_BATCH] for tensor in inputs] for i in starts)
    return torch.cat([compute(*batch) for batch in batches])


def draw_latents(
    n: int, y: Labels | Sequence[int] | int | None, network: nn.Module, generator: Generator | None
) -> tuple[Latent, Labels | None]:
    """Return n latents drawn from N(0, I), and n labels; y may be one label for all images."""
    require_whole(1, n=n)
    device = next(network.parameters()).device
    if y is not None:
        y = torch.as_tensor(y, device=device)
        y = y.expand(n) if y.ndim == 0 else y
    return draw(torch.randn, (n, cast(int, network.latent_dim)), generator, device), y
