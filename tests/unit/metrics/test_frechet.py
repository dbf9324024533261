"""FID and KID against closed forms, direct sums and torchmetrics."""

import math

import pytest
import torch
from torch import Generator, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from gmlib import mnist
from gmlib.metrics.frechet import fid, frechet_distance, kernel_distance, kid


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def exactly(mean: list[float], covariance: list[list[float]], n: int = 40, seed: int = 0) -> torch.Tensor:
    """Points whose own mean and covariance are these, to rounding."""
    z = randn(n, len(mean), seed=seed)
    z = z - z.mean(0)
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(z.T.cov()), z.T, upper=False)
    to = torch.linalg.cholesky(torch.tensor(covariance, dtype=torch.float64))
    return (to @ white).T + torch.tensor(mean, dtype=torch.float64)


def quarter(images):
    """Means of 7 × 7 pixels: 16 features."""
    return torch.nn.functional.avg_pool2d(images, 7).flatten(1)


# FID


def test_fid_of_gaussians_with_diagonal_covariances():
    a = exactly([0, 1, 2], [[4.0, 0, 0], [0, 1, 0], [0, 0, 9]], seed=1)
    b = exactly([0, 3, -1], [[1.0, 0, 0], [0, 1, 0], [0, 0, 16]], n=60, seed=2)
    expected = (0 + 4 + 9) + (2 - 1) ** 2 + 0 + (3 - 4) ** 2  # means, then differences of standard deviations
    assert frechet_distance(a, b) == pytest.approx(expected, abs=1e-10)
    assert frechet_distance(b, a) == pytest.approx(expected, abs=1e-10)


def test_fid_of_covariances_that_do_not_commute():
    c, d = [[2.0, 1.0], [1.0, 2.0]], [[5.0, 0.0], [0.0, 1.0]]
    # of a 2 × 2 matrix M with positive eigenvalues: (tr √M)² = tr M + 2 √det M; here M = cd
    root = math.sqrt((2 * 5 + 2 * 1) + 2 * math.sqrt(3 * 5))
    expected = 1 + (4 + 6 - 2 * root)
    found = frechet_distance(exactly([0, 0], c, seed=1), exactly([1, 0], d, seed=2))
    assert found == pytest.approx(expected, abs=1e-10)


def test_fid_of_a_set_with_itself_is_zero():
    a = randn(500, 32) @ randn(32, 32, seed=1)
    assert abs(frechet_distance(a, a.flip(0))) < 1e-9 * a.var().item() * 32
    constant = torch.cat([a, torch.zeros(500, 8)], 1)  # a singular covariance
    assert abs(frechet_distance(constant, constant)) < 1e-5


# KID


def direct(x: torch.Tensor, y: torch.Tensor) -> float:
    """Unbiased MMD² of two small sets, pair by pair."""

    def k(a: torch.Tensor, b: torch.Tensor) -> float:
        return (float(a @ b) / len(a) + 1) ** 3

    within = [
        sum(k(p, q) for i, p in enumerate(s) for j, q in enumerate(s) if i != j) / (len(s) * (len(s) - 1))
        for s in (x, y)
    ]
    return sum(within) - 2 * sum(k(p, q) for p in x for q in y) / (len(x) * len(y))


@pytest.mark.parametrize("n", [2, 20])
def test_kid_is_the_sum_over_pairs(n):
    x, y = randn(n, 5, seed=1), randn(n, 5, seed=2) + 0.3
    assert kernel_distance(x, y) == pytest.approx(direct(x, y), rel=1e-12)


def test_kid_changes_no_other_draw_and_depends_on_none():
    x, y = randn(60, 3, seed=1), randn(60, 3, seed=2)
    before = torch.get_rng_state()
    first = kernel_distance(x, y, subsets=3, subset_size=10)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    assert kernel_distance(x, y, subsets=3, subset_size=10) == first
    assert kernel_distance(x, y, subsets=4, subset_size=10) != first


# both


class Features(nn.Module):
    """The network of torchmetrics, which is given features in place of images."""

    num_features = 5

    def forward(self, features):
        return features


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance`:UserWarning")
@pytest.mark.parametrize("constant", [False, True])
def test_both_are_those_of_torchmetrics(constant):
    samples, reference = randn(120, 5, seed=1), randn(300, 5, seed=2) @ randn(5, 5, seed=3) + 0.5
    if constant:
        samples[:, 1] = reference[:, 2] = 0
    for size, subsets in ((1000, 100), (7, 3)):
        oracles = FrechetInceptionDistance(Features()), KernelInceptionDistance(Features(), subsets, min(size, 120))
        for oracle in oracles:
            oracle.update(reference, real=True)
            oracle.update(samples, real=False)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            expected = oracles[1].compute()[0].item()
        assert kernel_distance(samples, reference, subsets, size) == pytest.approx(expected, rel=1e-10)
    expected = oracles[0].compute().item()
    assert frechet_distance(samples, reference) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(samples.float(), reference.float()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("distance", [fid, kid])
def test_noise_moves_real_digits_away(distance):
    test, other = mnist("test").grey(), mnist("validation").grey()
    noise = torch.rand(test.shape, generator=Generator().manual_seed(0))
    distances = [distance(torch.lerp(test, noise, amount), other, quarter) for amount in (0.0, 0.1, 1.0)]
    assert abs(distances[0]) < distances[1] / 5 < distances[2]


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: frechet_distance(randn(3, 3), randn(9, 3)), "3 images (samples)"),
        (lambda: kernel_distance(randn(5, 3), randn(1, 3)), "1 images (reference)"),
        (lambda: kernel_distance(randn(5, 3), randn(5, 3), subsets=0), "subsets 0"),
        (lambda: kernel_distance(randn(5, 3), randn(5, 3), subset_size=1), "subset_size 1"),
    ],
)
def test_too_few_images_or_subsets_are_refused(refused, call, word):
    with refused(word):
        call()


def test_one_image_more_than_features_is_enough():
    assert frechet_distance(randn(4, 3), randn(4, 3)) < 1e-6
