"""What the claims measure, where the answer is known."""

import math

import pytest
import torch
from scipy.stats import t

from claims.evidence import mean_interval
from claims.labels import stroke_brightness
from claims.vae import border_lengths, lonely_ink, pixel_entropy


def image(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows)[None, None]


def test_brightness_is_the_mean_probability_at_ink():
    assert stroke_brightness(image([0.0, 1.0], [1.0, 0.0])) == 1
    assert stroke_brightness(torch.full((3, 1, 4, 4), 0.3)) == pytest.approx(0.3)
    # ink falls on the first pixel four times as often as on the second
    assert stroke_brightness(image([0.8, 0.2])) == pytest.approx((4 * 0.8 + 0.2) / 5)


def test_brightness_is_what_draws_find():
    p = torch.rand(50, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    draws = (torch.rand(200, *p.shape, generator=torch.Generator().manual_seed(1)) < p).float()
    assert stroke_brightness(p) == pytest.approx(float((draws * p).sum() / draws.sum()), abs=2e-3)


def test_entropy_of_coins():
    assert pixel_entropy(image([0.0, 1.0])) == 0
    assert pixel_entropy(torch.full((3, 1, 4, 4), 0.5)) == pytest.approx(16 * math.log(2))


def test_ink_is_lonely_without_a_neighbour_on_any_side():
    assert lonely_ink(image([1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0])) == pytest.approx(1 / 3)
    assert lonely_ink(image([1.0, 0.0], [0.0, 1.0])) == 1  # a corner is no neighbour


def test_borders_of_a_plane_cut_in_two():
    y = torch.linspace(-3, 3, 600)
    points = torch.cat([torch.stack([torch.full_like(y, x), y], 1) for x in (-2.0, 2.0)])
    labels = torch.tensor([3, 8]).repeat_interleave(600)
    found = border_lengths(points, labels, cells=10)
    assert found[3, 8] + found[8, 3] == 10
    assert found.sum() == 10


def test_interval_is_students():
    values = [1.0, 2.0, 4.0]
    low, high = t.interval(0.95, 2, loc=7 / 3, scale=torch.tensor(values).std().item() / math.sqrt(3))
    mean, interval = mean_interval(values)
    assert mean == pytest.approx(7 / 3, abs=1e-4)
    assert interval == pytest.approx((low, high), abs=1e-4)
