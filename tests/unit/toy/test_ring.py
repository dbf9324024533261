"""The ring: its points, the count of its modes, and a GAN that finds them."""

import math
from dataclasses import replace

import pytest
import torch

from gmlib.objectives import NON_SATURATING, WASSERSTEIN_CLIPPED, WASSERSTEIN_PENALTY
from gmlib.toy import modes_found, play_ring, ring_centres, ring_points


def test_points_are_those_of_eight_narrow_gaussians_on_a_circle():
    centres = ring_centres()
    torch.testing.assert_close(centres.norm(dim=1), torch.ones(8))
    torch.testing.assert_close((centres - centres.roll(1, 0)).norm(dim=1), torch.full((8,), 2 * math.sin(math.pi / 8)))
    points = ring_points(80_000, torch.Generator().manual_seed(0))
    mode = torch.cdist(points, centres).argmin(1)
    assert mode.bincount(minlength=8).tolist() == pytest.approx([10_000] * 8, rel=0.05)
    assert (points - centres[mode]).std(0).tolist() == pytest.approx([0.02, 0.02], rel=0.02)
    # within three standard deviations of a centre lie 1 - exp(-9/2) of a Gaussian in the plane
    assert modes_found(points) == (8, pytest.approx(1 - math.exp(-4.5), abs=0.001))


def test_a_mode_is_covered_by_one_percent_of_the_samples():
    centres = ring_centres()
    assert modes_found(centres) == (8, 1.0)
    assert modes_found(torch.zeros(10, 2)) == (0, 0.0)
    inside, outside = (centres + torch.tensor([0.0, distance]) for distance in (0.059, 0.061))
    assert modes_found(torch.cat([inside, outside])) == (8, 0.5)
    most = centres[0].repeat(990, 1)
    assert modes_found(torch.cat([most, centres[1].repeat(10, 1)]))[0] == 2
    assert modes_found(torch.cat([most, centres[1].repeat(9, 1)]))[0] == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": NON_SATURATING, "pack": 2},
        {"objective": WASSERSTEIN_CLIPPED, "n_critic": 3},
        {"objective": NON_SATURATING, "n_generator": 2},
    ],
)
def test_the_seed_fixes_the_samples(settings):
    first, same, other = (play_ring(**settings, frames=2, rounds=3, samples=20, seed=seed) for seed in (1, 1, 2))
    assert len(first) == 3
    assert all(frame.shape == (20, 2) for frame in first)
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True))
    assert not torch.equal(first[0], other[0])
    assert not torch.equal(first[0], first[2])


def test_with_a_gradient_penalty_all_modes_are_found():
    frames = play_ring(replace(WASSERSTEIN_PENALTY, weight=0.1), n_critic=2, frames=1, rounds=1200)
    assert modes_found(frames[0])[0] == 0
    modes, fraction = modes_found(frames[-1])
    assert modes == 8
    assert fraction > 0.5
    assert frames[-1].norm(dim=1).mean() == pytest.approx(1, abs=0.15)
