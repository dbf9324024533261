"""Divergences, optimal discriminator and critic against scipy, quadrature, a linear program and the objectives."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, norm, wasserstein_distance

from gmlib.errors import InputError
from gmlib.objectives import (
    critic_wasserstein,
    discriminator_bce,
    generator_minimax,
    generator_non_saturating,
    generator_wasserstein,
)
from gmlib.toy import (
    expected_loss,
    gaussian_masses,
    jensen_shannon,
    kl_divergence,
    optimal_critic,
    optimal_discriminator,
    wasserstein_1d,
)


def masses(*shape: int, seed: int = 0) -> torch.Tensor:
    """Random distributions on the last axis."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).softmax(-1)


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


P, Q = masses(7, seed=1), masses(7, seed=2)
POINTS = tensor(3.0, -1.0, 0.5, 7.0, 2.0, 2.5, -4.0)  # neither sorted nor evenly spaced
# a point of p alone, a common point, a point of q alone, and a point of neither
SPARSE_P, SPARSE_Q = tensor(0.5, 0.5, 0.0, 0.0), tensor(0.0, 0.25, 0.75, 0.0)


# divergences


@pytest.mark.parametrize(("p", "q"), [(P, Q), (Q, P), (SPARSE_P, masses(4)), (P, P)])
def test_kl_is_that_of_scipy(p, q):
    assert kl_divergence(p, q).item() == pytest.approx(entropy(p, q), rel=1e-12, abs=1e-15)


def test_kl_is_infinite_where_q_lacks_a_point():
    assert kl_divergence(SPARSE_P, SPARSE_Q).item() == math.inf


@pytest.mark.parametrize(("p", "q"), [(P, Q), (Q, P), (SPARSE_P, SPARSE_Q), (SPARSE_P, SPARSE_P.flip(0)), (P, P)])
def test_js_is_the_square_of_scipys_distance(p, q):
    """Between 0 for equal distributions and ln 2 for those without a common point."""
    assert jensen_shannon(p, q).item() == pytest.approx(jensenshannon(p, q) ** 2, rel=1e-12, abs=1e-15)


def test_leading_axes_hold_several_distributions():
    several = masses(3, 7, seed=5)
    for function in (
        kl_divergence,
        jensen_shannon,
        optimal_discriminator,
        partial(wasserstein_1d, points=POINTS),
        partial(optimal_critic, points=POINTS),
    ):
        torch.testing.assert_close(
            function(P, several), torch.stack([function(P, q) for q in several]), rtol=1e-14, atol=1e-14
        )
        torch.testing.assert_close(
            function(several, P), torch.stack([function(q, P) for q in several]), rtol=1e-14, atol=1e-14
        )


@pytest.mark.parametrize(("p", "q"), [(P, Q), (Q, P), (P, P)])
def test_w1_is_that_of_scipy(p, q):
    expected = wasserstein_distance(POINTS, POINTS, p, q)
    assert wasserstein_1d(p, q, POINTS).item() == pytest.approx(expected, rel=1e-12)


# the optimal discriminator


def test_optimal_discriminator_returns_log_odds():
    torch.testing.assert_close(optimal_discriminator(P, Q).sigmoid(), P / (P + Q), rtol=1e-13, atol=0)
    found = optimal_discriminator(SPARSE_P, SPARSE_Q).tolist()
    assert found == [math.inf, pytest.approx(math.log(2)), -math.inf, 0]


@pytest.mark.parametrize(("p", "q"), [(P, Q), (Q, P), (SPARSE_P, SPARSE_Q), (P, P)])
def test_the_loss_of_the_optimal_discriminator_is_ln_4_minus_twice_js(p, q):
    least = expected_loss(discriminator_bce, optimal_discriminator(p, q), p, q)
    assert least.item() == pytest.approx(math.log(4) - 2 * jensenshannon(p, q) ** 2, rel=1e-12)


def test_the_loss_of_every_other_discriminator_is_larger():
    best = optimal_discriminator(P, Q)
    least = expected_loss(discriminator_bce, best, P, Q)
    for seed in range(20):
        step = torch.randn(7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        assert expected_loss(discriminator_bce, best + step, P, Q) > least
    slope = torch.func.grad(lambda scores: expected_loss(discriminator_bce, scores, P, Q))(best)
    torch.testing.assert_close(slope, torch.zeros(7, dtype=torch.float64), rtol=0, atol=1e-15)


# the optimal critic


@pytest.mark.parametrize(("p", "q"), [(P, Q), (Q, P)])
def test_no_critic_of_slope_at_most_1_has_a_lower_loss_than_the_optimal_critic(p, q):
    f = optimal_critic(p, q, POINTS)
    distance = (POINTS[:, None] - POINTS).abs()
    assert ((f[:, None] - f).abs() <= distance + 1e-12).all()
    loss = expected_loss(critic_wasserstein, f, p, q).item()
    assert loss == pytest.approx(-wasserstein_distance(POINTS, POINTS, p, q), rel=1e-12)
    pairs = [(i, j) for i in range(7) for j in range(7) if i != j]
    differences = np.array([np.eye(7)[i] - np.eye(7)[j] for i, j in pairs])
    best = linprog((q - p).numpy(), differences, np.array([distance[pair] for pair in pairs]), bounds=(None, None))
    assert loss == pytest.approx(best.fun, rel=1e-9)
    assert ((p + q) * f).sum().item() == pytest.approx(0, abs=1e-13)


def test_the_optimal_critic_is_flat_where_no_mass_has_to_cross():
    points = torch.linspace(-10, 10, 401, dtype=torch.float64)
    f = optimal_critic(*(gaussian_masses(points, mean, 0.1) for mean in (-1.0, 1.0)), points)
    far = points.abs() > 3
    slopes = f.diff()
    assert (slopes[far[1:] & far[:-1]] == 0).all()
    torch.testing.assert_close(f[(points > -0.6) & (points < 0.6)], -points[(points > -0.6) & (points < 0.6)])


# gradients of the generator's losses in a, where q = softmax(a) and the discriminator or critic is fixed


def gradients(*objectives):
    """Return the gradient in a of each function of q."""
    a = Q.log()
    return [torch.func.grad(lambda a, objective=objective: objective(a.softmax(-1)))(a) for objective in objectives]


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-14)


def test_the_minimax_loss_has_the_gradient_of_twice_js():
    best = optimal_discriminator(P, Q)
    close(*gradients(lambda q: (q * generator_minimax(best)).sum(), lambda q: 2 * jensen_shannon(P, q)))


def test_the_non_saturating_loss_has_the_gradient_of_kl_minus_twice_js():
    best = optimal_discriminator(P, Q)
    close(
        *gradients(
            lambda q: (q * generator_non_saturating(best)).sum(),
            lambda q: kl_divergence(q, P) - 2 * jensen_shannon(P, q),
        )
    )


def test_the_wasserstein_loss_has_the_gradient_of_w1():
    best = optimal_critic(P, Q, POINTS)
    close(*gradients(lambda q: (q * generator_wasserstein(best)).sum(), lambda q: wasserstein_1d(P, q, POINTS)))


# Gaussians on a grid

GRID = torch.linspace(-8, 12, 801, dtype=torch.float64)


def test_gaussian_masses_integrate_like_the_density():
    q = gaussian_masses(GRID, 1.3, 0.8)
    assert q.sum().item() == pytest.approx(1, rel=1e-14)
    np.testing.assert_allclose(q / 0.025, norm(1.3, 0.8).pdf(GRID), rtol=1e-9, atol=1e-300)
    assert kl_divergence(gaussian_masses(GRID, 0.0, 0.8), q).item() == pytest.approx(1.3**2 / (2 * 0.8**2), rel=1e-12)
    assert wasserstein_1d(gaussian_masses(GRID, 0.0, 0.8), q, GRID).item() == pytest.approx(1.3, rel=1e-12)


def test_several_means_are_several_gaussians_and_have_a_gradient():
    means = tensor(0.5, 1.0, 3.0).requires_grad_()
    several = gaussian_masses(GRID, means, 1.0)
    for mean, q in zip((0.5, 1.0, 3.0), several, strict=True):
        torch.testing.assert_close(q, gaussian_masses(GRID, mean, 1.0))
    p = gaussian_masses(GRID, 0.0, 1.0)
    js = jensen_shannon(p, several)
    (slope,) = torch.autograd.grad(js.sum(), means)
    # half the gradient of the minimax loss: the slope of a sample's log-odds is -mean / sd²
    best = optimal_discriminator(p, several.detach())
    expected = 0.5 * (several.detach() * best.sigmoid()).sum(-1) * means.detach()
    torch.testing.assert_close(slope, expected, rtol=1e-10, atol=0)


# refused arguments


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "function", [kl_divergence, jensen_shannon, optimal_discriminator, wasserstein_1d, optimal_critic]
)
def test_tensors_that_are_not_distributions_on_the_same_points_are_refused(function):
    half, third = tensor(0.5, 0.5), tensor(0.2, 0.3, 0.5)
    points = function in (wasserstein_1d, optimal_critic)
    for wrong in (tensor(1.2, -0.2), tensor(math.nan, 1.0), tensor(0.5, 0.6), tensor()):
        for p, q in ((wrong, half), (half, wrong)):
            with pytest.raises(InputError, match="distribution"):
                function(p, q, *[tensor(0.0, 1.0)] * points)
    with pytest.raises(InputError, match="per point"):
        function(third, tensor(1.0), *[third] * points)
    if points:
        with pytest.raises(InputError, match="per point"):
            function(third, third, half)


@pytest.mark.usefixtures("unchecked")
def test_losses_that_are_not_one_per_pair_are_refused():
    p, q = tensor(0.9, 0.1), tensor(0.2, 0.8)
    with pytest.raises(InputError, match="per point"):
        expected_loss(discriminator_bce, tensor(1.0, 2.0, 3.0), p, q)
    for loss in (lambda real, fake: (fake - real).mean(), lambda real, fake: (fake - real)[:, None]):
        with pytest.raises(InputError, match="losses"):
            expected_loss(loss, tensor(1.0, 3.0), p, q)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("grid", "mean", "sd"),
    [
        *((GRID, 0.0, sd) for sd in (0.0, 0.02, -1.0)),
        *((GRID, mean, 1.0) for mean in (7.0, -3.0, math.nan)),
        *((grid, 0.0, 1.0) for grid in (torch.cat([GRID[:400:2], GRID[400:]]), GRID.flip(0))),
        (torch.arange(-10, 11), 0.5, 1.0),  # an integer grid would round the mean to 0
    ],
)
def test_grids_on_which_sums_are_not_integrals_are_refused(grid, mean, sd):
    with pytest.raises(InputError, match="grid"):
        gaussian_masses(grid, mean, sd)
