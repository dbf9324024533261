"""mean_elbo on networks whose ELBO is known, log_likelihood on models whose likelihood is known."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Normal

import gmlib
from gmlib.metrics import (
    integrated_log_likelihood,
    likelihood,
    log_likelihood,
    log_likelihood_by_label,
    mean_elbo,
    sum_out_labels,
)
from gmlib.metrics.likelihood import latents_per_call, log_mean_weight
from gmlib.models import VAE, BernoulliDecoder, MLPDecoder, MLPEncoder
from gmlib.objectives import iwae_bound
from gmlib.seeds import stream
from gmlib.toy import LinearGaussian
from tests.unit.models.test_vae import LinearLogits


class Shifted(nn.Module):
    """q(z|x) is the prior, shifted: its KL is shift² / 2 for each latent."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = shift

    def forward(self, x, y=None):
        mu = torch.full((len(x), 2), self.shift)
        return mu, torch.zeros_like(mu)


class Constant(nn.Module):
    """The same logit for every pixel; with classes, the logit is the label."""

    latent_dim = 2

    def __init__(self, logit: float, num_classes: int = 0) -> None:
        super().__init__()
        self.logit, self.num_classes = logit, num_classes

    def forward(self, z, y=None):
        logit = torch.full((len(z),), self.logit) if y is None else y.float()
        return logit.reshape(-1, 1, 1, 1).expand(-1, 1, 28, 28)


def test_elbo_of_constant_logits(made_up):
    found = mean_elbo(VAE(Shifted(1.5), BernoulliDecoder(Constant(-0.4))), made_up, seed=3)
    log_px = Bernoulli(logits=torch.tensor(-0.4)).log_prob(made_up.binarised(3)).double().sum((1, 2, 3)).mean().item()
    assert found["kl"] == 2 * 1.5**2 / 2
    assert found["log_px"] == pytest.approx(log_px, abs=1e-3)
    assert found["elbo"] == pytest.approx(log_px - 2.25, abs=1e-3)


def test_labels_reach_a_conditional_model(made_up):
    found = mean_elbo(VAE(Shifted(0.0), BernoulliDecoder(Constant(0.0, num_classes=10))), made_up)
    logits = made_up.labels.float().reshape(-1, 1, 1, 1)
    log_px = Bernoulli(logits=logits).log_prob(made_up.binarised(0)).double().sum((1, 2, 3)).mean().item()
    assert found["elbo"] == pytest.approx(log_px, abs=1e-3)


def test_the_network_is_in_eval_mode_meanwhile_and_trains_afterwards(made_up):
    vae, modes = VAE(MLPEncoder(2), BernoulliDecoder(MLPDecoder(2))).train(), []
    vae.decoder.logits.register_forward_hook(lambda *_: modes.extend(module.training for module in vae.modules()))
    images = made_up[:8].binarised()
    mean_elbo(vae, made_up)
    log_likelihood(vae, images, samples=2)
    integrated_log_likelihood(vae, images, cells=3)
    assert modes
    assert not any(modes)
    assert all(module.training for module in vae.modules())


def test_the_mean_elbo_depends_on_the_seed_but_not_on_batches_or_earlier_draws(made_up, monkeypatch):
    vae = VAE(Shifted(1.0), BernoulliDecoder(MLPDecoder(2)))
    whole = mean_elbo(vae, made_up)
    torch.manual_seed(99)
    assert mean_elbo(vae, made_up) == whole
    assert mean_elbo(vae, made_up, seed=1) != whole
    monkeypatch.setattr(likelihood, "latents_per_call", lambda *_: 16)
    assert math.isclose(mean_elbo(vae, made_up)["elbo"], whole["elbo"], abs_tol=2e-3)


# log_mean_weight: any number of draws, some at a time


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("samples", "draws_per_call"), [(1, 1), (7, 3), (5, 100)])
def test_with_the_exact_posterior_every_number_of_draws_gives_the_likelihood(samples, draws_per_call):
    columns, _ = torch.linalg.qr(torch.randn(5, 2, generator=rng(1), dtype=torch.float64))  # a diagonal posterior
    scale = torch.tensor([1.5, 0.7], dtype=torch.float64)
    model = LinearGaussian(columns * scale, torch.ones(5, dtype=torch.float64), 0.6)
    x = model.sample(6, rng(2))
    mean, covariance = model.posterior(x)
    logvar = covariance.diagonal().log().unsqueeze(0)

    def draw(samples: int) -> torch.Tensor:
        return model.log_weights(x, mean, logvar, samples, rng(samples))

    estimate = log_mean_weight(draw, samples, draws_per_call)
    torch.testing.assert_close(estimate, model.log_prob(x), rtol=0, atol=1e-10)


@pytest.mark.parametrize("shift", [0.0, -5000.0])  # the second: weights far below the smallest float
@pytest.mark.parametrize("draws_per_call", [1, 4, 5, 10, 30])
def test_the_sum_over_calls_is_the_bound_of_all_draws(draws_per_call, shift):
    log_w = 3 * torch.randn(10, 4, generator=rng(1), dtype=torch.float64) + shift
    counts = []

    def draw(samples: int) -> torch.Tensor:
        counts.append(samples)
        return log_w[sum(counts) - samples : sum(counts)]

    torch.testing.assert_close(log_mean_weight(draw, 10, draws_per_call), iwae_bound(log_w), rtol=1e-13, atol=0)
    assert sum(counts) == 10
    assert max(counts) == min(draws_per_call, 10)


# log_likelihood: with one latent and four pixels, the integral over z is known to twelve digits


class FixedEncoder(nn.Module):
    """The same q(z|x) for every x."""

    def __init__(self, mu: float, logvar: float) -> None:
        super().__init__()
        self.mu, self.logvar = mu, logvar

    def forward(self, x, y=None):
        mu = torch.full((len(x), 1), self.mu, dtype=torch.float64)
        return mu, torch.full_like(mu, self.logvar)


SLOPE = torch.tensor([1.5, -0.8, 0.4, 2.0], dtype=torch.float64)
OFFSETS = torch.tensor([[0.3, -1.0, 0.0, 0.5], [2.0, 1.0, 0.0, -1.0], [-3.0, 2.0, 2.0, 0.0]], dtype=torch.float64)
IMAGE = torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64).reshape(1, 1, 2, 2)


def tiny(slope: torch.Tensor = SLOPE, offsets: torch.Tensor = OFFSETS[:1]) -> VAE:
    # q is wider than the posterior, so that the weights are bounded
    return VAE(FixedEncoder(0.4, 0.3), BernoulliDecoder(LinearLogits(slope, offsets)))


def integral(offset: torch.Tensor) -> float:
    """log p(x) by the trapezoidal rule, which is exact to rounding for a density that dies out."""
    z = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    log_joint = Bernoulli(logits=z.unsqueeze(1) * SLOPE + offset).log_prob(IMAGE.flatten()).sum(1)
    log_joint += Normal(0.0, 1.0).log_prob(z)
    return log_joint.exp().sum().mul(24 / 4000).log().item()


@pytest.mark.parametrize(
    ("n", "samples", "latents"), [(20_000, 1, 1000), (300, 8, 3), (300, 50, 120), (60, 1000, 1000)]
)
def test_log_likelihood_estimates_the_integral(monkeypatch, n, samples, latents):
    monkeypatch.setattr(likelihood, "latents_per_call", lambda *_: latents)
    estimates = log_likelihood(tiny(), IMAGE.expand(n, -1, -1, -1), samples=samples, generator=rng(1))
    assert estimates.shape == (n,)
    assert len(estimates.unique()) == n
    ratio = (estimates - integral(OFFSETS[0])).exp()  # of estimates of p(x) to p(x): 1 on average
    assert abs(ratio.mean().item() - 1) < 5 * ratio.std().item() / math.sqrt(n)
    # the standard deviation of one weight, 0.6 of its mean, divided by the root of their number
    assert 0.5 < ratio.std().item() * math.sqrt(samples) < 0.75


def test_log_likelihood_rises_with_the_number_of_draws_towards_the_likelihood():
    n = 40_000
    low, high = [], []
    for k in (1, 4, 16):
        found = log_likelihood(tiny(), IMAGE.expand(n, -1, -1, -1), samples=k, generator=rng(k))
        error = 5 * found.std().item() / math.sqrt(n)
        low.append(found.mean().item() - error)
        high.append(found.mean().item() + error)
    assert high[0] < low[1]
    assert high[1] < low[2]
    assert high[2] < integral(OFFSETS[0])


@pytest.fixture
def by_label():
    """A conditional model in which neither z nor any draw matters, five images, and log p(x|y) of each label and image."""
    vae = tiny(torch.zeros_like(SLOPE), OFFSETS)
    vae.encoder = FixedEncoder(0.0, 0.0)
    images = (torch.rand(5, 1, 2, 2, generator=rng(5)) > 0.5).double()
    return vae, images, Bernoulli(logits=OFFSETS.unsqueeze(1)).log_prob(images.flatten(1)).sum(-1)


@pytest.mark.parametrize(("samples", "latents"), [(1, 2), (3, 2), (3, 7), (3, 1000)])
def test_each_image_keeps_its_label(monkeypatch, by_label, samples, latents):
    monkeypatch.setattr(likelihood, "latents_per_call", lambda *_: latents)
    vae, images, exact = by_label
    labels = torch.tensor([2, 0, 1, 2, 2])
    estimate = log_likelihood(vae, images, labels, samples)
    torch.testing.assert_close(estimate, exact[labels, torch.arange(5)], rtol=1e-12, atol=0)
    estimate = log_likelihood(vae, images, None, samples)
    torch.testing.assert_close(estimate, exact.exp().mean(0).log(), rtol=1e-12, atol=0)
    torch.testing.assert_close(log_likelihood_by_label(vae, images, samples), exact, rtol=1e-12, atol=0)


def test_no_call_decodes_more_latents_than_allowed(monkeypatch):
    monkeypatch.setattr(likelihood, "latents_per_call", lambda *_: 10)
    vae, counts = tiny(), []
    vae.decoder.logits.register_forward_hook(lambda module, inputs, output: counts.append(len(inputs[0])))
    for samples, expected in ((4, [8, 8, 4]), (10, [10] * 5), (23, [10, 10, 3] * 5)):
        counts.clear()
        log_likelihood(vae, IMAGE.expand(5, -1, -1, -1), samples=samples)
        assert counts == expected


def test_without_a_generator_calls_agree_and_with_one_they_follow_it():
    vae, images = tiny(), IMAGE.expand(5, -1, -1, -1)
    before = torch.get_rng_state()
    first = log_likelihood(vae, images, samples=3)
    assert torch.equal(first, log_likelihood(vae, images, samples=3, generator=stream(0, "latents")))
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, log_likelihood(vae, images, samples=3, generator=rng(1)))


class Slopes(nn.Module):
    """Four pixels whose logits rise along z_1, z_2 or both."""

    latent_dim, num_classes = 2, 0

    def forward(self, z, y=None):
        steepness = torch.tensor([[1.5, 0.0, -0.7, 2.0], [0.0, 3.0, 0.7, 1.0]], dtype=z.dtype)
        return (z @ steepness + 0.3).unflatten(1, (1, 2, 2))


def test_the_integral_over_the_plane_is_the_likelihood():
    vae = VAE(Shifted(0.0), BernoulliDecoder(Slopes()))
    every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4).reshape(16, 1, 2, 2)
    found = integrated_log_likelihood(vae, every)
    assert found.exp().sum().item() == pytest.approx(1, abs=2e-5)  # over all images, and but for float32
    estimate = log_likelihood(vae, every, samples=100_000, generator=rng(4))
    torch.testing.assert_close(found, estimate, rtol=0, atol=0.02)


def test_a_grid_of_one_cell_evaluates_the_middle():
    vae = VAE(Shifted(0.0), BernoulliDecoder(Slopes()))
    image = IMAGE.float()
    at_zero = Bernoulli(logits=torch.tensor(0.3)).log_prob(image).sum() - math.log(2 * math.pi)
    log_px = integrated_log_likelihood(vae, image, extent=1.5, cells=1)
    assert log_px.item() == pytest.approx(at_zero.item() + 2 * math.log(3), abs=1e-5)


def test_the_integral_of_the_shipped_vae_lies_above_every_bound_and_changes_little_with_finer_cells():
    vae, images = gmlib.pretrained("vae").model, gmlib.mnist("test")[:40].binarised()
    integral = integrated_log_likelihood(vae, images).mean().item()
    finer = integrated_log_likelihood(vae, images, extent=6.0, cells=400).mean().item()
    assert integral == pytest.approx(finer, abs=0.01)
    assert log_likelihood(vae, images, samples=500).mean().item() < integral


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda plane: log_likelihood(tiny(), 0.5 * IMAGE), "0 and 1"),
        (lambda plane: log_likelihood(tiny(), IMAGE + torch.nan), "NaN"),
        (lambda plane: log_likelihood(tiny(), IMAGE[:0]), "images 0"),
        (lambda plane: log_likelihood(tiny(), IMAGE, samples=0), "samples 0"),
        (lambda plane: log_likelihood(tiny(offsets=OFFSETS), IMAGE, torch.zeros(3).long()), "3 labels"),
        (lambda plane: log_likelihood_by_label(tiny(), IMAGE), "num_classes = 0"),
        (lambda plane: sum_out_labels(torch.zeros(5)), "shape (5,)"),
        (lambda plane: integrated_log_likelihood(tiny(), IMAGE), "1 latents"),
        (lambda plane: integrated_log_likelihood(plane, 0.5 * IMAGE), "0 and 1"),
        (lambda plane: integrated_log_likelihood(plane, IMAGE, cells=0), "cells 0"),
        (lambda plane: mean_elbo(plane, gmlib.mnist("test")[:0]), "images 0"),
        (lambda plane: integrated_log_likelihood(gmlib.pretrained("cvae").model, IMAGE), "10 classes"),
        (lambda plane: integrated_log_likelihood(gmlib.pretrained("pixel_vae").model, IMAGE), "PixelDecoder"),
    ],
)
def test_what_has_no_likelihood_is_refused(refused, call, word):
    with refused(word):
        call(VAE(Shifted(0.0), BernoulliDecoder(Slopes())))


def test_an_autoregressive_decoder_takes_few_latents_per_call():
    assert latents_per_call(tiny(), IMAGE) == 1000
    pixels = gmlib.pretrained("pixel_vae").model
    assert latents_per_call(pixels, IMAGE) == 16
    assert latents_per_call(pixels, IMAGE.to("meta")) == 1000
