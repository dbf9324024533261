"""Shapes as types, which are checked under pytest only; and checks of arguments, which are always made."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from gmlib.errors import DivergedError, InputError

Image = Float[Tensor, "b c h w"]  # values in [0, 1]
Latent = Float[Tensor, "b d"]  # z, or the mean or log-variance of q(z|x)
Features = Float[Tensor, "b f"]  # a hidden layer
Labels = Int64[Tensor, "b"]  # class numbers from 0
PerImage = Float[Tensor, "b"]  # one number per image, in nats where it is a log-probability
LogWeights = Float[Tensor, "k b"]  # log-weights of k draws of z per image, in nats
Bytes = UInt8[Tensor, "n 1 28 28"]  # grey images as stored: 0 to 255
Watch = Callable[[Iterable[Any]], Iterable[Any]]  # wraps a loop's iterable to display progress, as tqdm does


def whole(value: Any) -> int | None:
    """Return a whole number of Python, numpy or torch as an int; None for other values, such as a bool or a float."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray | Tensor) and value.ndim == 0):
        value = value.item()
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def require_whole(least: int, **counts: int) -> None:
    """Raise InputError if a count is not a whole number, or is smaller than `least`; the keyword is its name."""
    for name, count in counts.items():
        number = whole(count)
        if number is None or number < least:
            raise InputError(f"got {name} {count!r}, expected a whole number of at least {least}: choose another")


def require_shape(axes: str, **tensors: Tensor) -> None:
    """Raise InputError if shapes differ, which would broadcast, or do not have these axes, such as "b" or "b c h w"."""
    shapes = [tuple(tensor.shape) for tensor in tensors.values()]
    names = axes.split()
    if len(set(shapes)) > 1 or len(shapes[0]) != len(names):
        given = " and ".join(f"{name} of shape {shape}" for name, shape in zip(tensors, shapes, strict=True))
        raise InputError(f"got {given}, expected one shape with the axes ({', '.join(names)}): reshape them first")


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
    """Raise InputError if x is not a batch of float images in [0, 1] of this size `(c, h, w)`; None allows any number.

    The values are checked on the CPU only, since on a GPU the check would wait for all operations in its queue.
    """
    if x.ndim != 4 or any(length not in (None, found) for length, found in zip(size, x.shape[1:], strict=True)):
        expected = ", ".join(name if length is None else str(length) for name, length in zip("chw", size, strict=True))
        raise InputError(
            f"got images of shape {tuple(x.shape)}, expected (batch, {expected}): reshape them, or build a network of their size"
        )
    if not x.is_floating_point():
        raise InputError(
            f"got images of dtype {x.dtype}, expected floats in [0, 1]: use ImageDataset.grey() or ImageDataset.binarised()"
        )
    if x.device.type == "cpu" and x.numel():
        low, high = (value.item() for value in x.detach().aminmax())
        if math.isnan(low):
            raise DivergedError(
                "got images with NaN, expected values in [0, 1]: the network that made them has diverged"
            )
        if low < 0 or high > 1:
            raise InputError(f"got images with values from {low:g} to {high:g}, expected [0, 1]: divide bytes by 255")
