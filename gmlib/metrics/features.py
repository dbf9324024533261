"""From images to features: one pass of a network, which all metrics of samples share."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gmlib.errors import InputError
from gmlib.metrics.classifier import shipped_classifier
from gmlib.mode import eval_mode
from gmlib.shapes import Features, Image, require_image, require_whole

Extractor = Callable[[Tensor], Tensor]  # images (b, 1, 28, 28) to features (b, f)
References = Float[Tensor, "r c h w"]  # as Image: real images, of another number
ReferenceFeatures = Float[Tensor, "r f"]  # as Features: of the real images


@torch.no_grad()
def extract(images: Image, features: Extractor | None = None, chunk: int = 500) -> Features:
    """Return the features of images, computed in batches.

    A network, or the network that a method belongs to, is in eval mode meanwhile.

    Args:
        images: `(b, 1, 28, 28)` with values in [0, 1]; a network takes them in the dtype of its weights.
        features: maps images to vectors, `(b, f)`: a network or any function, on the device of the images. None takes
            the 128 numbers before the last layer of the shipped classifier.
        chunk: images per batch.

    Returns:
        `(b, f)`, on the device of the images.

    Raises:
        InputError: if there are no images, their dtype, shape or range is another, the chunk is below 1, or the features
            are not one vector per image.
    """
    if features is None:
        features = shipped_classifier().features
    require_image(images.cpu(), (1, 28, 28))  # the range is checked on the CPU only
    require_whole(1, images=len(images), chunk=chunk)
    network: Any = getattr(features, "__self__", features)
    if isinstance(network, nn.Module) and (weight := next(network.parameters(), None)) is not None:
        images = images.to(weight.dtype)
    with eval_mode(network) if isinstance(network, nn.Module) else nullcontext():
        found = torch.cat([features(part) for part in images.split(chunk)])
    if found.ndim != 2 or len(found) != len(images) or not found.is_floating_point():
        raise InputError(
            f"got features of shape {tuple(found.shape)} and {found.dtype} for {len(images)} images, "
            f"expected floats of shape ({len(images)}, width): flatten the output of the extractor"
        )
    return found


def comparable(samples: Features, reference: ReferenceFeatures) -> tuple[Features, ReferenceFeatures]:
    """Return two sets of features in float64, on the CPU if the device has none, and refuse sets that cannot be compared."""
    if samples.ndim != 2 or reference.ndim != 2 or samples.shape[1] != reference.shape[1]:
        raise InputError(
            f"got features of shapes {tuple(samples.shape)} and {tuple(reference.shape)}, expected (n, width) twice "
            "with one width: take both from the same extractor"
        )
    require_count(1, "draw some", samples=samples, reference=reference)
    for name, given in (("samples", samples), ("reference", reference)):
        bad = int((~given.isfinite()).any(1).sum())
        if bad:
            raise InputError(
                f"got features that are NaN or infinite for {bad} of {len(given)} images ({name}), "
                "expected finite numbers: check whether the generator or the extractor diverged"
            )
    # distances of near points and products of covariances lose too much in float32
    device = "cpu" if samples.device.type == "mps" else samples.device
    return samples.to(device, torch.float64), reference.to(device, torch.float64)


def require_count(least: int, advice: str, **sets: Tensor) -> None:
    """Refuse sets that have fewer images than a metric needs."""
    for name, given in sets.items():
        if len(given) < least:
            raise InputError(f"got {len(given)} images ({name}), expected at least {least}: {advice}")
