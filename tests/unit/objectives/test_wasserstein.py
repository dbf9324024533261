"""The Wasserstein objectives against scipy and critics whose gradient is known everywhere, in float64."""

import itertools
from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import nn
from torch.autograd import grad

from gmlib.errors import InputError
from gmlib.models import DCCritic, MLPCritic
from gmlib.objectives import (
    clip_weights_,
    critic_wasserstein,
    generator_wasserstein,
    gradient_penalty,
    r1_penalty,
)
from gmlib.toy import optimal_critic


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(found: torch.Tensor, expected: torch.Tensor, rtol: float = 1e-12, atol: float = 1e-12) -> None:
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol)


# the losses


def test_the_loss_of_the_optimal_critic_is_minus_the_distance_of_scipy():
    real, fake = randn(300, seed=1).numpy(), (1.7 * randn(300, seed=2) + 0.3).numpy()
    points = torch.from_numpy(np.concatenate([real, fake]))
    p = torch.cat([torch.ones(300), torch.zeros(300)]).double() / 300
    scores = optimal_critic(p, p.flip(0), points)
    loss = critic_wasserstein(scores[:300], scores[300:])
    assert loss.shape == (300,)
    assert -loss.mean().item() == pytest.approx(wasserstein_distance(real, fake), rel=1e-12)


def test_gradients_raise_the_scores_of_real_images_and_then_of_generated_ones():
    real, fake = randn(5, seed=1).requires_grad_(), randn(5, seed=2).requires_grad_()
    assert torch.equal(critic_wasserstein(real, fake), fake - real)
    assert torch.equal(generator_wasserstein(fake), -fake)
    d_real, d_fake = grad(critic_wasserstein(real, fake).sum(), [real, fake])
    assert torch.equal(d_real, -torch.ones_like(d_real))
    assert torch.equal(d_fake, torch.ones_like(d_fake))


# the gradient penalty


@pytest.fixture
def real() -> torch.Tensor:
    return rand(7, 3, 4, 5, seed=1)


@pytest.fixture
def fake() -> torch.Tensor:
    return rand(7, 3, 4, 5, seed=2)


def half_square(x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
    """A critic whose gradient at x is x."""
    return 0.5 * (x**2).flatten(1).sum(1)


class LinearCritic:
    """A linear critic that keeps its last arguments."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight

    def __call__(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        self.x, self.y = x.detach(), y
        return (self.weight * x).flatten(1).sum(1)


@pytest.mark.parametrize("scale", [0.02, 1.0])  # norms below and above 1
def test_penalty_of_a_linear_critic_is_the_same_everywhere(real, fake, scale):
    w = (scale * randn(3, 4, 5, seed=3)).requires_grad_()
    norm = w.detach().norm()
    for eps in (None, torch.zeros(7, 1, 1, 1), torch.ones(7, 1, 1, 1), rand(7, 1, 1, 1)):
        penalty = gradient_penalty(LinearCritic(w), real, fake, eps=eps if eps is None else eps.double())
        close(penalty, ((norm - 1) ** 2).expand(7))
        # d (|w| - 1)² / dw = 2 (|w| - 1) w / |w|
        (slope,) = grad(penalty.mean(), [w])
        close(slope, 2 * (norm - 1) * w.detach() / norm)


def test_penalty_is_taken_at_the_given_mixtures(real, fake):
    eps = rand(7, 1, 1, 1, seed=4)
    mixtures = [e * r + (1 - e) * f for e, r, f in zip(eps.flatten(), real, fake, strict=True)]
    expected = torch.stack([(mixture.norm() - 1) ** 2 for mixture in mixtures])
    close(gradient_penalty(half_square, real, fake, eps=eps), expected)


def test_one_eps_per_image_is_drawn_uniformly_from_the_global_generator(real, fake):
    n = 4000
    critic = LinearCritic(torch.ones(3, 4, 5))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        gradient_penalty(critic, torch.ones(n, 3, 4, 5), torch.zeros(n, 3, 4, 5))
        torch.manual_seed(1)
        eps = torch.rand(n, 1, 1, 1)
    assert torch.equal(critic.x, eps.expand(n, 3, 4, 5))


def test_penalty_has_gradients_in_the_critic_and_not_in_the_images():
    real, fake, w = (t.requires_grad_() for t in (rand(4, 1, 2, 2), rand(4, 1, 2, 2, seed=1), randn(1, 2, 2)))
    gradient_penalty(lambda x, y: (w * x**3).flatten(1).sum(1), real, fake).sum().backward()
    assert w.grad.abs().min() > 0
    assert real.grad is None
    assert fake.grad is None


def test_penalty_of_a_constant_critic_has_a_finite_gradient(real, fake):
    w = torch.zeros(3, 4, 5, dtype=torch.float64, requires_grad=True)
    penalty = gradient_penalty(LinearCritic(w), real, fake)
    assert torch.equal(penalty, torch.ones(7, dtype=torch.float64))
    (slope,) = grad(penalty.sum(), [w])
    assert slope.isfinite().all()


@pytest.mark.parametrize("penalty", [gradient_penalty, r1_penalty])
@pytest.mark.parametrize("network", [partial(MLPCritic, hidden=(9, 6), dropout=0.0), partial(DCCritic, width=2)])
def test_gradients_of_penalties_are_finite_differences(penalty, network):
    """Second derivatives of the critics that are trained, along random directions in the space of their weights."""
    torch.manual_seed(0)
    critic = network().double()
    weights = list(critic.parameters())
    with torch.no_grad():
        for weight in weights:
            weight.mul_(5)
    images, eps = (rand(3, 1, 28, 28, seed=1), rand(3, 1, 28, 28, seed=2)), rand(3, 1, 1, 1, seed=3)

    def value(step: float, directions: list[torch.Tensor]) -> torch.Tensor:
        moved = [weight + step * direction for weight, direction in zip(weights, directions, strict=True)]
        names = dict(zip(dict(critic.named_parameters()), moved, strict=True))
        return penalty(lambda x, y: torch.func.functional_call(critic, names, (x, y)), *images, None, eps).sum()

    for seed in range(2):
        directions = [randn(*weight.shape, seed=10 * seed + i) for i, weight in enumerate(weights)]
        # the penalty does not depend on the bias of the score
        slopes = grad(value(0.0, directions), weights, allow_unused=True, materialize_grads=True)
        along = sum(float((slope * direction).sum()) for slope, direction in zip(slopes, directions, strict=True))
        assert abs(along) > 1e-3
        difference = (value(1e-6, directions) - value(-1e-6, directions)).item()
        assert difference / 2e-6 == pytest.approx(along, rel=1e-5)


def test_penalty_passes_the_labels_to_the_critic(real, fake):
    labels, steepness = torch.tensor([2, 0, 1, 2, 2, 1, 0]), torch.tensor([0.1, 0.5, 2.0], dtype=torch.float64)
    penalty = gradient_penalty(lambda x, y: steepness[y] * x[:, 0, 0, 0], real, fake, labels)
    close(penalty, (steepness[labels] - 1) ** 2)
    critic = LinearCritic(torch.ones(3, 4, 5))
    gradient_penalty(critic, real, fake)
    assert critic.y is None


@pytest.mark.usefixtures("unchecked")
def test_images_and_eps_that_would_broadcast_are_refused(real, fake):
    for other in (fake[:1], fake[:, :1], fake[..., :1]):
        with pytest.raises(InputError, match="shape"):
            gradient_penalty(half_square, real, other)
    for shape in ((7, 1, 4, 5), (1, 1, 1, 1), (7,)):
        with pytest.raises(InputError, match="eps"):
            gradient_penalty(half_square, real, fake, eps=rand(*shape))


# clipping


def test_clipping_bounds_parameters_and_changes_no_buffer():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        critic = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 1))
        critic(torch.randn(20, 6) + 3)  # moves the running statistics beyond the bound
    parameters = [parameter.detach().clone() for parameter in critic.parameters()]
    buffers = [buffer.clone() for buffer in critic.buffers()]
    assert max(buffer.abs().max() for buffer in buffers) > 0.2
    clip_weights_(critic, 0.2)
    assert any((parameter.abs() < 0.2).any() for parameter in critic.parameters())
    for parameter, before in zip(critic.parameters(), parameters, strict=True):
        assert torch.equal(parameter, before.clamp(-0.2, 0.2))
    assert all(torch.equal(buffer, before) for buffer, before in zip(critic.buffers(), buffers, strict=True))


def test_a_clipped_linear_critic_has_the_gradient_of_its_bound():
    critic = nn.Linear(9, 1, dtype=torch.float64)
    for bound, sign in itertools.product((0.01, 0.1), (1, -1)):
        nn.init.constant_(critic.weight, 5.0 * sign)
        clip_weights_(critic, bound)
        penalty = gradient_penalty(lambda x, y: critic(x.flatten(1))[:, 0], rand(2, 1, 3, 3), rand(2, 1, 3, 3))
        close(penalty, torch.full_like(penalty, (3 * bound - 1) ** 2))
