"""Features of images, computed by a network: what FID and the other distances compare."""

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
References = Float[Tensor, "r c h w"]  # real images; their number r may differ from the number b of samples
ReferenceFeatures = Float[Tensor, "r f"]  # features of the real images
IMAGES_PER_CALL = 500  # of an extractor, so that its hidden layers fit into memory


@torch.no_grad()
def extract(images: Image, extractor: Extractor | None = None) -> Features:
    """Return the features of images, computed in batches.

    Args:
        images: `(b, 1, 28, 28)` with values in [0, 1]; they are converted to the dtype of the network's weights.
        extractor: maps images to vectors, `(b, f)`: a network, which is in eval mode meanwhile, a method of one, or any
            function, on the device of the images. None takes the last hidden layer of the shipped classifier, f = 128.

    Returns:
        `(b, f)`, on the device of the images.

    Raises:
        InputError: if there are no images, their dtype, shape or range is another, or the features are not one vector per
            image.
    """
    if extractor is None:
        extractor = shipped_classifier().features
    require_image(images.cpu(), (1, 28, 28))  # the range is checked on the CPU only
    require_whole(1, images=len(images))
    network: Any = getattr(extractor, "__self__", extractor)  # the network that a method belongs to
    if isinstance(network, nn.Module) and (weight := next(network.parameters(), None)) is not None:
        images = images.to(weight.dtype)
    with eval_mode(network) if isinstance(network, nn.Module) else nullcontext():
        vectors = torch.cat([extractor(batch) for batch in images.split(IMAGES_PER_CALL)])
    if vectors.ndim != 2 or len(vectors) != len(images) or not vectors.is_floating_point():
        raise InputError(
            f"got features of shape {tuple(vectors.shape)} and {vectors.dtype} for {len(images)} images, "
            f"expected floats of shape ({len(images)}, width): flatten the output of the extractor"
        )
    return vectors


def comparable(samples: Features, reference: ReferenceFeatures) -> tuple[Features, ReferenceFeatures]:
    """Return two sets of features in float64; raise InputError if they cannot be compared."""
    if samples.ndim != 2 or reference.ndim != 2 or samples.shape[1] != reference.shape[1]:
        raise InputError(
            f"got features of shapes {tuple(samples.shape)} and {tuple(reference.shape)}, expected (n, width) twice "
            "with one width: take both from the same extractor"
        )
    require_count(1, "draw some", samples=samples, reference=reference)
    for name, features in (("samples", samples), ("reference", reference)):
        bad = int((~features.isfinite()).any(1).sum())
        if bad:
            raise InputError(
                f"got features that are NaN or infinite for {bad} of {len(features)} images ({name}), "
                "expected finite numbers: check whether the generator or the extractor diverged"
            )
    # in float32, rounding would change distances of near points and products of covariances
    device = "cpu" if samples.device.type == "mps" else samples.device  # mps has no float64
    return samples.to(device, torch.float64), reference.to(device, torch.float64)


def require_count(least: int, advice: str, **sets: Tensor) -> None:
    """Raise InputError if a set of this name has fewer images than a metric needs."""
    for name, features in sets.items():
        if len(features) < least:
            raise InputError(f"got {len(features)} images ({name}), expected at least {least}: {advice}")
