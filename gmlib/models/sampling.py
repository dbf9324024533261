"""What models share when they sample images: latents, labels, and batches that fit into memory."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Generator, Tensor, nn

from gmlib.errors import InputError
from gmlib.parallel import draw
from gmlib.shapes import Labels, Latent, whole

AT_ONCE = 500  # images per pass of a network: hidden layers of 60,000 images would take gigabytes


def in_batches(compute: Callable[..., Tensor], *inputs: Tensor | None) -> Tensor:
    """Return the joined results of a function on successive batches of its inputs; None is passed on as None."""
    counts = [len(each) for each in inputs if each is not None]
    if len(set(counts)) > 1:
        raise InputError(
            f"got {' and '.join(map(str, counts))} rows, expected the same number: give one label per image"
        )
    batches = [[None] * -(-counts[0] // AT_ONCE) if each is None else each.split(AT_ONCE) for each in inputs]
    return torch.cat([compute(*batch) for batch in zip(*batches, strict=True)])


def draw_latents(
    n: int, y: Labels | Sequence[int] | int | None, network: nn.Module, generator: Generator | None
) -> tuple[Latent, Labels | None]:
    """Return n latents drawn from N(0, I), and one label for each; y may be one label for all images."""
    if (whole(n) or 0) < 1:
        raise InputError(f"got n = {n} samples, expected 1 or more")
    device = next(network.parameters()).device
    if y is not None:
        y = torch.as_tensor(y, device=device)
        y = y.expand(n) if y.ndim == 0 else y
        if y.shape != (n,):
            raise InputError(f"got labels of shape {tuple(y.shape)} for {n} samples, expected ({n},): one per image")
    return draw(torch.randn, (n, cast(int, network.latent_dim)), generator, device), y
