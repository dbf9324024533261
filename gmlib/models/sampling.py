"""What models share when they draw images: labels for all of them, and batches that fit into memory."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Generator, Tensor, nn

from gmlib.errors import InputError
from gmlib.numbers import whole
from gmlib.parallel import draw
from gmlib.shapes import Labels, Latent

AT_ONCE = 500  # images in one call of a network: hidden layers of 60,000 would take gigabytes


def in_batches(compute: Callable[..., Tensor], *inputs: Tensor | None) -> Tensor:
    """Call a function on successive batches and join what it returns.

    Args:
        compute: takes one argument per input and returns one result per row.
        *inputs: tensors with the same number of rows, such as latents and labels; None is passed on as None.

    Returns:
        The results of all batches, in order.

    Raises:
        InputError: if the inputs differ in their number of rows.
    """
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
    """Draw z from the prior N(0, I), and give every image its label.

    Args:
        n: number of images.
        y: labels `(n,)`, or one label for all images, or None.
        network: turns them into images; it has `latent_dim`, and its weights are on the device of the result.
        generator: source of randomness on that device; None takes torch's global one.

    Returns:
        z `(n, latent_dim)` and the labels `(n,)`, or None.

    Raises:
        InputError: if n is not a whole number of at least 1, or the number of labels is not n.
    """
    if (whole(n) or 0) < 1:
        raise InputError(f"got n = {n} samples, expected 1 or more: ask for at least one")
    device = next(network.parameters()).device
    if y is not None:
        y = torch.as_tensor(y, device=device)
        y = y.expand(n) if y.ndim == 0 else y
        if y.shape != (n,):
            raise InputError(
                f"got labels of shape {tuple(y.shape)} for {n} samples, expected ({n},): give one per image"
            )
    return draw(torch.randn, (n, cast(int, network.latent_dim)), generator, device), y
