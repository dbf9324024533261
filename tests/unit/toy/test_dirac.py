"""The Dirac-GAN against automatic differentiation of the objectives, and against a pendulum with friction."""

import cmath
import math

import pytest
import torch

from gmlib.objectives import discriminator_bce, generator_non_saturating, r1_penalty
from gmlib.toy import dirac_game


@pytest.mark.parametrize("gamma", [0.0, 0.7])
def test_each_step_descends_the_gradient_of_the_objective(gamma):
    theta, psi = torch.tensor([1.0, 0.3], dtype=torch.float64)
    data = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    for expected in dirac_game(gamma, rounds=5, start=(theta.item(), psi.item()))[1:]:
        psi, sample = psi.detach().requires_grad_(), theta.detach().view(1, 1, 1, 1)

        def critic(x, y, psi=psi):
            return psi * x.flatten()

        loss = discriminator_bce(critic(data, None), critic(sample, None)).mean()
        loss = loss + gamma / 2 * r1_penalty(critic, data, sample).mean()
        psi = (psi - 0.1 * torch.autograd.grad(loss, psi)[0]).detach()
        theta = theta.detach().requires_grad_()
        loss = generator_non_saturating((psi * theta).view(1)).mean()
        theta = (theta - 0.1 * torch.autograd.grad(loss, theta)[0]).detach()
        assert expected == pytest.approx((theta.item(), psi.item()), rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 2.0])
def test_near_the_equilibrium_it_is_a_pendulum(gamma):
    rate, rounds, start = 1e-3, 4000, 1e-3
    theta, _ = dirac_game(gamma, rate=rate, rounds=rounds, start=(start, 0.0))[-1]
    time, root = rate * rounds, cmath.sqrt(gamma**2 / 4 - 1 / 4)
    first, second = -gamma / 2 - root, -gamma / 2 + root  # eigenvalues
    if root:  # theta'' + gamma theta' + theta / 4 = 0, theta' = psi / 2 = 0 at the start
        expected = (second * cmath.exp(first * time) - first * cmath.exp(second * time)) / (second - first)
    else:
        expected = (1 + gamma * time / 2) * math.exp(-gamma * time / 2)
    assert theta / start == pytest.approx(complex(expected).real, abs=2e-3)


def test_it_converges_only_with_the_penalty():
    distance = {gamma: math.hypot(*dirac_game(gamma, rounds=2000)[-1]) for gamma in (0.0, 0.3, 1.0)}
    assert max(distance[0.3], distance[1.0]) < 1e-6
    assert distance[0.0] > 0.1
    # without the penalty, four times the number of rounds halves the distance
    assert distance[0.0] / math.hypot(*dirac_game(0.0, rounds=8000)[-1]) == pytest.approx(2, rel=0.05)
    assert len(dirac_game(1.0)) == 301
