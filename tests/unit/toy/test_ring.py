"""The ring: where its points are, how its modes are counted, and that the game on it is the loop's own."""

import math
from dataclasses import replace

import pytest
import torch

from gmlib.objectives import NON_SATURATING, WASSERSTEIN_CLIPPED, WASSERSTEIN_PENALTY
from gmlib.toy.ring import RingBatches, modes_found, play_ring, ring_centres, ring_points


def test_eight_modes_stand_evenly_on_a_circle():
    centres = ring_centres()
    assert torch.allclose(centres.norm(dim=1), torch.ones(8))
    apart = 2 * math.sin(math.pi / 8)
    assert torch.allclose((centres - centres.roll(1, 0)).norm(dim=1), torch.full((8,), apart))


def test_points_are_those_of_eight_narrow_gaussians():
    points = ring_points(80_000, torch.Generator().manual_seed(0))
    mode = torch.cdist(points, ring_centres()).argmin(1)
    assert mode.bincount(minlength=8).tolist() == pytest.approx([10_000] * 8, rel=0.05)
    off = points - ring_centres()[mode]
    assert off.std(0).tolist() == pytest.approx([0.02, 0.02], rel=0.02)
    # within three standard deviations of a centre lie 1 - exp(-9/2) of a Gaussian in the plane
    assert modes_found(points) == (8, pytest.approx(1 - math.exp(-4.5), abs=0.001))


def test_modes_are_counted_where_samples_are():
    centres = ring_centres()
    assert modes_found(centres) == (8, 1.0)
    assert modes_found(centres[2].repeat(50, 1)) == (1, 1.0)
    assert modes_found(torch.zeros(10, 2)) == (0, 0.0)
    beside = centres + torch.tensor([0.0, 0.059])
    assert modes_found(torch.cat([beside, centres + torch.tensor([0.0, 0.061])])) == (8, 0.5)
    crowd = centres[0].repeat(990, 1)
    assert modes_found(torch.cat([crowd, centres[1].repeat(10, 1)]))[0] == 2  # at least one in a hundred
    assert modes_found(torch.cat([crowd, centres[1].repeat(9, 1)]))[0] == 1


@pytest.mark.parametrize(
    "game",
    [
        {"objective": NON_SATURATING, "pack": 2},
        {"objective": WASSERSTEIN_CLIPPED, "n_critic": 3},
        {"objective": replace(WASSERSTEIN_PENALTY, weight=0.1)},
    ],
)
def test_the_same_seed_plays_the_same_game(game):
    once, again, other = (play_ring(**game, frames=2, rounds=3, samples=20, seed=seed) for seed in (1, 1, 2))
    assert len(once) == 3
    assert all(frame.shape == (20, 2) for frame in once)
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
    assert not torch.equal(once[0], other[0])
    assert not torch.equal(once[0], once[2])


def test_the_game_finds_the_ring():
    """A penalty on the critic keeps it on the way: after 1,200 rounds most samples lie on modes, and all are found."""
    frames = play_ring(replace(WASSERSTEIN_PENALTY, weight=0.1), n_critic=2, frames=1, rounds=1200)
    assert modes_found(frames[0])[0] == 0
    modes, share = modes_found(frames[-1])
    assert modes == 8
    assert share > 0.5
    assert frames[-1].norm(dim=1).mean() == pytest.approx(1, abs=0.15)


def test_batches_of_points_know_their_place():
    batches = RingBatches(4, 3, seed=0)
    first = iter(batches)
    next(first), next(first)
    place = batches.state_dict()
    assert (place["epoch"], place["position"]) == (0, 2)
    rest = [x for x, _ in first]
    again = RingBatches(4, 3, seed=5)
    again.load_state_dict(place)
    assert [x.tolist() for x, _ in again] == [x.tolist() for x in rest]
    assert (again.epoch, again.position, len(rest)) == (1, 0, 1)
