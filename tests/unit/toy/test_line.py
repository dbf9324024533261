"""Critics on the line against the best one."""

from dataclasses import replace

import pytest
import torch

from gmlib.errors import InputError
from gmlib.objectives import WASSERSTEIN_CLIPPED, WASSERSTEIN_PENALTY
from gmlib.toy import gaussian_masses, optimal_critic, wasserstein_1d
from gmlib.toy.line import line_critic

X = torch.linspace(-6, 6, 301, dtype=torch.float64)
P = (gaussian_masses(X, -2.0, 0.4) + gaussian_masses(X, 2.0, 0.4)) / 2
Q = gaussian_masses(X, 0.0, 0.6)


def steepest(scores):
    return float((scores.diff() / X.diff()).abs().max())


def difference(scores):
    return float(((P - Q) * scores).sum())


def test_with_the_penalty_it_comes_near_the_best():
    scores = line_critic(P, Q, X, WASSERSTEIN_PENALTY, steps=600)
    w1 = float(wasserstein_1d(P, Q, X))
    assert difference(scores) == pytest.approx(w1, rel=0.15)
    assert steepest(scores) == pytest.approx(1, abs=0.3)
    likely = (P + Q) > 1e-4
    assert (scores - optimal_critic(P, Q, X))[likely].abs().max() < 0.4
    assert float(((P + Q) / 2 * scores).sum()) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("clip", [0.01, 0.05])
def test_clipped_it_is_no_steeper_than_its_layers_allow(clip):
    """Three layers of 1, 128, 128 and 1 numbers: at most 128 · 128 ways from the input to the score, each of clip³."""
    scores = line_critic(P, Q, X, replace(WASSERSTEIN_CLIPPED, clip=clip), steps=300)
    assert 0 < steepest(scores) <= 128 * 128 * clip**3
    assert difference(scores) > 0


def test_the_seed_fixes_the_critic():
    once, again, other = (line_critic(P, Q, X, WASSERSTEIN_CLIPPED, steps=5, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_what_is_not_a_distribution_is_refused():
    with pytest.raises(InputError, match="distribution"):
        line_critic(3 * P, Q, X, WASSERSTEIN_CLIPPED)
