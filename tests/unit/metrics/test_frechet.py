"""FID and KID against closed forms and direct sums."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Generator

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


def test_fid_is_that_of_the_sample_moments():
    a, b = randn(200, 8, seed=1), randn(300, 8, seed=2) @ randn(8, 8, seed=3) + 0.5
    c, d = np.cov(a.numpy().T), np.cov(b.numpy().T)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum().item() + np.trace(c + d - 2 * np.real(sqrtm(c @ d)))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(a.float(), b.float()) == pytest.approx(expected, rel=1e-5)  # float32 given, float64 inside


def test_fid_of_a_set_with_itself_is_zero():
    a = randn(500, 32) @ randn(32, 32, seed=1)
    assert abs(frechet_distance(a, a.flip(0))) < 1e-9 * a.var().item() * 32
    dead = torch.cat([a, torch.zeros(500, 8)], 1)  # features that are never on: a singular covariance
    assert abs(frechet_distance(dead, dead)) < 1e-5


def test_fid_of_real_digits_is_small_and_rises_as_they_are_spoilt():
    test, train = mnist("test").grey(), mnist("train").grey()
    floor = fid(test, train, quarter)
    noise = torch.rand(test.shape, generator=Generator().manual_seed(0))
    found = [fid(torch.lerp(test, noise, amount), train, quarter) for amount in (0.1, 0.3, 1.0)]
    assert 0 < floor < found[0] / 5
    assert found == sorted(found)


def test_fid_of_too_few_images_is_refused(refused):
    with refused("16 images (samples)", "at least 17", "singular", "draw more"):
        fid(mnist("test").grey()[:16], mnist("train").grey()[:20], quarter)
    with refused("3 images (reference)", "at least 4", "3 features"):
        frechet_distance(randn(9, 3), randn(3, 3))
    assert frechet_distance(randn(4, 3), randn(4, 3)) < 1e-6


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


def test_kid_is_the_sum_over_pairs():
    x, y = randn(20, 5, seed=1), randn(20, 5, seed=2) + 0.3
    assert kernel_distance(x, y) == pytest.approx(direct(x, y), rel=1e-12)
    assert kernel_distance(x[:2], y[:2]) == pytest.approx(direct(x[:2], y[:2]), rel=1e-12)


def test_kid_of_a_larger_reference_is_the_mean_over_subsets():
    x, y = randn(20, 5, seed=1), randn(40, 5, seed=2) + 0.3
    single = [kernel_distance(x, y[torch.randperm(40, generator=Generator().manual_seed(i))][:20]) for i in range(50)]
    error = np.std(single) / math.sqrt(100)
    assert kernel_distance(x, y) == pytest.approx(direct(x, y), abs=4 * error)


def test_kid_has_the_expectation_of_the_closed_form():
    values, shifted = [], []
    for seed in range(60):
        x, y = randn(80, 4, seed=seed).chunk(2)
        values.append(kernel_distance(x, y))
        shifted.append(kernel_distance(x, y + 0.5))
    assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(60)
    assert min(values) < 0  # unbiased, so it has to be now and then
    # (u + 1)³ = 1 + 3u + 3u² + u³: the moments differ by s, ss' and sss + the three of sI, with |s|² = 1 and width 4
    expected = 3 * 1 / 4 + 3 * 1 / 4**2 + (1 + 2 * 3 + (3 * 4 + 6)) / 4**3
    assert abs(np.mean(shifted) - expected) < 3 * np.std(shifted) / math.sqrt(60)


def test_kid_moves_no_other_draw_and_is_moved_by_none():
    x, y = randn(60, 3, seed=1), randn(60, 3, seed=2)
    torch.manual_seed(5)
    first = kernel_distance(x, y, subsets=3, subset_size=10)
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(3))
    assert kernel_distance(x, y, subsets=3, subset_size=10) == first
    assert kernel_distance(x, y, subsets=4, subset_size=10) != first


def test_kid_of_real_digits_is_small_and_rises_as_they_are_spoilt():
    test, other = mnist("test").grey(), mnist("validation").grey()
    noise = torch.rand(test.shape, generator=Generator().manual_seed(0))
    found = [kid(torch.lerp(test, noise, amount), other, quarter) for amount in (0.0, 0.1, 0.3, 1.0)]
    assert abs(found[0]) < found[1] / 5
    assert found[1:] == sorted(found[1:])


def test_kid_of_too_few_images_is_refused(refused):
    with refused("1 images (reference)", "at least 2", "pairs"):
        kernel_distance(randn(5, 3), randn(1, 3))
    for subsets, size in ((0, 5), (5, 1)):
        with refused(f"{subsets} subsets of {size} images", "at least 1 of 2"):
            kernel_distance(randn(5, 3), randn(5, 3), subsets, size)


def test_features_that_diverged_are_refused(refused):
    broken = randn(9, 2)
    broken[4] = torch.nan
    for distance in (frechet_distance, kernel_distance):
        with refused("1 of 9 images (samples)", "diverged"):
            distance(broken, randn(9, 2))
