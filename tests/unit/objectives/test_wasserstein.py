"""The Wasserstein objectives against scipy and critics whose slope is known everywhere, in float64."""

import itertools
import math
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


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(found: torch.Tensor, expected: torch.Tensor, rtol: float = 1e-12, atol: float = 1e-12) -> None:
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol)


# the losses


def best_critic(real: np.ndarray, fake: np.ndarray, x: np.ndarray) -> torch.Tensor:
    """The optimal critic on a line: it rises with slope 1 where real numbers lie to the right, else it falls."""
    knots = np.sort(np.concatenate([real, fake]))
    middle = (knots[1:] + knots[:-1]) / 2
    below = (fake[:, None] < middle).mean(0) - (real[:, None] < middle).mean(0)
    heights = np.concatenate([[0.0], np.cumsum(np.sign(below) * np.diff(knots))])
    return torch.from_numpy(np.interp(x, knots, heights))


@pytest.mark.parametrize("shift", [0.0, 0.3, -2.0])
def test_the_best_critic_of_slope_one_finds_the_distance_of_scipy(shift):
    real, fake = randn(300, seed=1).numpy(), (1.7 * randn(300, seed=2) + shift).numpy()
    distance = wasserstein_distance(real, fake)
    loss = critic_wasserstein(best_critic(real, fake, real), best_critic(real, fake, fake))
    assert loss.shape == (300,)
    assert -loss.mean().item() == pytest.approx(distance, rel=1e-12)
    # the loss is minimised, and no other critic of slope 1 comes lower
    for other in (np.sin, np.abs, np.tanh, lambda x: x, lambda x: -x, lambda x: np.abs(x - 1)):
        scores = torch.from_numpy(other(real)), torch.from_numpy(other(fake))
        assert critic_wasserstein(*scores).mean().item() > -distance - 1e-12


def test_losses_go_down_as_critic_and_generator_get_better():
    real, fake = randn(5, seed=1).requires_grad_(), randn(5, seed=2).requires_grad_()
    d_real, d_fake = grad(critic_wasserstein(real, fake).sum(), [real, fake])
    assert torch.equal(d_real, -torch.ones_like(d_real))  # the critic raises the scores of real images
    assert torch.equal(d_fake, torch.ones_like(d_fake))
    (d_fake,) = grad(generator_wasserstein(fake).sum(), [fake])
    assert torch.equal(d_fake, -torch.ones_like(d_fake))  # the generator raises those of its own
    assert torch.equal(generator_wasserstein(fake), -fake)
    assert torch.equal(critic_wasserstein(real, fake), fake - real)


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


class Seen:
    """A linear critic that remembers what it was given."""

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
        penalty = gradient_penalty(Seen(w), real, fake, eps=eps if eps is None else eps.double())
        close(penalty, ((norm - 1) ** 2).expand(7))
        # training goes through it: d (|w| - 1)^2 / dw = 2 (|w| - 1) w / |w|
        (slope,) = grad(penalty.mean(), [w])
        close(slope, 2 * (norm - 1) * w.detach() / norm)


def test_penalty_is_taken_at_the_given_mixtures(real, fake):
    eps = rand(7, 1, 1, 1, seed=4)
    mixture = torch.stack([e * r + (1 - e) * f for e, r, f in zip(eps.flatten(), real, fake, strict=True)])
    expected = torch.stack([(image.norm() - 1) ** 2 for image in mixture])
    assert expected.unique().numel() == 7
    close(gradient_penalty(half_square, real, fake, eps=eps), expected)
    ends = torch.ones_like(eps), torch.zeros_like(eps)
    for images, end in zip((real, fake), ends, strict=True):
        close(gradient_penalty(half_square, real, fake, eps=end), (images.flatten(1).norm(dim=1) - 1) ** 2)


def test_one_epsilon_an_image_is_drawn_from_the_global_generator(real, fake):
    n = 4000
    ones, zeros = torch.ones(n, 3, 4, 5), torch.zeros(n, 3, 4, 5)

    def mixtures(seed: int) -> torch.Tensor:
        critic = Seen(torch.ones(3, 4, 5))
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            gradient_penalty(critic, ones, zeros)
        return critic.x.flatten(1)

    eps = mixtures(1)[:, 0]
    assert torch.equal(mixtures(1), eps.unsqueeze(1).expand(n, 60))  # the same for all pixels and channels
    assert torch.equal(mixtures(1)[:, 0], eps)
    assert not torch.equal(mixtures(2)[:, 0], eps)
    assert len(eps.unique()) > 0.99 * n  # another for each image
    # uniform: the largest distance between distribution functions, at five times its usual size
    steps = (torch.arange(n) + 0.5) / n
    assert (eps.sort().values - steps).abs().max() < 5 * 0.87 / math.sqrt(n)


def test_penalty_sends_gradients_to_the_critic_and_to_no_image():
    real, fake, w = (each.requires_grad_() for each in (rand(4, 1, 2, 2), rand(4, 1, 2, 2, seed=1), randn(1, 2, 2)))
    gradient_penalty(lambda x, y: (w * x**3).flatten(1).sum(1), real, fake).sum().backward()
    assert w.grad.abs().min() > 0
    assert real.grad is None
    assert fake.grad is None


def test_penalty_of_a_flat_critic_has_a_finite_gradient(real, fake):
    w = torch.zeros(3, 4, 5, dtype=torch.float64, requires_grad=True)
    penalty = gradient_penalty(Seen(w), real, fake)
    assert torch.equal(penalty, torch.ones(7, dtype=torch.float64))
    (slope,) = grad(penalty.sum(), [w])
    assert slope.isfinite().all()


@pytest.mark.parametrize("penalty", [gradient_penalty, r1_penalty])
@pytest.mark.parametrize("network", [partial(MLPCritic, hidden=(9, 6), dropout=0.0), partial(DCCritic, width=2)])
def test_training_through_the_slope_is_what_finite_differences_find(penalty, network):
    """Backward through a backward, of the networks that are trained: along random ways through all their weights."""
    torch.manual_seed(0)
    critic = network().double()
    weights = list(critic.parameters())
    with torch.no_grad():
        for weight in weights:
            weight.mul_(5)
    images, eps = (rand(3, 1, 28, 28, seed=1), rand(3, 1, 28, 28, seed=2)), rand(3, 1, 1, 1, seed=3)

    def penalise() -> torch.Tensor:
        return penalty(critic, *images, None, eps).sum()

    slopes = grad(penalise(), weights, allow_unused=True, materialize_grads=True)  # a shift of the score has no slope
    for seed in range(4):
        way = [randn(*weight.shape, seed=10 * seed + i) for i, weight in enumerate(weights)]
        ends = []
        for step in (1e-6, -1e-6):
            with torch.no_grad():
                for weight, direction in zip(weights, way, strict=True):
                    weight.add_(step * direction)
            ends.append(penalise().item())
            with torch.no_grad():
                for weight, direction in zip(weights, way, strict=True):
                    weight.sub_(step * direction)
        along = sum(float((slope * direction).sum()) for slope, direction in zip(slopes, way, strict=True))
        assert abs(along) > 1e-3
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(along, rel=1e-5)


def test_critic_sees_the_labels(real, fake):
    labels, steepness = torch.tensor([2, 0, 1, 2, 2, 1, 0]), torch.tensor([0.1, 0.5, 2.0], dtype=torch.float64)
    penalty = gradient_penalty(lambda x, y: steepness[y] * x[:, 0, 0, 0], real, fake, labels)
    close(penalty, (steepness[labels] - 1) ** 2)
    critic = Seen(torch.ones(3, 4, 5))
    gradient_penalty(critic, real, fake)
    assert critic.y is None


@pytest.mark.usefixtures("unchecked")
def test_images_and_epsilons_that_would_broadcast_are_refused(real, fake):
    for other in (fake[:1], fake[:, :1], fake[..., :1]):
        with pytest.raises(InputError, match="shape"):
            gradient_penalty(half_square, real, other)
    for shape in ((7, 1, 4, 5), (7, 3, 1, 1), (1, 1, 1, 1), (5,), (7,)):
        with pytest.raises(InputError, match="eps"):
            gradient_penalty(half_square, real, fake, eps=rand(*shape))


# clipping


def test_clipping_bounds_parameters_and_leaves_buffers_and_what_is_within():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        critic = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 1))
        critic(torch.randn(20, 6) + 3)  # moves the running statistics beyond the bound
    parameters = {name: p.detach().clone() for name, p in critic.named_parameters()}
    buffers = {name: buffer.clone() for name, buffer in critic.named_buffers()}
    assert max(buffer.abs().max() for buffer in buffers.values()) > 0.2
    identities = [id(p) for p in critic.parameters()]

    assert clip_weights_(critic, 0.2) is None
    for name, p in critic.named_parameters():
        assert torch.equal(p, torch.from_numpy(np.clip(parameters[name].numpy(), np.float32(-0.2), np.float32(0.2))))
        assert p.requires_grad
    assert any((p.abs() < 0.2).any() for p in critic.parameters())
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in critic.named_buffers())
    assert [id(p) for p in critic.parameters()] == identities

    once = {name: p.detach().clone() for name, p in critic.named_parameters()}
    for again in (0.2, 0.5):  # a second time, or with a wider bound, it does nothing
        clip_weights_(critic, again)
        assert all(torch.equal(p, once[name]) for name, p in critic.named_parameters())


def test_a_clipped_linear_critic_is_no_steeper_than_its_bound():
    critic = nn.Linear(9, 1, dtype=torch.float64)
    for bound, sign in itertools.product((0.01, 0.1), (1, -1)):
        nn.init.constant_(critic.weight, 5.0 * sign)
        clip_weights_(critic, bound)
        penalty = gradient_penalty(lambda x, y: critic(x.flatten(1))[:, 0], rand(2, 1, 3, 3), rand(2, 1, 3, 3))
        close(penalty, torch.full_like(penalty, (3 * bound - 1) ** 2))
