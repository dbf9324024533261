"""Precision, recall, density and coverage: quality and variety of samples, measured by nearest neighbours."""

from collections.abc import Iterator

import torch
from torch import Tensor

from gmlib.metrics.features import Extractor, ReferenceFeatures, References, comparable, extract, require_count
from gmlib.shapes import Features, Image, require_whole

ROWS_PER_BLOCK = 250  # of the distance matrix: all of 10,000 × 10,000 distances would be 800 MB


def precision_recall(
    samples: Image, reference: References, extractor: Extractor | None = None, k: int = 3
) -> tuple[float, float]:
    """Return the precision and recall of samples: the `manifold_overlap` of their features with those of real images."""
    return manifold_overlap(extract(samples, extractor), extract(reference, extractor), k)


def manifold_overlap(samples: Features, reference: ReferenceFeatures, k: int = 3) -> tuple[float, float]:
    r"""Return precision and recall: the share of each set that lies in balls around the points of the other set.

    $$\mathrm{precision} = \frac1b \sum_j \mathbb{1}\Big[s_j \in \bigcup_i B(r_i)\Big], \qquad \mathrm{recall} = \frac1r \sum_i \mathbb{1}\Big[r_i \in \bigcup_j B(s_j)\Big]$$

    B(x) is the closed ball around x whose radius is the distance to the k-th nearest other point of the set of x.

    Args:
        samples: features of the samples, s, `(b, f)`.
        reference: features of real images, r, `(r, f)`.
        k: the radius of a ball is the distance to the k-th nearest neighbour.

    Returns:
        Precision and recall, each from 0 to 1.

    Raises:
        InputError: if a set has no more than k images, or the sets cannot be compared.

    Source: Kynkäänniemi et al. 2019, section 2, equations 1 and 2.
    """
    samples, reference = _centred(samples, reference)
    real_radii, sample_radii = _squared_radii(reference, k, "reference"), _squared_radii(samples, k, "samples")
    # whether each sample is in the ball of a real image, and the number of real images in the ball of a sample
    precise, recalled = torch.zeros(len(samples), dtype=torch.bool, device=samples.device), 0
    for rows, squared in _squared_distances(reference, samples):
        precise |= (squared <= real_radii[rows, None]).any(0)
        recalled += int((squared <= sample_radii).any(1).sum())
    return int(precise.sum()) / len(samples), recalled / len(reference)


def density_coverage(samples: Features, reference: ReferenceFeatures, k: int = 5) -> tuple[float, float]:
    r"""Return density and coverage, which count samples in balls around real images.

    Unlike recall they use no balls around samples, so an outlier among the samples changes them little.

    $$\mathrm{density} = \frac{1}{kb} \sum_j \sum_i \mathbb{1}[s_j \in B(r_i)], \qquad \mathrm{coverage} = \frac1r \sum_i \mathbb{1}[\exists j: s_j \in B(r_i)]$$

    If both sets come from one distribution, density is 1 in expectation, and coverage $1 - \prod_{i=1}^{k} \frac{r-i}{b+r-i}$:
    0.97 for k = 5 and equal numbers of samples and real images. Coverage falls with fewer samples.

    Args:
        samples: features of the samples, s, `(b, f)`.
        reference: features of real images, r, `(r, f)`.
        k: the radius of the closed ball B is the distance to the k-th nearest neighbour.

    Returns:
        Density, at least 0, and coverage, from 0 to 1.

    Raises:
        InputError: if there are no more than k real images, or the sets cannot be compared.

    Source: Naeem et al. 2020, section 3. Their code excludes the boundary of a ball, which matters for ties only.
    """
    samples, reference = _centred(samples, reference)
    radii = _squared_radii(reference, k, "reference")
    pairs = covered = 0  # samples in balls, and balls that contain a sample
    for rows, squared in _squared_distances(reference, samples):
        inside = squared <= radii[rows, None]
        pairs += int(inside.count_nonzero())
        covered += int(inside.any(1).sum())
    return pairs / (k * len(samples)), covered / len(reference)


def _centred(samples: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Return both sets minus the mean of the real images, since the rounding of distances grows with the norms of the points."""
    samples, reference = comparable(samples, reference)
    centre = reference.mean(0)
    return samples - centre, reference - centre


def _squared_distances(x: Tensor, y: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield ‖x_i - y_j‖² = ‖x_i‖² - 2 x_i·y_j + ‖y_j‖² for a block of rows i and all j, then for the next block."""
    norms_x, norms_y = (x**2).sum(1), (y**2).sum(1)
    for start in range(0, len(x), ROWS_PER_BLOCK):
        rows = slice(start, start + ROWS_PER_BLOCK)
        yield rows, torch.addmm(norms_y, x[rows], y.T, alpha=-2).add_(norms_x[rows, None])


def _squared_radii(points: Tensor, k: int, name: str) -> Tensor:
    """Return each point's squared distance to its k-th nearest other point, enlarged by the rounding error of a distance."""
    require_whole(1, k=k)
    require_count(k + 1, f"each needs {k} neighbours, so draw more or lower k", **{name: points})
    radii = []
    for rows, squared in _squared_distances(points, points):
        squared.diagonal(rows.start).fill_(torch.inf)  # a point is not its own neighbour, but a copy of it is
        radii.append(squared.topk(k, largest=False).values[:, -1])
    nearest = torch.cat(radii)
    return nearest + 1e-13 * (nearest + (points**2).sum(1))
