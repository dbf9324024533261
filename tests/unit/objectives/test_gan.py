"""The GAN's losses in value and slope: at 0, at a logit of -8, at the best discriminator, far out."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from gmlib.errors import InputError
from gmlib.objectives import (
    MINIMAX,
    NON_SATURATING,
    NON_SATURATING_R1,
    WASSERSTEIN_CLIPPED,
    WASSERSTEIN_PENALTY,
    Adversarial,
    clip_weights_,
    critic_wasserstein,
    discriminator_bce,
    generator_minimax,
    generator_non_saturating,
    generator_wasserstein,
    gradient_penalty,
    r1_penalty,
)


def test_losses_at_scores_of_0():
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
    """At a logit of -8 the gradient of the minimax loss is 0.0003, that of the other nearly 1."""
    score = torch.tensor([logit], dtype=torch.float64)
    (minimax,) = torch.func.grad(lambda s: generator_minimax(s).sum())(score)
    (other,) = torch.func.grad(lambda s: generator_non_saturating(s).sum())(score)
    sigma = 1 / (1 + math.exp(-logit))
    assert minimax.item() == pytest.approx(-sigma, rel=1e-9)
    assert other.item() == pytest.approx(-(1 - sigma), rel=1e-9)


@pytest.mark.parametrize(("on_real", "on_fake"), [(0.0, 0.0), (-3.0, 2.0), (1.5, -4.0), (8.0, 8.0)])
def test_slopes_of_the_discriminators_loss(on_real, on_fake):
    """-(1 - D(x)) and D(x~): down the loss, real scores rise and fake ones fall, by no more than 1 a unit.

    The slope of a mean squared error would be 2 D (1 - D) (D - 1), which vanishes where the discriminator is wrong.
    """
    scores = torch.tensor([[on_real], [on_fake]], dtype=torch.float64)
    slopes = torch.func.grad(lambda s: discriminator_bce(*s).sum())(scores)
    assert slopes[0].item() == pytest.approx(-1 / (1 + math.exp(on_real)), rel=1e-9)
    assert slopes[1].item() == pytest.approx(1 / (1 + math.exp(-on_fake)), rel=1e-9)


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


# the penalty at real images


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_r1_of_critics_whose_slope_is_known():
    x, w = images(5, 2, 3, 4), images(2, 3, 4, seed=1)
    fake = images(5, 2, 3, 4, seed=2)
    linear = r1_penalty(lambda x, y: (w * x).flatten(1).sum(1), x, fake)
    torch.testing.assert_close(linear, (w**2).sum().expand(5))
    square = r1_penalty(lambda x, y: x.flatten(1).square().sum(1) / 2, x, fake, eps=images(5, 1, 1, 1))
    torch.testing.assert_close(square, x.flatten(1).square().sum(1))  # at the real images, wherever the fake ones are
    flat = r1_penalty(lambda x, y: 0 * x.flatten(1).sum(1), x, fake)
    assert torch.equal(flat, torch.zeros_like(flat))


def test_r1_shows_the_critic_the_labels():
    x, labels, steepness = images(4, 1, 2, 2), torch.tensor([2, 0, 1, 2]), torch.tensor([1.0, 3.0, 5.0]).double()
    penalty = r1_penalty(lambda x, y: steepness[y] * x[:, 0, 0, 0], x, x, labels)
    torch.testing.assert_close(penalty, steepness[labels] ** 2)


def test_r1_sends_gradients_to_the_critic_and_to_no_image():
    """For a critic sum tanh(w x) they are known: d/dw of (w sech²(w x))²."""
    x, fake = images(6, 1, 2, 2).requires_grad_(), images(6, 1, 2, 2).requires_grad_()
    w = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    r1_penalty(lambda x, y: (w * x).tanh().flatten(1).sum(1), x, fake).sum().backward()
    sech2, at = 1 - (w * x).detach().tanh() ** 2, x.detach()
    expected = 2 * w.detach() * sech2**2 * (1 - 2 * w.detach() * at * (w * x).detach().tanh())
    torch.testing.assert_close(w.grad, expected.sum())
    assert x.grad is None
    assert fake.grad is None


# objectives as data


def test_the_named_objectives_and_their_parts():
    named = {
        NON_SATURATING: (discriminator_bce, generator_non_saturating, None, 0.0, None),
        NON_SATURATING_R1: (discriminator_bce, generator_non_saturating, r1_penalty, 0.01, None),
        MINIMAX: (discriminator_bce, generator_minimax, None, 0.0, None),
        WASSERSTEIN_CLIPPED: (critic_wasserstein, generator_wasserstein, None, 0.0, 0.01),
        WASSERSTEIN_PENALTY: (critic_wasserstein, generator_wasserstein, gradient_penalty, 10.0, None),
    }
    for objective, parts in named.items():
        assert objective == Adversarial(*parts)
    assert str(MINIMAX) == "discriminator_bce, generator_minimax"
    assert str(WASSERSTEIN_CLIPPED) == "critic_wasserstein, generator_wasserstein, clip 0.01"
    assert str(WASSERSTEIN_PENALTY) == "critic_wasserstein, generator_wasserstein, 10 gradient_penalty"
    assert str(replace(WASSERSTEIN_CLIPPED, clip=(0.03, 0.02))).endswith("clip 0.03 0.02")


def test_an_objective_returns_the_mean_over_the_batch_and_weights_its_penalty():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 8.0])
    assert WASSERSTEIN_PENALTY.critic_loss(real, fake) == 2
    assert WASSERSTEIN_PENALTY.generator_loss(fake) == -4
    critic = nn.Sequential(nn.Flatten(), nn.Linear(4, 1), nn.Flatten(0))
    (x, other), eps = torch.rand(2, 5, 1, 2, 2), torch.rand(5, 1, 1, 1)

    def scored(images, label):
        return critic(images)

    found = WASSERSTEIN_PENALTY.critic_penalty(scored, x, other, None, eps)
    torch.testing.assert_close(found, 10 * gradient_penalty(scored, x, other, None, eps).mean())
    assert MINIMAX.critic_penalty(scored, x, other, None, eps) == 0


@pytest.mark.parametrize(
    ("clip", "bounds"),
    [(None, None), (0.01, [0.01] * 6), ((0.03, 0.02), [0.03] * 4 + [0.02] * 2)],
)
def test_a_bound_is_for_all_layers_or_one_per_layer(clip, bounds):
    """A norm belongs to the layer before it."""
    critic = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    for sign in (1.0, -1.0):
        with torch.no_grad():
            for parameter in critic.parameters():
                parameter.fill_(sign)
        replace(WASSERSTEIN_CLIPPED, clip=clip).constrain_weights_(critic)
        found = [sign * parameter.view(-1)[0].item() for parameter in critic.parameters()]
        assert found == pytest.approx([1.0] * 6 if bounds is None else bounds)


@pytest.mark.parametrize("changes", [{"weight": 1.0}, {"weight": -1.0}, {"penalty": r1_penalty}])
def test_a_penalty_and_its_weight_belong_together(changes):
    with pytest.raises(InputError, match="weight"):
        replace(NON_SATURATING, **changes)


@pytest.mark.parametrize("bound", [0.0, -0.01, math.nan, (), (0.1, 0.0), (0.1, 0.1, 0.1)])
def test_bounds_that_are_not_positive_or_not_one_per_layer(bound):
    with pytest.raises(InputError, match="bound"):
        clip_weights_(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1)), bound)


# shapes that would broadcast


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("shape", [(8, 1), (1,), (), (7,), (8, 1, 1, 1)])
def test_scores_that_are_not_one_number_per_image(shape):
    """The last layer of a student's own critic returns (b, 1): with (b,) that would be b × b pairs."""
    scores, other = torch.zeros(8), torch.zeros(shape)
    for loss in (discriminator_bce, critic_wasserstein):
        for real, fake in ((scores, other), (other, scores)):
            with pytest.raises(InputError, match="shape"):
                loss(real, fake)
    for loss in (generator_minimax, generator_non_saturating, generator_wasserstein) if len(shape) != 1 else ():
        with pytest.raises(InputError, match="shape"):
            loss(other)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("penalty", [r1_penalty, gradient_penalty])
def test_penalties_of_critics_with_other_scores(penalty):
    x = images(5, 2, 3, 4)
    for keep in (lambda s: s[:, None], lambda s: s.sum(), lambda s: s[:, None].expand(5, 3)):
        with pytest.raises(InputError, match="scores"):
            penalty(lambda x, y, keep=keep: keep(x.flatten(1).sum(1)), x, x)
