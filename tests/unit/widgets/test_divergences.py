"""The divergences that the page computes are those of `gmlib.toy`."""

import itertools

import pytest
import torch

from gmlib import toy
from gmlib.widgets.distributions import MAX_SD, MAX_THETA, MIN_SD, POINTS, two_distributions

# the ends of the sliders, and values between them
SDS = (MIN_SD, 0.2, MAX_SD)
VALUES = [*itertools.product((-MAX_THETA, 0.0, 0.3, MAX_THETA), SDS, SDS)]

MEASURE = """([points, values]) => values.map(([theta, images, samples]) => {
    const [p, q] = [logMasses(points, 0, images), logMasses(points, theta, samples)];
    return [p.map(Math.exp), q.map(Math.exp), optimalDiscriminator(p, q), jensenShannon(p, q), wasserstein(p, q, points), optimalCritic(p, q, points)];
})"""


def test_divergences_are_those_of_the_library(evaluate):
    measured = evaluate("divergences.js", expression=MEASURE, argument=[two_distributions().state["points"], VALUES])
    for (theta, images, samples), (p, q, best, js, w1, critic) in zip(VALUES, measured, strict=True):
        p_, q_ = toy.gaussian_masses(POINTS, 0.0, images), toy.gaussian_masses(POINTS, theta, samples)
        torch.testing.assert_close(torch.tensor([p, q], dtype=torch.float64), torch.stack([p_, q_]), atol=1e-12, rtol=0)
        assert all(0 <= value <= 1 for value in best)
        assert js == pytest.approx(toy.jensen_shannon(p_, q_).item(), abs=1e-9)
        assert w1 == pytest.approx(toy.wasserstein_1d(p_, q_, POINTS).item(), abs=1e-9)
        positive = (p_ > 0) & (q_ > 0)  # elsewhere the page computes D* from logarithms, the library from 0
        discriminator = toy.optimal_discriminator(p_, q_).sigmoid()[positive]
        torch.testing.assert_close(torch.tensor(best, dtype=torch.float64)[positive], discriminator, atol=1e-6, rtol=0)
        likely = (p_ + q_) > 1e-9  # elsewhere the slope depends on rounding errors
        expected = toy.optimal_critic(p_, q_, POINTS)[likely]
        torch.testing.assert_close(torch.tensor(critic, dtype=torch.float64)[likely], expected, atol=1e-6, rtol=0)
