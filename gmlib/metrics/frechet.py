"""FID and KID: two distances between samples and real images, computed from the features of a network."""

import torch
from torch import Generator, Tensor

from gmlib.metrics.features import Extractor, ReferenceFeatures, References, comparable, extract, require_count
from gmlib.shapes import Features, Image, require_whole


def fid(samples: Image, reference: References, extractor: Extractor | None = None) -> float:
    """Return the `frechet_distance` between the features of samples and of real images.

    The usual FID takes the features of Inception, a network that was trained on photographs; this one takes those of a digit
    classifier. Two values can be compared only if the features and the numbers of images are the same: fewer images give a
    larger value.

    Args:
        samples: `(b, 1, 28, 28)` in [0, 1].
        reference: real images, `(r, 1, 28, 28)` in [0, 1].
        extractor: maps images to vectors, `(b, f)`; both sets need more than f images. None takes the shipped classifier's.

    Returns:
        Squared units of the features; above 0 even for real images.
    """
    return frechet_distance(extract(samples, extractor), extract(reference, extractor))


def kid(samples: Image, reference: References, extractor: Extractor | None = None) -> float:
    """Return the `kernel_distance` between the features of samples and of real images, by default the shipped classifier's."""
    return kernel_distance(extract(samples, extractor), extract(reference, extractor))


def frechet_distance(samples: Features, reference: ReferenceFeatures) -> float:
    r"""Return the squared Fréchet distance between two Gaussians, fitted to samples and to real images.

    $$d^2 = \|\mu_s - \mu_r\|^2 + \mathrm{tr}\big(\Sigma_s + \Sigma_r - 2 (\Sigma_s \Sigma_r)^{1/2}\big)$$

    It depends on means and covariances only: two distributions that differ otherwise may be at distance 0.

    Args:
        samples: features of the samples, `(b, f)`.
        reference: features of real images, `(r, f)`.

    Returns:
        d², in squared units of the features; rounding may leave a small negative number if the sets are the same.

    Raises:
        InputError: if a set has no more images than features, or the sets cannot be compared.

    Source: Heusel et al. 2017, equation 6.
    """
    samples, reference = comparable(samples, reference)
    width = samples.shape[1]
    advice = f"the covariance of {width} features is singular with fewer, so draw more images or take fewer features"
    require_count(width + 1, advice, samples=samples, reference=reference)
    means = (samples.mean(0) - reference.mean(0)).square().sum()
    cov_s, cov_r = samples.T.cov(), reference.T.cov()
    # the trace of the square root is the sum of the roots of the eigenvalues, which are real and >= 0 but for rounding
    root = torch.linalg.eigvals(cov_s @ cov_r).real.clamp(min=0).sqrt().sum()
    return float(means + cov_s.trace() + cov_r.trace() - 2 * root)


def kernel_distance(
    samples: Features, reference: ReferenceFeatures, subsets: int = 100, subset_size: int = 1000
) -> float:
    r"""Return the squared maximum mean discrepancy with a cubic kernel, estimated without bias.

    $$\frac{1}{m(m-1)} \sum_{i \ne j} \big[k(s_i, s_j) + k(r_i, r_j)\big] - \frac{2}{m^2} \sum_{i,j} k(s_i, r_j), \qquad k(x, y) = \big(x^\top y / f + 1\big)^3$$

    The kernel matrix of all images would not fit into memory, so the estimate is averaged over random subsets of m images
    from each set, where m is subset_size or the size of the smaller set. If both sets have m images, there is one subset.
    The subsets are drawn with a fixed seed: the same features give the same number.

    Args:
        samples: features of the samples, `(b, f)`.
        reference: features of real images, `(r, f)`.
        subsets: number of subsets to average over.
        subset_size: m, the number of images from each set.

    Returns:
        The mean over subsets. It may be negative, since its expectation is 0 if both sets come from one distribution.

    Raises:
        InputError: if a set or a subset has fewer than two images, there are no subsets, or the sets cannot be compared.

    Source: Bińkowski et al. 2018, section 4.
    """
    samples, reference = comparable(samples, reference)
    require_count(2, "the estimate is made of pairs, so draw more images", samples=samples, reference=reference)
    require_whole(1, subsets=subsets)
    require_whole(2, subset_size=subset_size)
    m = min(subset_size, len(samples), len(reference))
    if m == len(samples) == len(reference):
        subsets = 1
    rng = Generator().manual_seed(0)
    total = 0.0
    for _ in range(subsets):
        r = reference[torch.randperm(len(reference), generator=rng)[:m]]
        s = samples[torch.randperm(len(samples), generator=rng)[:m]]
        ss, rr, sr = _cubic_kernel(s, s), _cubic_kernel(r, r), _cubic_kernel(s, r)
        within = (ss.sum() - ss.trace() + rr.sum() - rr.trace()) / (m * (m - 1))
        total += float(within - 2 * sr.mean())
    return total / subsets


def _cubic_kernel(x: Tensor, y: Tensor) -> Tensor:
    """Return k(x_i, y_j) for all pairs of rows."""
    return (x @ y.T / x.shape[1] + 1) ** 3
