"""Interpolation, straight and on a great circle: its ends, its steps, its order."""

import pytest
import torch

from gmlib.interpolation import interpolate, interpolate_spherical


def test_a_path_is_straight_and_holds_both_ends():
    start, end = torch.tensor([[0.0, 4.0], [1.0, 1.0]]), torch.tensor([[10.0, -1.0], [1.0, 6.0]])
    path = interpolate(start, end)
    expected = [[0, 4], [2, 3], [4, 2], [6, 1], [8, 0], [10, -1], [1, 1], [1, 2], [1, 3], [1, 4], [1, 5], [1, 6]]
    torch.testing.assert_close(path, torch.tensor(expected, dtype=torch.float32))
    assert torch.equal(interpolate(start, end, steps=2), torch.stack([start, end], 1).flatten(0, 1))


def test_images_are_interpolated_too():
    dark, light = torch.zeros(3, 1, 28, 28), torch.ones(3, 1, 28, 28)
    path = interpolate(dark, light, steps=5)
    assert path.shape == (15, 1, 28, 28)
    assert path[:, 0, 3, 7].tolist() == [0, 0.25, 0.5, 0.75, 1] * 3


@pytest.mark.parametrize("path", [interpolate, interpolate_spherical])
def test_ends_and_steps_that_do_not_fit(refused, unchecked, path):
    for start, end in (((2, 3), (2, 4)), ((1, 3), (2, 3)), ((2, 3), (2, 3, 1))):
        with refused(f"start of shape {start}", f"end of shape {end}"):
            path(torch.zeros(start), torch.zeros(end))
    for steps in (1, 0, -3):
        with refused(f"got {steps} steps"):
            path(torch.ones(1, 2), torch.ones(1, 2), steps)
    with pytest.raises(RuntimeError):  # torch's own
        path(torch.ones(1, 2).long(), torch.ones(1, 2).long())


def test_a_spherical_path_goes_in_equal_angles_and_holds_both_ends():
    start, end = torch.tensor([[2.0, 0.0]], dtype=torch.float64), torch.tensor([[0.0, 2.0]], dtype=torch.float64)
    path = interpolate_spherical(start, end, steps=4)
    angles = torch.arange(4, dtype=torch.float64) * torch.pi / 6  # a quarter turn in three steps
    torch.testing.assert_close(path, 2 * torch.stack([angles.cos(), angles.sin()], 1))


def test_a_spherical_path_keeps_the_length_that_a_straight_one_loses():
    start, end = torch.randn(2, 50, 100, generator=torch.Generator().manual_seed(0)).double()
    start, end = (x / x.norm(dim=1, keepdim=True) for x in (start, end))
    round_, straight = (path(start, end).norm(dim=1) for path in (interpolate_spherical, interpolate))
    torch.testing.assert_close(round_, torch.ones_like(round_))
    assert straight.view(50, 6)[:, 2].max() < 0.9
    torch.testing.assert_close(
        interpolate_spherical(start, end).view(50, 6, 100)[:, [0, 5]], torch.stack([start, end], 1)
    )


def test_a_spherical_path_between_lengths_and_along_a_ray():
    start = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    torch.testing.assert_close(interpolate_spherical(start, 3 * start, steps=3), interpolate(start, 3 * start, steps=3))
    assert interpolate_spherical(start, start).isfinite().all()


@pytest.mark.parametrize("end", [[[-2.0, -4.0]], [[0.0, 0.0]]])
def test_no_spherical_path_to_the_other_side(refused, end):
    with refused("opposite directions or have length 0"):
        interpolate_spherical(torch.tensor([[1.0, 2.0]]), torch.tensor(end))


def test_no_spherical_path_between_images(refused, unchecked):
    with refused("(3, 1, 2, 2)"):
        interpolate_spherical(torch.rand(3, 1, 2, 2), torch.rand(3, 1, 2, 2))
