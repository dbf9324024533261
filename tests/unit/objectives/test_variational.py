"""The objectives against torch.distributions and closed forms, value and gradient, in float64."""

import math

import pytest
import torch
from torch.autograd import grad
from torch.distributions import Bernoulli, Normal, kl_divergence

from gmlib.errors import InputError
from gmlib.objectives import bernoulli_log_prob, elbo, gaussian_kl, gaussian_log_prob, iwae_bound, relaxed_elbo
from gmlib.toy import LinearGaussian


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(found: torch.Tensor, expected: torch.Tensor, rtol: float = 1e-12, atol: float = 1e-12) -> None:
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol)


# the KL divergence


def test_gaussian_kl_is_that_of_torch():
    mu, logvar = randn(50, 3, seed=1), randn(50, 3, seed=2)
    q = Normal(mu, (0.5 * logvar).exp())
    close(gaussian_kl(mu, logvar), kl_divergence(q, Normal(0.0, 1.0)).sum(1))


def test_gaussian_kl_gradient():
    mu, logvar = randn(8, 3, seed=3).requires_grad_(), randn(8, 3, seed=4).requires_grad_()
    d_mu, d_logvar = grad(gaussian_kl(mu, logvar).sum(), [mu, logvar])
    close(d_mu, mu.detach())
    close(d_logvar, (logvar.detach().exp() - 1) / 2)


# log-probabilities


def test_bernoulli_is_that_of_torch_summed_over_pixels():
    x, logits = (randn(6, 2, 3, 5) > 0).double(), 3 * randn(6, 2, 3, 5, seed=1)
    close(bernoulli_log_prob(x, logits), Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3)))


def test_bernoulli_gradient_is_x_minus_the_probability():
    x, logits = (randn(4, 1, 5, 5) > 0).double(), 3 * randn(4, 1, 5, 5, seed=1).requires_grad_()
    (found,) = grad(bernoulli_log_prob(x, logits).sum(), [logits])
    close(found, x - torch.sigmoid(logits.detach()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bernoulli_is_stable_at_extreme_logits(dtype):
    x = torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=dtype).reshape(4, 1, 1, 1)
    logits = torch.tensor([100.0, 100.0, -100.0, -100.0], dtype=dtype).reshape(4, 1, 1, 1).requires_grad_()
    found = bernoulli_log_prob(x, logits)
    torch.testing.assert_close(found, torch.tensor([-100.0, 0, 0, -100.0], dtype=dtype), rtol=1e-7, atol=1e-30)
    (slope,) = grad(found.sum(), [logits])
    torch.testing.assert_close(slope.flatten(), torch.tensor([-1.0, 0, 0, 1.0], dtype=dtype), rtol=1e-7, atol=1e-30)


def test_logits_below_minus_28_are_exact_to_1e_12_nats():
    """Of a pixel of 0: log(1 + e^l) down to l = -28, and 0 below."""
    logits = torch.linspace(-40, -20, 401, dtype=torch.float64) - 0.01
    found = -bernoulli_log_prob(torch.zeros(401, 1, 1, 1).double(), logits.view(401, 1, 1, 1))
    exact = logits.exp().log1p()
    close(found, exact, rtol=0, atol=1e-12)
    close(found[logits > -28], exact[logits > -28], rtol=1e-12, atol=0)
    assert found[logits < -28].max() < 1e-30


def test_gaussian_log_prob_is_that_of_torch():
    mu, logvar = randn(7, 3, seed=1), randn(7, 3, seed=2)
    oracle = Normal(mu, (0.5 * logvar).exp())
    for z in (randn(7, 3), randn(4, 7, 3)):  # one point per image, and four
        close(gaussian_log_prob(z, mu, logvar), oracle.log_prob(z).sum(-1))


def test_gaussian_log_prob_gradient():
    z, mu, logvar = (randn(7, 3, seed=seed).requires_grad_() for seed in range(3))
    d_z, d_mu, d_logvar = grad(gaussian_log_prob(z, mu, logvar).sum(), [z, mu, logvar])
    distance, variance = (z - mu).detach(), logvar.detach().exp()
    close(d_z, -distance / variance)
    close(d_mu, distance / variance)
    close(d_logvar, (distance**2 / variance - 1) / 2)


# the bounds, on a model whose likelihood is known


@pytest.fixture
def model() -> LinearGaussian:
    """Orthogonal columns, so that the exact posterior has a diagonal covariance."""
    columns, _ = torch.linalg.qr(randn(5, 2, seed=10))
    return LinearGaussian(columns * torch.tensor([1.5, 0.7], dtype=torch.float64), randn(5, seed=11), 0.6)


@pytest.fixture
def x(model) -> torch.Tensor:
    return model.sample(6, torch.Generator().manual_seed(12))


def exact_posterior(model: LinearGaussian, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean, covariance = model.posterior(x)
    variance = covariance.diagonal()
    close(covariance, torch.diag(variance))
    return mean, variance.log().expand_as(mean).clone()


def model_elbo(model: LinearGaussian, x: torch.Tensor, mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    return elbo(model.expected_log_px(x, mu, logvar), gaussian_kl(mu, logvar))


def test_elbo_gradient_vanishes_at_the_exact_posterior_and_points_to_it(model, x):
    mean, best = exact_posterior(model, x)
    for shift in (0.0, 0.3):
        mu, logvar = (mean + shift).requires_grad_(), (best + shift).requires_grad_()
        d_mu, d_logvar = grad(model_elbo(model, x, mu, logvar).sum(), [mu, logvar])
        # the gap is a KL divergence from N(m, s²): its gradients are (mu - m) / s² and (sigma² / s² - 1) / 2
        close(d_mu, -shift / best.exp(), rtol=1e-10, atol=1e-10)
        close(d_logvar, -torch.full_like(best, (math.exp(shift) - 1) / 2), rtol=1e-10, atol=1e-10)


def test_iwae_bound_is_the_log_of_the_mean_weight():
    weights = torch.tensor([[1.0, 2.0], [3.0, 8.0]], dtype=torch.float64)  # means 2 and 5
    expected = torch.tensor([2.0, 5.0], dtype=torch.float64).log()
    close(iwae_bound(weights.log()), expected)
    close(iwae_bound(weights.log() - 5000), expected - 5000)  # weights far below the smallest float
    log_w = weights.log().requires_grad_()
    (slope,) = grad(iwae_bound(log_w).sum(), [log_w])
    close(slope, weights / weights.sum(0))


@pytest.mark.parametrize("k", [1, 2, 17])
def test_iwae_bound_of_the_exact_posterior_is_the_likelihood_for_every_draw(model, x, k):
    log_w = model.log_weights(x, *exact_posterior(model, x), k, torch.Generator().manual_seed(k))
    close(log_w, model.log_prob(x).expand(k, -1), rtol=0, atol=1e-10)
    close(iwae_bound(log_w), model.log_prob(x), rtol=0, atol=1e-10)


def test_iwae_bound_increases_from_the_elbo_to_the_likelihood(model, x):
    mean, best = exact_posterior(model, x)
    x, mu, logvar = x[:1], mean[:1] + 0.5, best[:1] + 0.6  # wider than the posterior, so that weights are bounded
    draws, truth = 20_000, model.log_prob(x).item()
    copies = [tensor.expand(draws, -1) for tensor in (x, mu, logvar)]
    bounds = {k: iwae_bound(model.log_weights(*copies, k, torch.Generator().manual_seed(k))) for k in (1, 4, 16)}
    low = {k: (bound.mean() - 5 * bound.std() / math.sqrt(draws)).item() for k, bound in bounds.items()}
    high = {k: (bound.mean() + 5 * bound.std() / math.sqrt(draws)).item() for k, bound in bounds.items()}
    assert low[1] < model_elbo(model, x, mu, logvar).item() < high[1] < low[4] < high[4] < low[16] < high[16] < truth
    for k, bound in bounds.items():  # the mean weight is an unbiased estimate of p(x)
        ratio = (bound - truth).exp()
        assert abs(ratio.mean().item() - 1) < 5 * ratio.std().item() / math.sqrt(draws), k


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("free", [0.0, 2.0, 5.0])
def test_relaxed_elbo_weights_the_mean_kl_above_the_free_nats(weight, free):
    log_px, kl = randn(4, seed=1).requires_grad_(), torch.tensor([0.0, 1.0, 4.0, 7.0]).double().requires_grad_()
    bound = relaxed_elbo(log_px, kl, weight, free)
    close(bound.mean(), log_px.mean() - weight * max(3.0, free))  # the mean KL is 3
    d_log_px, d_kl = grad(bound.mean(), [log_px, kl])
    close(d_log_px, torch.full_like(log_px, 1 / 4))
    close(d_kl, torch.full_like(kl, -weight / 4 if free < 3 else 0.0))


@pytest.mark.parametrize("logvar", [-90.0, -170.0])
def test_gaussian_log_prob_of_a_tiny_variance_is_finite_in_float32(logvar):
    """At the mean it is -log sigma - log(2 pi) / 2; 0 / sigma² would be NaN, since 1 / sigma² is infinite."""
    mu = torch.tensor([[0.7, -1.3]])
    found = gaussian_log_prob(mu, mu, torch.full_like(mu, logvar))
    torch.testing.assert_close(found, torch.tensor([-logvar - math.log(2 * math.pi)]), rtol=1e-6, atol=0)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (bernoulli_log_prob, [(8, 28, 28), (8, 1, 28, 28)]),
        (bernoulli_log_prob, [(8, 1, 28, 28), (8, 1, 28, 1)]),
        *((gaussian_kl, [(8, 2), shape]) for shape in [(1, 2), (2,)]),
        *((gaussian_log_prob, [(8, 2), (8, 2), shape]) for shape in [(1, 2), (2,)]),
        *((gaussian_log_prob, [shape, (8, 2), (8, 2)]) for shape in [(1, 2), (2,), (8, 1, 2)]),
        *((bound, [(8,), shape]) for bound in (elbo, relaxed_elbo) for shape in [(8, 1), (1,), ()]),
        *((iwae_bound, [shape]) for shape in [(8,), (2, 8, 1)]),
    ],
)
def test_shapes_that_would_broadcast_are_refused(function, shapes):
    with pytest.raises(InputError, match="shape"):
        function(*(torch.zeros(shape, dtype=torch.float64) for shape in shapes))


def test_images_outside_0_to_1_are_refused():
    x = torch.rand(3, 1, 2, 2)
    for wrong in (255 * x, 2 * x - 1, x * torch.nan):
        with pytest.raises(InputError, match="expected"):
            bernoulli_log_prob(wrong, x)
