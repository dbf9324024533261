"""Interpolation, straight and on a great circle: ends, steps and order of the points."""

import pytest
import torch

from gmlib import InputError
from gmlib.interpolation import interpolate, interpolate_spherical


def test_a_line_is_straight_and_holds_both_ends():
    start, end = torch.tensor([[0.0, 4.0], [1.0, 1.0]]), torch.tensor([[10.0, -1.0], [1.0, 6.0]])
    points = interpolate(start, end)
    expected = [[0, 4], [2, 3], [4, 2], [6, 1], [8, 0], [10, -1], [1, 1], [1, 2], [1, 3], [1, 4], [1, 5], [1, 6]]
    torch.testing.assert_close(points, torch.tensor(expected, dtype=torch.float32))
    assert torch.equal(interpolate(start, end, steps=2), torch.stack([start, end], 1).flatten(0, 1))


def test_images_are_interpolated_too():
    points = interpolate(torch.zeros(3, 1, 28, 28), torch.ones(3, 1, 28, 28), steps=5)
    assert points.shape == (15, 1, 28, 28)
    assert points[:, 0, 3, 7].tolist() == [0, 0.25, 0.5, 0.75, 1] * 3


def test_a_spherical_path_has_equal_angles_and_holds_both_ends():
    start, end = torch.tensor([[2.0, 0.0]], dtype=torch.float64), torch.tensor([[0.0, 2.0]], dtype=torch.float64)
    points = interpolate_spherical(start, end, steps=4)
    angles = torch.arange(4, dtype=torch.float64) * torch.pi / 6  # a quarter turn in three steps
    torch.testing.assert_close(points, 2 * torch.stack([angles.cos(), angles.sin()], 1))
    assert len(interpolate_spherical(start, end)) == 6


def test_a_spherical_path_keeps_the_length_that_a_straight_line_loses():
    start, end = torch.randn(2, 50, 100, generator=torch.Generator().manual_seed(0)).double()
    start, end = (x / x.norm(dim=1, keepdim=True) for x in (start, end))
    spherical, straight = (path(start, end) for path in (interpolate_spherical, interpolate))
    torch.testing.assert_close(spherical.norm(dim=1), torch.ones(300, dtype=torch.float64))
    assert straight.norm(dim=1).view(50, 6)[:, 2].max() < 0.9
    torch.testing.assert_close(spherical.view(50, 6, 100)[:, [0, 5]], torch.stack([start, end], 1))


def test_between_latents_of_one_direction_both_paths_are_the_same():
    start = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    torch.testing.assert_close(interpolate_spherical(start, 3 * start, steps=3), interpolate(start, 3 * start, steps=3))
    assert interpolate_spherical(start, start).isfinite().all()


@pytest.mark.usefixtures("unchecked")
def test_ends_and_steps_that_do_not_fit_are_refused():
    two, three = torch.ones(2, 3), torch.ones(2, 4)
    for path in (interpolate, interpolate_spherical):
        for start, end in ((two, three), (two[:1], two), (two, two[..., None])):
            with pytest.raises(InputError, match="shape"):
                path(start, end)
        with pytest.raises(InputError, match="steps"):
            path(two, two, 1)
    with pytest.raises(InputError, match="shape"):
        interpolate_spherical(torch.rand(3, 1, 2, 2), torch.rand(3, 1, 2, 2))
    for end in (-two, 0 * two):
        with pytest.raises(InputError, match="opposite"):
            interpolate_spherical(two, end)
