"""Precision, recall, density and coverage: points placed by hand, the package prdc, and expectations in closed form."""

import math

import pytest
import torch
from prdc import compute_prdc
from torch import Generator

from gmlib import mnist
from gmlib.metrics import neighbours as module
from gmlib.metrics.neighbours import coverage, density, density_coverage, manifold_overlap, precision_recall


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def line(*points: float) -> torch.Tensor:
    return torch.tensor(points, dtype=torch.float64).unsqueeze(1)


def pixels(images):
    return images.flatten(1)


def expected_coverage(samples: int, reference: int, k: int) -> float:
    """If both come from one distribution: 1 - P(the k nearest of all others are real)."""
    return 1 - math.prod((reference - i) / (samples + reference - i) for i in range(1, k + 1))


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


def test_the_second_neighbour_opens_larger_balls():
    reference, samples = line(0, 1, 3, 7), line(-2.5, 30, 31)
    assert density_coverage(samples, reference, k=1) == (0, 0)
    assert density_coverage(samples, reference, k=2) == pytest.approx((1 / 6, 1 / 4))  # radii 3, 2, 3, 6
    assert density_coverage(samples, reference, k=3) == pytest.approx((2 / 9, 2 / 4))  # radii 7, 6, 4, 7


def test_balls_are_closed_even_where_rounding_would_open_them():
    reference, samples = line(0, 1, 2) / 3, line(-1, 3) / 3  # thirds are no binary fractions
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


def test_copies_of_the_reference_lie_in_every_ball_they_touch():
    points = randn(300, 16).float()
    found = density_coverage(points, points, k=4)
    assert found == pytest.approx(((4 + 1) / 4, 1))  # itself and four neighbours in each ball
    assert manifold_overlap(points, points, k=4) == (1, 1)


# kept oracle


@pytest.mark.parametrize(("n", "m", "width", "k"), [(300, 300, 8, 3), (257, 600, 2, 5), (600, 260, 64, 1)])
def test_all_four_are_those_of_prdc(capsys, n, m, width, k):
    samples, reference = 0.8 * randn(n, width, seed=1) + 0.2, randn(m, width, seed=2)
    expected = compute_prdc(reference.numpy(), samples.numpy(), nearest_k=k)
    capsys.readouterr()  # it prints
    assert manifold_overlap(samples, reference, k) == pytest.approx((expected["precision"], expected["recall"]))
    assert density_coverage(samples, reference, k) == pytest.approx((expected["density"], expected["coverage"]))


def test_float32_features_give_the_same(capsys):
    samples, reference = randn(300, 8, seed=1), randn(300, 8, seed=2)
    assert manifold_overlap(samples.float(), reference.float()) == manifold_overlap(samples, reference)
    assert density_coverage(samples.float(), reference.float()) == density_coverage(samples, reference)


def test_chunks_do_not_matter(monkeypatch):
    samples, reference = randn(70, 3, seed=1), randn(50, 3, seed=2)
    whole = manifold_overlap(samples, reference), density_coverage(samples, reference)
    monkeypatch.setattr(module, "CHUNK", 7)
    assert (manifold_overlap(samples, reference), density_coverage(samples, reference)) == whole


# distributions


@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (300, 900)])
def test_one_distribution_has_density_one_and_the_coverage_of_the_closed_form(n, m):
    found = density_coverage(randn(n, 6, seed=1), randn(m, 6, seed=2), k=5)
    assert found == pytest.approx((1, expected_coverage(n, m, 5)), abs=0.05)


def test_a_repeated_point_covers_nearly_nothing():
    reference = randn(1000, 16, seed=1).float()
    for point in (reference[:1], randn(1, 16, seed=2).float(), reference.mean(0, keepdim=True)):
        samples = point.repeat(1000, 1) + 100  # far from the origin, where rounding would part the copies
        precision, recall = manifold_overlap(samples, reference + 100)
        assert coverage_of(samples, reference + 100) < 0.1
        assert recall <= 1 / 1000
        assert precision in (0, 1)


def coverage_of(samples: torch.Tensor, reference: torch.Tensor) -> float:
    return density_coverage(samples, reference)[1]


def test_a_lost_half_halves_recall_and_coverage():
    left, right = randn(500, 4, seed=1), randn(500, 4, seed=2) + 50
    reference, samples = torch.cat([left, right]), randn(1000, 4, seed=3)
    precision, recall = manifold_overlap(samples, reference)
    assert precision > 0.8
    assert 0.4 < recall <= 0.5
    assert 0.45 < coverage_of(samples, reference) <= 0.5


def test_samples_from_elsewhere_have_nothing():
    samples, reference = randn(100, 4, seed=1) + 50, randn(100, 4, seed=2)
    assert manifold_overlap(samples, reference) == (0, 0)
    assert density_coverage(samples, reference) == (0, 0)


# digits


def test_real_digits_are_at_the_floor_and_one_repeated_digit_covers_none():
    real, test = mnist("validation").grey(), mnist("test").grey()
    floor = coverage(test, real, pixels)
    assert floor == pytest.approx(expected_coverage(500, 500, 5), abs=0.05)
    assert density(test, real, pixels) == pytest.approx(1, abs=0.2)
    assert density(real, real, pixels) == pytest.approx(6 / 5)  # each ball holds its centre and five neighbours
    assert all(part > 0.6 for part in precision_recall(test, real, pixels))
    assert coverage(test[:1].repeat(500, 1, 1, 1), real, pixels) < 0.05
    assert coverage(1 - test, real, pixels) == 0


def test_zeros_cover_zeros_and_hardly_a_one():
    real, train = mnist("test"), mnist("train")
    zeros, ones = (real[real.labels == digit].grey() for digit in (0, 1))
    samples = train[train.labels == 0].grey()
    assert coverage(samples, zeros, pixels) == pytest.approx(expected_coverage(400, 50, 5), abs=0.05)
    assert coverage(samples, ones, pixels) < 0.05  # one of 50 is thick
    assert precision_recall(samples, ones, pixels)[0] < 0.05


# mistakes


def test_too_few_images_are_refused(refused):
    few, many = randn(3, 2), randn(9, 2, seed=1)
    with refused("3 images (reference)", "at least 4", "neighbour number 3", "lower k"):
        manifold_overlap(many, few)
    with refused("3 images (samples)", "at least 4"):
        manifold_overlap(few, many)
    with refused("3 images (reference)", "at least 6"):
        density_coverage(many, few)
    assert density_coverage(few[:1], many)[1] <= 1  # samples need no neighbours


@pytest.mark.parametrize("measure", [manifold_overlap, density_coverage])
def test_other_mistakes_are_refused(refused, measure):
    with refused("k = 0", "at least 1"):
        measure(randn(9, 2), randn(9, 2), 0)
    broken = randn(9, 2)
    broken[0] = torch.nan
    with refused("1 of 9 images (samples)"):
        measure(broken, randn(9, 2))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("measure", [precision_recall, density, coverage])
def test_images_out_of_range_are_refused(refused, measure):
    images = torch.rand(9, 1, 28, 28)
    with refused("from", "[0, 1]"):
        measure(2 * images - 1, images, pixels)
    with refused("from", "[0, 1]"):
        measure(images, 255 * images, pixels)
