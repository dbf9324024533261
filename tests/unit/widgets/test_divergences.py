"""The divergences that the page computes are those of `gmlib.toy`."""

import itertools

import pytest
import torch

from gmlib import toy
from gmlib.widgets.distributions import COUNT, HIGHEST, LOWEST, NARROWEST, REACH, WIDEST, two_distributions

POINTS = torch.linspace(LOWEST, HIGHEST, COUNT, dtype=torch.float64)
# all corners of what the sliders reach, and the middle
PLACES = [*itertools.product((-REACH, 0.0, 0.3, REACH), (NARROWEST, 0.2, WIDEST), (NARROWEST, 0.2, WIDEST))]

MEASURE = """([range, places]) => {
    const points = grid(range);
    return places.map(([theta, images, samples]) => {
        const [p, q] = [logMasses(points, 0, images), logMasses(points, theta, samples)];
        return [p.map(Math.exp), q.map(Math.exp), optimalDiscriminator(p, q), jensenShannon(p, q), wasserstein(p, q, points), optimalCritic(p, q, points)];
    });
}"""


@pytest.fixture
def measured(evaluate):
    return evaluate("divergences.js", expression=MEASURE, argument=[two_distributions().state["grid"], PLACES])


def test_divergences_are_those_of_the_library(measured):
    for (theta, images, samples), (p, q, best, js, w1, critic) in zip(PLACES, measured, strict=True):
        p_, q_ = toy.gaussian_masses(POINTS, 0.0, images), toy.gaussian_masses(POINTS, theta, samples)
        torch.testing.assert_close(torch.tensor([p, q], dtype=torch.float64), torch.stack([p_, q_]), atol=1e-12, rtol=0)
        assert js == pytest.approx(toy.jensen_shannon(p_, q_).item(), abs=1e-9)
        assert w1 == pytest.approx(toy.wasserstein_1d(p_, q_, POINTS).item(), abs=1e-9)
        seen = (p_ > 0) & (q_ > 0)  # elsewhere the page goes on with the densities' own odds
        opponent = toy.optimal_discriminator(p_, q_).sigmoid()[seen]
        torch.testing.assert_close(torch.tensor(best, dtype=torch.float64)[seen], opponent, atol=1e-6, rtol=0)
        likely = (p_ + q_) > 1e-9  # further out rounding decides which way the critic goes
        expected = toy.optimal_critic(p_, q_, POINTS)[likely]
        torch.testing.assert_close(torch.tensor(critic, dtype=torch.float64)[likely], expected, atol=1e-6, rtol=0)


def test_closed_forms(measured):
    for (theta, images, samples), (p, q, best, js, w1, critic) in zip(PLACES, measured, strict=True):
        assert all(0 <= value <= 1 for value in best)
        assert 0 <= js <= 0.693148
        if images == samples:  # a shift moves every grain by theta
            assert w1 == pytest.approx(abs(theta), abs=1e-6)
        reached = sum((a - b) * f for a, b, f in zip(p, q, critic, strict=True))
        assert reached == pytest.approx(w1, abs=1e-6)  # the best critic finds the distance
