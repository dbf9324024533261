"""The GAN's losses in value and slope: at 0, at a logit of -8, at the best discriminator, far out."""

import math
import re
from dataclasses import FrozenInstanceError, replace

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
    critic_wasserstein,
    discriminator_bce,
    generator_minimax,
    generator_non_saturating,
    generator_wasserstein,
    gradient_penalty,
    r1_penalty,
)


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


# the games


def test_the_named_games_are_what_their_names_say():
    named = {
        NON_SATURATING: (discriminator_bce, generator_non_saturating, None, 0.0, None),
        NON_SATURATING_R1: (discriminator_bce, generator_non_saturating, r1_penalty, 0.01, None),
        MINIMAX: (discriminator_bce, generator_minimax, None, 0.0, None),
        WASSERSTEIN_CLIPPED: (critic_wasserstein, generator_wasserstein, None, 0.0, 0.01),
        WASSERSTEIN_PENALTY: (critic_wasserstein, generator_wasserstein, gradient_penalty, 10.0, None),
    }
    for game, parts in named.items():
        assert game == Adversarial(*parts)
    assert str(MINIMAX) == "discriminator_bce, generator_minimax"
    assert str(WASSERSTEIN_CLIPPED) == "critic_wasserstein, generator_wasserstein, clip 0.01"
    assert str(WASSERSTEIN_PENALTY) == "critic_wasserstein, generator_wasserstein, 10 gradient_penalty"
    with pytest.raises(FrozenInstanceError):
        MINIMAX.clip = 1.0


@pytest.mark.parametrize(
    ("game", "changes", "text"),
    [
        (WASSERSTEIN_PENALTY, {"clip": 0.01}, "clip and penalty together"),
        (WASSERSTEIN_CLIPPED, {"penalty": gradient_penalty, "weight": 10.0}, "clip and penalty together"),
        (NON_SATURATING, {"weight": 1.0}, "weight of 1 without a penalty"),
        (WASSERSTEIN_PENALTY, {"weight": 0.0}, "weight of 0 with a penalty"),
        (WASSERSTEIN_PENALTY, {"penalty": None}, "weight of 10 without a penalty"),
        (WASSERSTEIN_PENALTY, {"weight": -10.0}, "weight of -10 with a penalty"),
        (NON_SATURATING, {"weight": -1.0}, "weight of -1 without a penalty"),
        (WASSERSTEIN_CLIPPED, {"clip": 0.0}, "got clip 0.0"),
        (WASSERSTEIN_CLIPPED, {"clip": -0.01}, "got clip -0.01"),
        (WASSERSTEIN_CLIPPED, {"clip": math.nan}, "got clip nan"),
        (WASSERSTEIN_CLIPPED, {"clip": ()}, "got clip ()"),
        (WASSERSTEIN_CLIPPED, {"clip": (0.1, 0.0)}, "got clip (0.1, 0.0)"),
    ],
)
def test_games_that_make_no_sense(game, changes, text):
    with pytest.raises(ValueError, match=re.escape(text)) as caught:
        replace(game, **changes)
    assert "expected" in str(caught.value)


def test_a_penalty_goes_with_any_loss():
    assert replace(NON_SATURATING, penalty=gradient_penalty, weight=0.1).weight == 0.1
    assert replace(WASSERSTEIN_CLIPPED, clip=1.0).clip == 1


def test_an_objective_takes_the_mean_over_the_batch_and_weighs_its_penalty():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 8.0])
    assert WASSERSTEIN_PENALTY.critic_loss(real, fake) == 2
    assert WASSERSTEIN_PENALTY.generator_loss(fake) == -4
    critic = nn.Sequential(nn.Flatten(), nn.Linear(4, 1), nn.Flatten(0))
    x, y = torch.rand(2, 5, 1, 2, 2)
    eps = torch.rand(5, 1, 1, 1)

    def scored(images, label):
        return critic(images)

    found = WASSERSTEIN_PENALTY.critic_penalty(scored, x, y, None, eps)
    torch.testing.assert_close(found, 10 * gradient_penalty(scored, x, y, None, eps).mean())
    with pytest.raises(InputError, match="without a penalty"):
        MINIMAX.critic_penalty(scored, x, y, None, eps)


@pytest.mark.parametrize(
    ("clip", "bounds"),
    [(None, None), (0.01, [0.01] * 6), ((0.03, 0.02), [0.03] * 4 + [0.02] * 2)],
)
def test_a_bound_is_for_all_layers_or_one_per_layer(clip, bounds):
    """The norm belongs to the layer before it."""
    critic = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    before = [parameter.detach().clone() for parameter in critic.parameters()]
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.fill_(1.0)
    replace(WASSERSTEIN_CLIPPED, clip=clip).bound_(critic)
    found = [parameter.max().item() for parameter in critic.parameters()]
    assert found == pytest.approx([1.0] * 6 if bounds is None else bounds)
    assert [p.shape for p in critic.parameters()] == [p.shape for p in before]
    assert str(replace(WASSERSTEIN_CLIPPED, clip=(0.03, 0.02))).endswith("clip 0.03 0.02")


def test_a_bound_for_each_layer_needs_as_many_bounds_as_layers(refused):
    critic = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1))
    with refused("got 3 bounds for a critic of 2 layers", "one bound per layer"):
        replace(WASSERSTEIN_CLIPPED, clip=(0.1, 0.1, 0.1)).bound_(critic)


# shapes that would broadcast


@pytest.mark.parametrize("shape", [(8, 1), (1,), (), (7,), (8, 1, 1, 1)])
def test_scores_that_are_not_one_number_per_image(refused, unchecked, shape):
    """The last layer of a student's own critic gives (b, 1): with (b,) that would be b × b pairs."""
    scores, other = torch.zeros(8), torch.zeros(shape)
    for loss in (discriminator_bce, critic_wasserstein):
        for real, fake in ((scores, other), (other, scores)):
            with refused(f"of shape {shape}", "one number per image"):
                loss(real, fake)
    if len(shape) != 1:
        for loss in (generator_minimax, generator_non_saturating, generator_wasserstein):
            with refused(f"fake of shape {shape}", "one number per image"):
                loss(other)


@pytest.mark.parametrize("penalty", [r1_penalty, gradient_penalty])
def test_penalties_of_critics_and_images_of_other_shapes(refused, unchecked, penalty):
    x = images(5, 2, 3, 4)
    for keep in (lambda s: s[:, None], lambda s: s.sum(), lambda s: s[:, None].expand(5, 3)):
        with refused("scores of shape", "one number per image"):
            penalty(lambda x, y, keep=keep: keep(x.flatten(1).sum(1)), x, x)
    with refused("torch.int64", "floats"):
        penalty(lambda x, y: x.flatten(1).sum(1), x.long(), x.long())
    with refused("of shape (5, 24)", "(b, c, h, w)"):
        penalty(lambda x, y: x.sum(1), x.flatten(1), x.flatten(1))


@pytest.mark.parametrize("penalty", [r1_penalty, gradient_penalty])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_slope_needs_gradients(refused, penalty, mode):
    x = images(5, 2, 3, 4)
    with mode(), refused("torch.no_grad", "outside"):
        penalty(lambda x, y: x.flatten(1).sum(1), x, x)
