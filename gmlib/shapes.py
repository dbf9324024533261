"""Shapes as types, checked under pytest only; and checks of arguments that public functions make always."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from gmlib.errors import DivergedError, InputError
from gmlib.numbers import count_of

Image = Float[Tensor, "b c h w"]  # values in [0, 1]
Latent = Float[Tensor, "b d"]  # z, or the mean or log-variance of q(z|x)
Features = Float[Tensor, "b f"]  # a hidden layer
Labels = Int64[Tensor, "b"]  # class numbers from 0
PerImage = Float[Tensor, "b"]  # one number per image, in nats where it is a log-probability
LogWeights = Float[Tensor, "k b"]  # k importance weights per image, in nats
Bytes = UInt8[Tensor, "n 1 28 28"]  # grey images as stored: 0 to 255
Watch = Callable[
    [Iterable[Any]], Iterable[Any]
]  # a function, such as tqdm: it yields what it iterates over, and shows progress


def require_whole(least: int, **counts: int) -> None:
    """Raise InputError if a count of this name is not a whole number, or is below the least."""
    for name, count in counts.items():
        count_of(name, count, least)


def require_alike(axes: str, **given: Tensor) -> None:
    """Raise InputError if shapes differ, which would broadcast, or do not have these axes, such as "b" or "b c h w"."""
    shapes = [tuple(tensor.shape) for tensor in given.values()]
    names = axes.split()
    if len(set(shapes)) > 1 or len(shapes[0]) != len(names):
        found = " and ".join(f"{name} of shape {shape}" for name, shape in zip(given, shapes, strict=True))
        expected = f"({', '.join(names)}{',' * (len(names) == 1)})"
        advice = ", one number per image: squeeze or flatten the other axes" if axes == "b" else ": reshape first"
        raise InputError(f"got {found}, expected the same shape {expected}{advice}")


def require_gradients() -> None:
    """Raise InputError within `torch.no_grad()` or `torch.inference_mode()`, where torch records no gradients."""
    if not torch.is_grad_enabled():
        raise InputError(
            "got a call within torch.no_grad() or torch.inference_mode(), expected one with gradients: "
            "call it outside of that block"
        )


def require_latent(z: Tensor, latent_dim: int) -> None:
    """Raise InputError if latents are not of shape (b, latent_dim)."""
    if z.ndim != 2 or z.shape[1] != latent_dim:
        raise InputError(
            f"got latents of shape {tuple(z.shape)}, expected (batch, {latent_dim}): use latents of the same model"
        )


def require_image(x: Tensor, size: tuple[int | None, int | None, int | None] = (None, None, None)) -> None:
    """Raise InputError if x is not a batch of float images in [0, 1] of this `(c, h, w)`; None stands for any number.

    The range is checked on the CPU only, since a check on a GPU would wait for its queue.
    """
    if x.ndim != 4 or any(one not in (None, other) for one, other in zip(size, x.shape[1:], strict=True)):
        expected = ", ".join(name if one is None else str(one) for name, one in zip("chw", size, strict=True))
        raise InputError(
            f"got images of shape {tuple(x.shape)}, expected (batch, {expected}): reshape them, or build a network of their size"
        )
    if not x.is_floating_point():
        raise InputError(
            f"got images of dtype {x.dtype}, expected floats in [0, 1]: use ImageDataset.grey() or ImageDataset.binarised()"
        )
    if x.device.type == "cpu" and x.numel():
        low, high = (float(end) for end in x.detach().aminmax())
        if math.isnan(low):
            raise DivergedError(
                "got images whose values are NaN, expected [0, 1]: the network that made them has diverged"
            )
        if not 0 <= low <= high <= 1:
            raise InputError(f"got images with values from {low:g} to {high:g}, expected [0, 1]: divide bytes by 255")
