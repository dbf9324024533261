"""From images to features: one pass of a network, which all measures of samples can share."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gmlib.errors import InputError
from gmlib.metrics.classifier import shipped_classifier
from gmlib.mode import eval_mode
from gmlib.numbers import count_of
from gmlib.shapes import Features, Image, require_image

Extractor = Callable[[Tensor], Tensor]  # images (b, 1, 28, 28) to features (b, f)
References = Float[Tensor, "r c h w"]  # as Image: real images, of another number
ReferenceFeatures = Float[Tensor, "r f"]  # as Features: of the real images


@torch.no_grad()
def extract(images: Image, features: Extractor | None = None, chunk: int = 500) -> Features:
    """Give the features of images, a chunk at a time.

    A network, or the network that a method belongs to, is put into eval mode for it, and back: dropout would make
    features of chance.

    Args:
        images: `(b, 1, 28, 28)` with values in [0, 1]; a network takes them in the dtype of its weights.
        features: maps images to vectors, `(b, f)`: a network or any function, on the device of the images. None takes
            the shipped classifier's, as everywhere below: the 128 numbers before its last layer.
        chunk: images at a time.

    Returns:
        `(b, f)`, on the device of the images.

    Raises:
        InputError: if there are no images, their type, shape or range is another, the chunk is below 1, or what comes out is
            not one vector per image.
    """
    require_tensors(images=images)
    if features is None:
        features = shipped_classifier().features
    require_image(images.cpu(), (1, 28, 28))  # that looks at the range on the CPU only
    if not len(images):
        raise InputError("got no images, expected at least one: draw some")
    chunk = count_of("chunk", chunk)
    network: Any = getattr(features, "__self__", features)
    if isinstance(network, nn.Module) and (weight := next(network.parameters(), None)) is not None:
        images = images.to(weight.dtype)
    with eval_mode(network) if isinstance(network, nn.Module) else nullcontext():
        parts = [features(part) for part in images.split(chunk)]
    for part, found in zip(images.split(chunk), parts, strict=True):
        if found.ndim != 2 or len(found) != len(part) or not found.is_floating_point():
            raise InputError(
                f"got features of shape {tuple(found.shape)} and {found.dtype} for {len(part)} images, "
                f"expected floats of shape ({len(part)}, width): flatten what the extractor gives"
            )
    return torch.cat(parts)


def require_tensors(**given: Any) -> None:
    """Refuse lists and arrays.

    Args:
        **given: by the names of their arguments.

    Raises:
        InputError: if one of them is no tensor.
    """
    for name, value in given.items():
        if not isinstance(value, Tensor):
            raise InputError(
                f"got {name} as a {type(value).__name__}, expected a tensor: use torch.as_tensor for an array, torch.stack for a list, "
                "and grey() or labels of ImageDataset"
            )


def comparable(samples: Features, reference: ReferenceFeatures) -> tuple[Features, ReferenceFeatures]:
    """Refuse two sets of features that cannot be compared, and give both in float64.

    Distances of near points and products of covariances lose too much in float32. A device without float64 (MPS)
    hands its features to the CPU.

    Args:
        samples: features of the samples, `(b, f)`.
        reference: features of real images, `(r, f)`.

    Returns:
        The same two, in float64.

    Raises:
        InputError: if they are no tensors `(n, width)` of the same width, one is empty, or a number in them is not finite.
    """
    require_tensors(samples=samples, reference=reference)
    if samples.ndim != 2 or reference.ndim != 2 or samples.shape[1] != reference.shape[1]:
        raise InputError(
            f"got features of shapes {tuple(samples.shape)} and {tuple(reference.shape)}, expected (n, width) twice "
            "with one width: take both from the same extractor"
        )
    require_count(1, "draw some", samples=samples, reference=reference)
    for name, given in (("samples", samples), ("reference", reference)):
        if not given.isfinite().all():
            bad = int((~given.isfinite()).any(1).sum())
            raise InputError(
                f"got features that are NaN or infinite for {bad} of {len(given)} images ({name}), "
                "expected finite numbers: look for what diverged, the generator or the extractor"
            )
    device = "cpu" if samples.device.type == "mps" else samples.device
    return samples.to(device, torch.float64), reference.to(device, torch.float64)


def require_count(least: int, advice: str, **sets: Tensor) -> None:
    """Refuse sets that have fewer images than a measure needs.

    Args:
        least: how many it needs.
        advice: why, and what to do.
        **sets: features, `(n, f)`, by the name to call them.

    Raises:
        InputError: if one of them has fewer.
    """
    for name, given in sets.items():
        if len(given) < least:
            raise InputError(f"got {len(given)} images ({name}), expected at least {least}: {advice}")
