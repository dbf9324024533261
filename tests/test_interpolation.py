"""Straight ways: their ends, their steps, their order."""

import pytest
import torch

from gmlib.interpolation import interpolate


def test_a_way_is_straight_and_holds_both_ends():
    start, end = torch.tensor([[0.0, 4.0], [1.0, 1.0]]), torch.tensor([[10.0, -1.0], [1.0, 6.0]])
    way = interpolate(start, end)
    expected = [[0, 4], [2, 3], [4, 2], [6, 1], [8, 0], [10, -1], [1, 1], [1, 2], [1, 3], [1, 4], [1, 5], [1, 6]]
    torch.testing.assert_close(way, torch.tensor(expected, dtype=torch.float32))
    assert torch.equal(interpolate(start, end, steps=2), torch.stack([start, end], 1).flatten(0, 1))


def test_images_go_a_way_too():
    dark, light = torch.zeros(3, 1, 28, 28), torch.ones(3, 1, 28, 28)
    way = interpolate(dark, light, steps=5)
    assert way.shape == (15, 1, 28, 28)
    assert way[:, 0, 3, 7].tolist() == [0, 0.25, 0.5, 0.75, 1] * 3


@pytest.mark.parametrize(("start", "end"), [((2, 3), (2, 4)), ((2, 3), (3, 3)), ((1, 3), (2, 3)), ((2, 3), (2, 3, 1))])
def test_ends_of_different_shapes(refused, unchecked, start, end):
    with refused(f"start of shape {start}", f"end of shape {end}", "same shape"):
        interpolate(torch.zeros(start), torch.zeros(end))


@pytest.mark.parametrize("steps", [1, 0, -3])
def test_too_few_steps(refused, unchecked, steps):
    with refused(f"got {steps} steps", "at least 2"):
        interpolate(torch.zeros(1, 2), torch.zeros(1, 2), steps)
