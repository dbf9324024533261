"""Shapes as types, checked under pytest only; and what public functions require of their arguments, checked always."""

import math
from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from gmlib.errors import DivergedError, InputError
from gmlib.numbers import count_of

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
    if not isinstance(latent_dim, Integral) or latent_dim < 1:
        raise InputError(f"got latent_dim {latent_dim}, expected 1 or more: z needs a number to vary")


def require_whole(least: int, **counts: int) -> None:
    """Refuse a count that is not a whole number, or too small.

    Args:
        least: the smallest count that makes sense.
        **counts: by the names of their arguments.

    Raises:
        InputError: if one of them is below, or no whole number.
    """
    for name, count in counts.items():
        count_of(name, count, least)


def require_alike(axes: str, **given: Tensor) -> None:
    """Refuse tensors of different shapes: they would broadcast, and a sum would get other terms.

    Args:
        axes: names of the axes, such as "b" for one number per image or "b c h w" for images.
        **given: tensors, by the names of their arguments.

    Raises:
        InputError: if the shapes differ, or have another number of axes.
    """
    for name, tensor in given.items():
        _require_tensor(tensor, name)
    shapes = [tuple(tensor.shape) for tensor in given.values()]
    names = axes.split()
    if len(set(shapes)) > 1 or len(shapes[0]) != len(names):
        found = " and ".join(f"{name} of shape {shape}" for name, shape in zip(given, shapes, strict=True))
        expected = f"({', '.join(names)}{',' * (len(names) == 1)})"
        each = {1: "", 2: " for both"}.get(len(given), " for each")
        what = ", one number per image: squeeze or flatten the other axes" if axes == "b" else ": reshape first"
        raise InputError(f"got {found}, expected the shape {expected}{each}{what}")


def require_attributes(network: nn.Module, *names: str) -> None:
    """Refuse a network of the caller's own that lacks what gmlib asks of it.

    Args:
        network: any.
        *names: attributes that are read, such as "num_classes".

    Raises:
        InputError: if one is missing.
    """
    for name in names:
        if not hasattr(network, name):
            raise InputError(
                f"got a {type(network).__name__} without {name}, expected that attribute: "
                f"set self.{name} where the network is built"
            )


def require_gradients() -> None:
    """Refuse to differentiate or to train where torch records no gradients.

    Raises:
        InputError: within `torch.no_grad()` or `torch.inference_mode()`.
    """
    if not torch.is_grad_enabled():
        raise InputError(
            "got a call within torch.no_grad() or torch.inference_mode(), expected one with gradients: "
            "call it outside of that block"
        )


def require_ready(batch: Tensor, network: nn.Module, what: str) -> None:
    """Refuse a batch that a network cannot compute with, where torch would stop with an error of its own.

    Args:
        batch: of floats.
        network: what takes it.
        what: the field's word for the batch, such as "images".

    Raises:
        InputError: if the batch and the weights differ in device or dtype (under autocast any dtype is taken), or batch norm
            is to learn from a batch of one.
    """
    weight = next(network.parameters(), None)
    if weight is not None and batch.device != weight.device:
        raise InputError(
            f"got {what} on {batch.device} for a network on {weight.device}, expected one device: "
            f"move one of them with .to()"
        )
    if weight is not None and batch.dtype != weight.dtype and not torch.is_autocast_enabled(batch.device.type):
        raise InputError(
            f"got {what} of {batch.dtype} for a network of {weight.dtype}, expected one dtype: "
            f"convert them with .to({weight.dtype})"
        )
    if len(batch) == 1 and any(module.training for module in network.modules() if isinstance(module, nn.BatchNorm1d)):
        raise InputError(
            "got a batch of one for batch norm in train mode, expected at least two: "
            "call eval() on the network, or give more"
        )


def require_latent(z: Tensor, latent_dim: int, network: nn.Module) -> None:
    """Refuse latents of another model.

    Args:
        z: what should be latents, `(b, latent_dim)`.
        latent_dim: how many numbers z has.
        network: what takes them.

    Raises:
        InputError: if the shape, the device or the dtype is another, or as for `require_ready`.
    """
    if z.ndim != 2 or z.shape[1] != latent_dim:
        raise InputError(
            f"got latents of shape {tuple(z.shape)}, expected (batch, {latent_dim}): take those of the same model"
        )
    require_ready(z, network, "latents")


def require_image(
    x: Tensor, size: tuple[int | None, int | None, int | None] = (None, None, None), network: nn.Module | None = None
) -> None:
    """Refuse what is not a batch of float images of one size.

    Args:
        x: what should be images, `(b, c, h, w)` with values in [0, 1].
        size: the only `(c, h, w)` that is taken; None stands for any number.
        network: what takes them, if they go to a network.

    Raises:
        DivergedError: if values are no numbers, as those of a network that has diverged.
        InputError: if the shape, the dtype or the range is another, or as for `require_ready`. The range is looked at on
            the CPU only: elsewhere the device would have to be waited for.
    """
    _require_tensor(x, "images")
    if x.ndim != 4 or any(one not in (None, other) for one, other in zip(size, x.shape[1:], strict=True)):
        expected = ", ".join(name if one is None else str(one) for name, one in zip("chw", size, strict=True))
        raise InputError(
            f"got images of shape {tuple(x.shape)}, expected (batch, {expected}): reshape them, or build a network of their size"
        )
    if not x.is_floating_point():
        raise InputError(
            f"got images of dtype {x.dtype}, expected floats in [0, 1]: use ImageDataset.grey() or ImageDataset.binarised()"
        )
    if network is not None:
        require_ready(x, network, "images")
    if x.device.type == "cpu" and x.numel():
        low, high = (float(end) for end in x.detach().aminmax())
        if math.isnan(low):
            raise DivergedError(
                "got images whose values are nan, expected [0, 1]: what made them has left the finite numbers"
            )
        if not 0 <= low <= high <= 1:
            raise InputError(f"got images with values from {low:g} to {high:g}, expected [0, 1]: divide bytes by 255")


def _require_tensor(given: Any, what: str) -> None:
    """Refuse lists, numbers and arrays."""
    if not isinstance(given, Tensor):
        raise InputError(f"got {what} of type {type(given).__name__}, expected a tensor: use torch.as_tensor")
