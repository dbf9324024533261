"""The GAN's losses in value and slope: at 0, at a logit of -8, at the best discriminator, far out."""

import math

import pytest
import torch

from gmlib.objectives import discriminator_bce, generator_minimax, generator_non_saturating


def test_a_discriminator_that_knows_nothing():
    zero = torch.zeros(3)
    torch.testing.assert_close(discriminator_bce(zero, zero), torch.full((3,), 2 * math.log(2)))
    torch.testing.assert_close(generator_minimax(zero), torch.full((3,), -math.log(2)))
    torch.testing.assert_close(generator_non_saturating(zero), torch.full((3,), math.log(2)))


def test_losses_are_those_of_probabilities():
    real, fake = torch.linspace(-5, 5, 11, dtype=torch.float64), torch.linspace(4, -6, 11, dtype=torch.float64)
    torch.testing.assert_close(discriminator_bce(real, fake), -real.sigmoid().log() - (1 - fake.sigmoid()).log())
    torch.testing.assert_close(generator_minimax(fake), (1 - fake.sigmoid()).log())
    torch.testing.assert_close(generator_non_saturating(fake), -fake.sigmoid().log())


@pytest.mark.parametrize("logit", [-8.0, -1.0, 0.0, 3.0])
def test_slopes_of_the_generators_losses(logit):
    """At a logit of -8, a sure discriminator, minimax leaves a slope of 0.0003, the other one of nearly 1."""
    score = torch.tensor([logit], dtype=torch.float64)
    (minimax,) = torch.func.grad(lambda s: generator_minimax(s).sum())(score)
    (other,) = torch.func.grad(lambda s: generator_non_saturating(s).sum())(score)
    sigma = 1 / (1 + math.exp(-logit))
    assert minimax.item() == pytest.approx(-sigma, rel=1e-9)
    assert other.item() == pytest.approx(-(1 - sigma), rel=1e-9)


def test_the_best_discriminator_pays_what_the_divergence_leaves():
    p, q = (
        torch.tensor([0.5, 0.3, 0.2, 0.0], dtype=torch.float64),
        torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64),
    )
    best = (p / q).log().clamp(-700, 700)
    m = (p + q) / 2
    js = 0.5 * torch.special.xlogy(p, p / m).sum() + 0.5 * torch.special.xlogy(q, q / m).sum()
    zero = torch.zeros_like(best)
    real = discriminator_bce(best, torch.full_like(zero, -torch.inf))  # -log D alone
    fake = discriminator_bce(torch.full_like(zero, torch.inf), best)  # -log(1 - D) alone
    value = (p * real).sum() + (q * fake).sum()
    assert value.item() == pytest.approx(math.log(4) - 2 * js.item(), rel=1e-9)


def test_nothing_overflows():
    far = torch.tensor([-1e4, 1e4])
    for loss in (
        discriminator_bce(far, -far),
        discriminator_bce(-far, far),
        generator_minimax(far),
        generator_non_saturating(far),
    ):
        assert loss.isfinite().all()
