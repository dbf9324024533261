"""Precision, recall, density and coverage: points placed by hand, the package prdc, and expectations in closed form."""

import math
from functools import partial

import pytest
import torch
from prdc import compute_prdc
from torch import Generator

from gmlib import mnist
from gmlib.metrics import neighbours as module
from gmlib.metrics.neighbours import density_coverage, manifold_overlap, precision_recall


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def line(*points: float) -> torch.Tensor:
    return torch.tensor(points, dtype=torch.float64).unsqueeze(1)


# by hand


def test_points_on_a_line():
    reference = line(0, 1, 3, 7)  # k = 1: radii 1, 1, 2, 4
    samples = line(0.5, 4, 20)  # k = 1: radii 3.5, 3.5, 16
    # 0.5 is in the balls of 0 and 1, 4 in those of 3 and 7, 20 in none
    assert density_coverage(samples, reference, k=1) == pytest.approx((4 / 3, 4 / 4))
    # [-3, 4] holds 0, 1, 3, and [4, 36] the 7
    assert manifold_overlap(samples, reference, k=1) == pytest.approx((2 / 3, 1))
    assert density_coverage(line(0.5, 20), reference, k=1) == pytest.approx((2 / 2, 2 / 4))
    assert manifold_overlap(line(8, 9), reference, k=1) == pytest.approx((1, 1 / 4))
    assert manifold_overlap(line(-3, -2), reference, k=1) == pytest.approx((0, 0))


def test_balls_are_closed_even_where_rounding_would_open_them():
    reference, samples = line(0, 1, 2) / 3, line(-1, 3) / 3  # thirds are not binary fractions
    assert density_coverage(samples, reference, k=1) == pytest.approx((2 / 2, 2 / 3))


def test_binary_vectors_have_ties_and_copies():
    samples, reference = ((randn(200, 12, seed=seed) > 0.8).long() for seed in (1, 2))

    def differences(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a[:, None] != b).sum(2)  # squared distances, as whole numbers

    real, fake = (differences(s, s).sort(1).values[:, 3] for s in (reference, samples))  # the first is the point itself
    cross = differences(reference, samples)
    in_real, in_fake = cross <= real[:, None], cross <= fake
    assert (cross == real[:, None]).any()
    assert (real == 0).any()
    found = manifold_overlap(samples.float(), reference.float(), k=3)
    assert found == pytest.approx((in_real.any(0).double().mean().item(), in_fake.any(1).double().mean().item()))
    found = density_coverage(samples.float(), reference.float(), k=3)
    assert found == pytest.approx((in_real.sum().item() / 600, in_real.any(1).double().mean().item()))


@pytest.mark.parametrize(("scale", "places"), [(1, [2.0**20]), (2.0**-7, [-10, 10])])
def test_neither_a_far_origin_nor_tight_clusters_matter(scale, places):
    reference, samples = randn(100, 2, seed=1), 0.8 * randn(100, 2, seed=2)
    moved = [torch.cat([place + scale * points for place in places]) for points in (samples, reference)]
    assert density_coverage(*moved) == pytest.approx(density_coverage(samples, reference))
    assert manifold_overlap(*moved) == pytest.approx(manifold_overlap(samples, reference))


# kept oracle


@pytest.mark.parametrize(("n", "m", "width", "k"), [(300, 300, 8, 3), (257, 600, 2, 5), (600, 260, 64, 1)])
def test_all_four_are_those_of_prdc(capsys, n, m, width, k):
    samples, reference = 0.8 * randn(n, width, seed=1) + 0.2, randn(m, width, seed=2)
    expected = compute_prdc(reference.numpy(), samples.numpy(), nearest_k=k)
    capsys.readouterr()  # it prints
    for dtype in (torch.float64, torch.float32):
        given = samples.to(dtype), reference.to(dtype)
        assert manifold_overlap(*given, k) == pytest.approx((expected["precision"], expected["recall"]))
        assert density_coverage(*given, k) == pytest.approx((expected["density"], expected["coverage"]))


def test_the_usual_number_of_neighbours_is_that_of_the_papers(capsys):
    """3 for precision and recall (Kynkäänniemi et al. 2019), 5 for density and coverage (Naeem et al. 2020)."""
    samples, reference = 0.8 * randn(300, 6, seed=1) + 0.2, randn(300, 6, seed=2)
    three, five = (compute_prdc(reference.numpy(), samples.numpy(), nearest_k=k) for k in (3, 5))
    capsys.readouterr()  # it prints
    assert manifold_overlap(samples, reference) == pytest.approx((three["precision"], three["recall"]))
    assert density_coverage(samples, reference) == pytest.approx((five["density"], five["coverage"]))
    images = torch.rand(2, 80, 1, 28, 28, generator=Generator().manual_seed(0))
    features = partial(torch.flatten, start_dim=1)
    few = [features(each)[:, :4] for each in images]
    assert precision_recall(*images, lambda x: features(x)[:, :4]) == manifold_overlap(*few, 3)


def test_the_size_of_a_block_changes_nothing(monkeypatch):
    samples, reference = randn(70, 3, seed=1), randn(50, 3, seed=2)
    whole = manifold_overlap(samples, reference), density_coverage(samples, reference)
    monkeypatch.setattr(module, "ROWS_PER_BLOCK", 7)
    assert (manifold_overlap(samples, reference), density_coverage(samples, reference)) == whole


# distributions


def test_one_distribution_has_density_one_and_the_coverage_of_the_closed_form():
    n, m = 300, 900
    uncovered = math.prod((m - i) / (n + m - i) for i in range(1, 6))  # P(the 5 nearest of all others are real)
    shares = density_coverage(randn(n, 6, seed=1), randn(m, 6, seed=2), k=5)
    assert shares == pytest.approx((1, 1 - uncovered), abs=0.05)


def test_real_digits_are_precise_and_inverted_digits_are_not():
    real, test = mnist("validation").grey(), mnist("test").grey()
    assert all(share > 0.6 for share in precision_recall(test, real, lambda x: x.flatten(1)))
    assert precision_recall(1 - test, real, lambda x: x.flatten(1)) == (0, 0)


# mistakes


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda few, many: manifold_overlap(many, few), "3 images (reference)"),
        (lambda few, many: manifold_overlap(few, many), "3 images (samples)"),
        (lambda few, many: density_coverage(many, few, k=3), "at least 4"),
        (lambda few, many: density_coverage(many, many, k=0), "k 0"),
    ],
)
def test_too_few_images_are_refused(refused, call, word):
    with refused(word):
        call(randn(3, 2), randn(9, 2, seed=1))


def test_density_and_coverage_need_one_sample_and_one_more_image_than_k():
    density, coverage = density_coverage(line(0.5), line(0, 1, 2, 3), k=3)
    assert (density, coverage) == pytest.approx((4 / 3, 1))
