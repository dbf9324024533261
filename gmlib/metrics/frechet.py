"""How far samples are from real images as a whole: two distances between clouds of features."""

import warnings

from torch import Generator, Tensor, nn

from gmlib.errors import InputError
from gmlib.isolated import Isolated
from gmlib.metrics.features import Extractor, ReferenceFeatures, References, comparable, extract, require_count
from gmlib.numbers import whole
from gmlib.shapes import Features, Image


class _Identity(nn.Module):
    """What torchmetrics takes for its network: it is given features, and gives them back."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        """Give the features back."""
        return features


def fid(samples: Image, reference: References, features: Extractor | None = None) -> float:
    """Fréchet distance between samples and real images, in the features of a network: see `frechet_distance`.

    It is FID with these features in place of Inception's, which know photographs and no digits. So its values
    compare only with others in the same features, and from as many images: fewer images make it larger.

    Args:
        samples: `(b, 1, 28, 28)` in [0, 1].
        reference: real images, `(r, 1, 28, 28)` in [0, 1].
        features: maps images to vectors, `(b, f)`; both sets need more than f images. None takes the shipped
            classifier's.

    Returns:
        Squared units of the features; the floor for real images is not 0, and has to be measured.
    """
    return frechet_distance(extract(samples, features), extract(reference, features))


def kid(samples: Image, reference: References, features: Extractor | None = None) -> float:
    """Kernel distance between samples and real images, in the features of a network: see `kernel_distance`.

    Unlike FID it is unbiased: its expectation does not depend on the number of images.

    Args:
        samples: `(b, 1, 28, 28)` in [0, 1].
        reference: real images, `(r, 1, 28, 28)` in [0, 1].
        features: maps images to vectors, `(b, f)`; None takes the shipped classifier's.

    Returns:
        0 in expectation if both come from one distribution, so that single values may be below.
    """
    return kernel_distance(extract(samples, features), extract(reference, features))


def frechet_distance(samples: Features, reference: ReferenceFeatures) -> float:
    r"""Squared Fréchet distance between the two Gaussians that have the means and covariances of two sets.

    $$d^2 = \|\mu_s - \mu_r\|^2 + \mathrm{tr}\big(\Sigma_s + \Sigma_r - 2 (\Sigma_s \Sigma_r)^{1/2}\big)$$

    It sees two moments and nothing else: sets of quite other shape may be at distance 0.

    Args:
        samples: features of the samples, `(b, f)`.
        reference: features of real images, `(r, f)`.

    Returns:
        d², in squared units of the features; rounding may leave a trace below 0 where the sets are the same.

    Raises:
        InputError: if a set has no more images than features, or they cannot be compared.

    Source: Heusel et al. 2017, equation 6; computed by torchmetrics, in float64.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance  # takes seconds to import

    samples, reference = comparable(samples, reference)
    width = samples.shape[1]
    advice = f"the covariance of {width} features is singular with fewer, so draw more images or take fewer features"
    require_count(width + 1, advice, samples=samples, reference=reference)
    # without synchronisation: one process measures, even where several train
    metric = FrechetInceptionDistance(_Identity(width), sync_on_compute=False).to(samples.device)
    metric.update(reference, real=True)
    metric.update(samples, real=False)
    return float(metric.compute())


def kernel_distance(
    samples: Features, reference: ReferenceFeatures, subsets: int = 100, subset_size: int = 1000
) -> float:
    r"""Squared maximum mean discrepancy with a cubic kernel, estimated without bias.

    $$\frac{1}{m(m-1)} \sum_{i \ne j} \big[k(s_i, s_j) + k(r_i, r_j)\big] - \frac{2}{m^2} \sum_{i,j} k(s_i, r_j), \qquad k(x, y) = \big(x^\top y / f + 1\big)^3$$

    A kernel matrix of all images would not fit: the mean is taken over random subsets of m images from each set,
    m = subset_size or all of the smaller set. If m is all of both, there is one subset only. The subsets are drawn
    with a seed of their own: the same features give the same number, and no other draw moves.

    Args:
        samples: features of the samples, `(b, f)`.
        reference: features of real images, `(r, f)`.
        subsets: how many to average over.
        subset_size: m, images from each set.

    Returns:
        The mean over subsets; it may be below 0.

    Raises:
        InputError: if a set or a subset has fewer than two images, there are no subsets, or the sets cannot be compared.

    Source: Bińkowski et al. 2018, section 4; computed by torchmetrics, in float64.
    """
    from torchmetrics.image.kid import KernelInceptionDistance  # takes seconds to import

    samples, reference = comparable(samples, reference)
    require_count(2, "the estimate is made of pairs, so draw more images", samples=samples, reference=reference)
    if (whole(subsets) or 0) < 1 or (whole(subset_size) or 0) < 2:
        raise InputError(f"got {subsets} subsets of {subset_size} images, expected at least 1 of 2: choose more")
    subsets, subset_size = int(subsets), int(subset_size)
    size = min(subset_size, len(samples), len(reference))
    if size == len(samples) == len(reference):
        subsets = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it keeps all features: they are there anyway
        metric = KernelInceptionDistance(
            _Identity(samples.shape[1]), subsets=subsets, subset_size=size, sync_on_compute=False
        )
    metric.update(reference, real=True)
    metric.update(samples, real=False)
    with Isolated(Generator().manual_seed(0)):  # subsets are drawn on the CPU
        mean, _ = metric.compute()
    return float(mean)
