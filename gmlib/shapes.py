"""Shapes as types. They cost nothing at run time; under pytest every call is checked against them."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from gmlib.errors import DivergedError, InputError

Image = Float[Tensor, "b c h w"]  # values in [0, 1]
Latent = Float[Tensor, "b d"]  # z, or the mean or log-variance of q(z|x)
Features = Float[Tensor, "b f"]  # a hidden layer
Labels = Int64[Tensor, "b"]  # digits 0 to 9
PerImage = Float[Tensor, "b"]  # one number an image, in nats where it is a log-probability
LogWeights = Float[Tensor, "k b"]  # k importance weights an image, in nats
Bytes = UInt8[Tensor, "n 1 28 28"]  # grey digits as stored: 0 to 255
Watch = Callable[[Iterable[Any]], Iterable[Any]]  # passes on what it is given, and may show how far it has come


def require_latent_dim(latent_dim: int) -> None:
    """Refuse a size of z that no encoder or decoder can have.

    Args:
        latent_dim: how many numbers z has.

    Raises:
        InputError: if that is below 1.
    """
    if latent_dim < 1:
        raise InputError(f"got latent_dim {latent_dim}, expected 1 or more: z needs a number to vary")


def require_latent(z: Tensor, latent_dim: int) -> None:
    """Refuse latents of another model.

    Args:
        z: what should be latents, `(b, latent_dim)`.
        latent_dim: how many numbers z has.

    Raises:
        InputError: if the shape is another.
    """
    if z.ndim != 2 or z.shape[1] != latent_dim:
        raise InputError(
            f"got latents of shape {tuple(z.shape)}, expected (batch, {latent_dim}): take those of the same model"
        )


def require_image(x: Tensor, size: tuple[int, int, int]) -> None:
    """Refuse what is not a batch of float images of one size.

    Args:
        x: what should be images, `(b, c, h, w)` with values in [0, 1].
        size: the only `(c, h, w)` that is taken.

    Raises:
        DivergedError: if values are no numbers, as those of a network that has diverged.
        InputError: if the shape, the dtype or the range is another. The range is looked at on the CPU only:
            elsewhere the device would have to be waited for.
    """
    if x.ndim != 4 or tuple(x.shape[1:]) != size:
        expected = ", ".join(map(str, size))
        raise InputError(
            f"got images of shape {tuple(x.shape)}, expected (batch, {expected}): reshape them, or build a network of their size"
        )
    if not x.is_floating_point():
        raise InputError(
            f"got images of dtype {x.dtype}, expected floats in [0, 1]: use Digits.grey() or Digits.binarised()"
        )
    if x.device.type == "cpu" and x.numel():
        low, high = (float(end) for end in x.detach().aminmax())
        if math.isnan(low):
            raise DivergedError(
                "got images whose values are nan, expected [0, 1]: what made them has left the finite numbers"
            )
        if not 0 <= low <= high <= 1:
            raise InputError(f"got images with values from {low:g} to {high:g}, expected [0, 1]: divide bytes by 255")
