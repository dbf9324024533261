"""The losses of GANs in value and gradient, the penalty R1, and the objects that combine them."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gmlib.errors import InputError
from gmlib.objectives import (
    MINIMAX,
    NON_SATURATING,
    NON_SATURATING_R1,
    RELATIVISTIC,
    WASSERSTEIN_CLIPPED,
    WASSERSTEIN_PENALTY,
    Adversarial,
    clip_weights_,
    critic_relativistic,
    critic_wasserstein,
    discriminator_bce,
    generator_minimax,
    generator_non_saturating,
    generator_relativistic,
    generator_wasserstein,
    gradient_penalty,
    r1_penalty,
    r1_r2_penalty,
)


def test_losses_are_logarithms_of_probabilities():
    real, fake = torch.linspace(-5, 5, 11, dtype=torch.float64), torch.linspace(4, -6, 11, dtype=torch.float64)
    torch.testing.assert_close(discriminator_bce(real, fake), -real.sigmoid().log() - (1 - fake.sigmoid()).log())
    torch.testing.assert_close(generator_minimax(fake), (1 - fake.sigmoid()).log())
    torch.testing.assert_close(generator_non_saturating(fake), -fake.sigmoid().log())


@pytest.mark.parametrize("logit", [-8.0, -1.0, 0.0, 3.0])
def test_gradients_of_the_generators_losses(logit):
    score = torch.tensor([logit], dtype=torch.float64)
    (minimax,) = torch.func.grad(lambda s: generator_minimax(s).sum())(score)
    (non_saturating,) = torch.func.grad(lambda s: generator_non_saturating(s).sum())(score)
    sigma = 1 / (1 + math.exp(-logit))
    assert minimax.item() == pytest.approx(-sigma, rel=1e-9)
    assert non_saturating.item() == pytest.approx(-(1 - sigma), rel=1e-9)


@pytest.mark.parametrize(("real", "fake"), [(0.0, 0.0), (-3.0, 2.0), (8.0, 8.0)])
def test_gradients_of_the_discriminators_loss(real, fake):
    scores = torch.tensor([[real], [fake]], dtype=torch.float64)
    slopes = torch.func.grad(lambda s: discriminator_bce(*s).sum())(scores)
    assert slopes[0].item() == pytest.approx(-1 / (1 + math.exp(real)), rel=1e-9)  # -(1 - D(x))
    assert slopes[1].item() == pytest.approx(1 / (1 + math.exp(-fake)), rel=1e-9)  # D(x~)


def test_losses_of_extreme_scores_are_finite():
    far = torch.tensor([-1e4, 1e4])
    for loss in (
        discriminator_bce(far, -far),
        discriminator_bce(-far, far),
        generator_minimax(far),
        generator_non_saturating(far),
    ):
        assert loss.isfinite().all()


# the penalty R1


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_r1_of_critics_whose_gradient_is_known():
    x, w = images(5, 2, 3, 4), images(2, 3, 4, seed=1)
    fake = images(5, 2, 3, 4, seed=2)
    linear = r1_penalty(lambda x, y: (w * x).flatten(1).sum(1), x, fake)
    torch.testing.assert_close(linear, (w**2).sum().expand(5))
    square = r1_penalty(lambda x, y: x.flatten(1).square().sum(1) / 2, x, fake, eps=images(5, 1, 1, 1))
    torch.testing.assert_close(square, x.flatten(1).square().sum(1))  # at the real images


def test_r1_passes_the_labels_to_the_critic():
    x, labels, steepness = images(4, 1, 2, 2), torch.tensor([2, 0, 1, 2]), torch.tensor([1.0, 3.0, 5.0]).double()
    penalty = r1_penalty(lambda x, y: steepness[y] * x[:, 0, 0, 0], x, x, labels)
    torch.testing.assert_close(penalty, steepness[labels] ** 2)


def test_r1_has_gradients_in_the_critic_and_not_in_the_images():
    """For the critic sum tanh(w x), the gradient of the penalty is that of the sum of (w sech²(w x))² in w."""
    x, fake = images(6, 1, 2, 2).requires_grad_(), images(6, 1, 2, 2).requires_grad_()
    w = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    r1_penalty(lambda x, y: (w * x).tanh().flatten(1).sum(1), x, fake).sum().backward()
    weight, pixels = w.detach(), x.detach()
    tanh = (weight * pixels).tanh()
    expected = 2 * weight * (1 - tanh**2) ** 2 * (1 - 2 * weight * pixels * tanh)
    torch.testing.assert_close(w.grad, expected.sum())
    assert x.grad is None
    assert fake.grad is None


def test_relativistic_losses_compare_real_and_generated_scores():
    """In value and gradient the cross-entropy of the difference of scores; both losses are 0 for the winner."""
    real, fake = torch.tensor([1.0, -2.0, 30.0]).double(), torch.tensor([3.0, -2.0, -700.0]).double()
    for scores in (real, fake):
        scores.requires_grad_()
    for loss, a, b in ((critic_relativistic, real, fake), (generator_relativistic, fake, real)):
        value = loss(a, b)
        expected = F.binary_cross_entropy_with_logits(a - b, torch.ones(3).double(), reduction="none")
        torch.testing.assert_close(value, expected)
        slopes, by_torch = (torch.autograd.grad(total.sum(), (a, b)) for total in (value, expected))
        torch.testing.assert_close(slopes, by_torch)
        assert value[1].item() == pytest.approx(math.log(2))
    assert critic_relativistic(real, fake)[2] < 1e-300
    assert generator_relativistic(fake, real)[2] == 730


def test_r1_and_r2_are_the_squared_slopes_at_real_and_at_generated_images():
    """For l(x) = |x|²/2 the slope at x is x itself."""
    x, fake = images(5, 2, 3, 4), images(5, 2, 3, 4) + 1
    penalty = r1_r2_penalty(lambda x, y: x.flatten(1).square().sum(1) / 2, x, fake)
    torch.testing.assert_close(penalty, (x.square() + fake.square()).sum((1, 2, 3)))


# objects that combine losses


def test_the_named_objectives():
    named = {
        NON_SATURATING: (discriminator_bce, generator_non_saturating, None, 0.0, None),
        NON_SATURATING_R1: (discriminator_bce, generator_non_saturating, r1_penalty, 0.01, None),
        MINIMAX: (discriminator_bce, generator_minimax, None, 0.0, None),
        WASSERSTEIN_CLIPPED: (critic_wasserstein, generator_wasserstein, None, 0.0, 0.01),
        WASSERSTEIN_PENALTY: (critic_wasserstein, generator_wasserstein, gradient_penalty, 10.0, None),
        RELATIVISTIC: (critic_relativistic, generator_relativistic, r1_r2_penalty, 0.01, None, True),
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

    def scores(images, labels):
        return critic(images)

    penalty = WASSERSTEIN_PENALTY.critic_penalty(scores, x, other, None, eps)
    torch.testing.assert_close(penalty, 10 * gradient_penalty(scores, x, other, None, eps).mean())
    assert MINIMAX.critic_penalty(scores, x, other, None, eps) == 0


@pytest.mark.parametrize(
    ("clip", "bounds"),
    [(None, None), (0.01, [0.01] * 6), ((0.03, 0.02), [0.03] * 4 + [0.02] * 2)],
)
def test_a_bound_is_for_all_layers_or_one_per_layer(clip, bounds):
    """Scale and shift of a normalisation have the bound of the layer before it."""
    critic = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    for sign in (1.0, -1.0):
        with torch.no_grad():
            for parameter in critic.parameters():
                parameter.fill_(sign)
        replace(WASSERSTEIN_CLIPPED, clip=clip).constrain_weights_(critic)
        found = [sign * parameter.view(-1)[0].item() for parameter in critic.parameters()]
        assert found == pytest.approx([1.0] * 6 if bounds is None else bounds)


# refused arguments


@pytest.mark.parametrize("changes", [{"weight": 1.0}, {"weight": -1.0}, {"penalty": r1_penalty}])
def test_a_penalty_without_a_weight_and_a_weight_without_a_penalty_are_refused(changes):
    with pytest.raises(InputError, match="weight"):
        replace(NON_SATURATING, **changes)


@pytest.mark.parametrize("bound", [0.0, math.nan, (), (0.1, 0.0), (0.1, 0.1, 0.1)])
def test_bounds_that_are_not_positive_or_not_one_per_layer_are_refused(bound):
    with pytest.raises(InputError, match="bound"):
        clip_weights_(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1)), bound)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("shape", [(8, 1), (1,), ()])
def test_scores_that_are_not_one_number_per_image_are_refused(shape):
    """A critic whose last layer returns (b, 1) would be scored on b × b pairs of images."""
    scores, other = torch.zeros(8), torch.zeros(shape)
    for loss in (discriminator_bce, critic_wasserstein, critic_relativistic, generator_relativistic):
        for real, fake in ((scores, other), (other, scores)):
            with pytest.raises(InputError, match="shape"):
                loss(real, fake)
    for loss in (generator_minimax, generator_non_saturating, generator_wasserstein) if len(shape) != 1 else ():
        with pytest.raises(InputError, match="shape"):
            loss(other)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("penalty", [r1_penalty, r1_r2_penalty, gradient_penalty])
def test_penalties_refuse_critics_whose_scores_are_not_one_number_per_image(penalty):
    x = images(5, 2, 3, 4)
    for reshape in (lambda s: s[:, None], lambda s: s.sum()):
        with pytest.raises(InputError, match="scores"):
            penalty(lambda x, y, reshape=reshape: reshape(x.flatten(1).sum(1)), x, x)
