"""Small critics on the line against the optimal critic."""

from dataclasses import replace

import pytest
import torch

from gmlib.errors import InputError
from gmlib.objectives import WASSERSTEIN_CLIPPED, WASSERSTEIN_PENALTY
from gmlib.toy import gaussian_masses, line_critic, optimal_critic, wasserstein_1d

X = torch.linspace(-6, 6, 301, dtype=torch.float64)
P = (gaussian_masses(X, -2.0, 0.4) + gaussian_masses(X, 2.0, 0.4)) / 2
Q = gaussian_masses(X, 0.0, 0.6)


def largest_slope(scores):
    return float((scores.diff() / X.diff()).abs().max())


def difference_of_means(scores):
    return float(((P - Q) * scores).sum())


def test_with_the_penalty_it_is_close_to_the_optimal_critic():
    scores = line_critic(P, Q, X, WASSERSTEIN_PENALTY, steps=600)
    assert difference_of_means(scores) == pytest.approx(float(wasserstein_1d(P, Q, X)), rel=0.15)
    assert largest_slope(scores) == pytest.approx(1, abs=0.3)
    likely = (P + Q) > 1e-4
    assert (scores - optimal_critic(P, Q, X))[likely].abs().max() < 0.4
    assert float(((P + Q) / 2 * scores).sum()) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("clip", [0.01, 0.05])
def test_clipped_its_slope_is_at_most_that_of_three_layers(clip):
    """Layers of 1, 128, 128 and 1 units: 128 · 128 paths from the input to the score, each of slope clip³ at most."""
    scores = line_critic(P, Q, X, replace(WASSERSTEIN_CLIPPED, clip=clip), steps=300)
    assert 0 < largest_slope(scores) <= 128 * 128 * clip**3
    assert difference_of_means(scores) > 0


def test_the_seed_fixes_the_critic():
    first, same, other = (line_critic(P, Q, X, WASSERSTEIN_CLIPPED, steps=5, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_masses_that_are_not_a_distribution_are_refused():
    with pytest.raises(InputError, match="distribution"):
        line_critic(3 * P, Q, X, WASSERSTEIN_CLIPPED)
