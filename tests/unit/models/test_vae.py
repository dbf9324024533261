"""The VAE against quadrature: with one latent, every integral over z is computed to twelve digits."""

import math

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch import nn
from torch.distributions import Bernoulli, Normal, kl_divergence

from gmlib.errors import InputError
from gmlib.models import VAE, BernoulliDecoder


class FixedEncoder(nn.Module):
    """The same q(z|x) for every x."""

    def __init__(self, mu: torch.Tensor, logvar: torch.Tensor) -> None:
        super().__init__()
        self.mu, self.logvar = nn.Parameter(mu), nn.Parameter(logvar)

    def forward(self, x, y=None):
        return self.mu.expand(len(x), -1), self.logvar.expand(len(x), -1)


class LinearLogits(nn.Module):
    """Logits `slope * z + offset` for an image of 2×2; each label has its own offset."""

    latent_dim = 1

    def __init__(self, slope: torch.Tensor, offsets: torch.Tensor) -> None:
        super().__init__()
        self.slope, self.offsets = slope, offsets
        self.num_classes = len(offsets) if len(offsets) > 1 else 0

    def forward(self, z, y=None):
        offset = self.offsets[torch.zeros(len(z), dtype=torch.int64) if y is None else y]
        return (z * self.slope + offset).unflatten(1, (1, 2, 2))


SLOPE = torch.tensor([1.5, -0.8, 0.4, 2.0], dtype=torch.float64)
OFFSETS = torch.tensor([[0.3, -1.0, 0.0, 0.5]], dtype=torch.float64)
IMAGE = torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64).reshape(1, 1, 2, 2)
# wider than the posterior, so that importance weights are bounded
MU, LOGVAR = torch.tensor([[0.4]], dtype=torch.float64), torch.tensor([[0.3]], dtype=torch.float64)


@pytest.fixture
def vae() -> VAE:
    return VAE(FixedEncoder(MU.clone(), LOGVAR.clone()), BernoulliDecoder(LinearLogits(SLOPE, OFFSETS)))


def expectation_of_log_px(mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """E_q[log p(x|z)] by Gauss-Hermite quadrature; gradients flow through it."""
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(80))
    z = mu + (0.5 * logvar).exp() * nodes.unsqueeze(1)
    log_px = Bernoulli(logits=z * SLOPE + OFFSETS).log_prob(IMAGE.flatten()).sum(1)
    return (weights * log_px).sum() / math.sqrt(2 * math.pi)


def within(draws: torch.Tensor, expected: float) -> bool:
    return abs(draws.mean().item() - expected) < 5 * draws.std().item() / math.sqrt(len(draws))


def exact_kl() -> float:
    return kl_divergence(Normal(MU, (0.5 * LOGVAR).exp()), Normal(0.0, 1.0)).item()


def test_forward_gives_a_draw_of_the_likelihood_and_the_exact_kl(vae):
    n = 50_000
    log_px, kl = vae(IMAGE.expand(n, -1, -1, -1), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(kl, torch.full_like(kl, exact_kl()), rtol=1e-12, atol=0)
    assert within(log_px.detach(), expectation_of_log_px(MU, LOGVAR).item())
    assert log_px.std() > 0.1  # one draw per image


def test_gradients_reach_the_encoder_through_the_draw(vae):
    n = 50_000
    mu, logvar = (t.expand(n, 1).clone().requires_grad_() for t in (MU, LOGVAR))
    vae.encoder = FixedEncoder(mu, logvar)
    log_px, _ = vae(IMAGE.expand(n, -1, -1, -1), generator=torch.Generator().manual_seed(2))
    log_px.sum().backward()

    mu, logvar = MU.clone().requires_grad_(), LOGVAR.clone().requires_grad_()
    expectation_of_log_px(mu, logvar).backward()
    assert within(vae.encoder.mu.grad.flatten(), mu.grad.item())
    assert within(vae.encoder.logvar.grad.flatten(), logvar.grad.item())
    assert abs(logvar.grad.item()) > 0.05


def test_log_weights_average_to_the_elbo_and_to_the_likelihood(vae):
    k = 50_000
    log_w = vae.log_weights(IMAGE.expand(2, -1, -1, -1), samples=k, generator=torch.Generator().manual_seed(3)).detach()
    assert log_w.shape == (k, 2)
    elbo = expectation_of_log_px(MU, LOGVAR).item() - exact_kl()
    # log p(x) by the trapezoidal rule, which is exact to rounding for a density that dies out
    z = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    log_joint = Bernoulli(logits=z.unsqueeze(1) * SLOPE + OFFSETS).log_prob(IMAGE.flatten()).sum(1)
    log_joint += Normal(0.0, 1.0).log_prob(z)
    truth = log_joint.exp().sum().mul(24 / 4000).log().item()
    for image in range(2):
        assert within(log_w[:, image], elbo)
        assert within((log_w[:, image] - truth).exp(), 1)
    assert not torch.equal(log_w[:, 0], log_w[:, 1])
    assert elbo < truth - 0.02


def test_log_weights_are_joint_over_proposal_draw_by_draw(vae):
    latents = []
    vae.decoder.logits.register_forward_hook(lambda module, inputs, output: latents.append(inputs[0]))
    log_w = vae.log_weights(IMAGE.expand(3, -1, -1, -1), samples=7, generator=torch.Generator().manual_seed(4))
    z = torch.cat(latents).reshape(7, 3)
    assert len(z.unique()) == 21
    log_joint = Bernoulli(logits=z.unsqueeze(2) * SLOPE + OFFSETS).log_prob(IMAGE.flatten()).sum(2)
    log_joint += Normal(0.0, 1.0).log_prob(z)
    torch.testing.assert_close(log_w, log_joint - Normal(MU, (0.5 * LOGVAR).exp()).log_prob(z), rtol=1e-12, atol=1e-12)


def test_labels_go_with_their_images_in_log_weights():
    offsets = torch.tensor([[0.0, 0, 0, 0], [2.0, 1, 0, -1], [-3.0, 2, 2, 0]], dtype=torch.float64)
    prior = FixedEncoder(torch.zeros(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64))
    vae = VAE(prior, BernoulliDecoder(LinearLogits(torch.zeros(4, dtype=torch.float64), offsets)))
    y = torch.tensor([2, 0, 1, 2])
    x = (torch.rand(4, 1, 2, 2, generator=torch.Generator().manual_seed(5)) > 0.5).double()
    exact = Bernoulli(logits=offsets[y]).log_prob(x.flatten(1)).sum(1)  # independent of z; q is the prior
    log_w = vae.log_weights(x, y, samples=3, generator=torch.Generator().manual_seed(6))
    torch.testing.assert_close(log_w, exact.expand(3, -1), rtol=1e-12, atol=1e-12)
    log_px, kl = vae(x, y)
    torch.testing.assert_close(log_px, exact, rtol=1e-12, atol=1e-12)
    assert kl.abs().max() == 0


@pytest.mark.parametrize("logvar", [-34.0, -60.0, -90.0])
def test_log_weights_of_a_narrow_posterior(logvar):
    """In float32, z - mu cannot represent noise of size exp(-17). The same draws in float64 are the reference."""
    mu = torch.tensor([[0.7], [-1.3], [2.1]])
    log_w = []
    for dtype in (torch.float32, torch.float64):
        encoder = FixedEncoder(mu.to(dtype), torch.full_like(mu, logvar).to(dtype))
        narrow = VAE(encoder, BernoulliDecoder(LinearLogits(SLOPE.to(dtype), OFFSETS.to(dtype))))
        x = IMAGE.to(dtype).expand(3, -1, -1, -1)
        log_w.append(narrow.log_weights(x, samples=50, generator=torch.Generator().manual_seed(4)).detach())
    eps = torch.randn(50, 3, 1, generator=torch.Generator().manual_seed(4)).double()
    log_q = -0.5 * (math.log(2 * math.pi) + logvar + eps**2).squeeze(2)
    log_joint = Bernoulli(logits=mu.double() * SLOPE + OFFSETS).log_prob(IMAGE.flatten()).sum(1)
    log_joint = log_joint + Normal(0.0, 1.0).log_prob(mu.double().squeeze(1))
    torch.testing.assert_close(log_w[1], log_joint - log_q, rtol=0, atol=1e-6)
    torch.testing.assert_close(log_w[0].double(), log_w[1], rtol=0, atol=1e-4)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("method", [VAE.forward, VAE.log_weights])
def test_shapes_that_would_broadcast_are_refused(method):
    """Moments of different shapes from a user's encoder, and images that do not fit."""
    x = torch.zeros(4, 1, 2, 2, dtype=torch.float64)
    decoder = BernoulliDecoder(LinearLogits(SLOPE, OFFSETS))
    for mu, logvar in ((torch.zeros(4, 2), torch.zeros(4, 1)), (torch.zeros(4, 1), torch.zeros(1, 1))):
        encoder = FixedEncoder(mu, logvar)
        encoder.forward = lambda x, y=None, moments=(mu, logvar): moments
        with pytest.raises(InputError, match="logvar"):
            method(VAE(encoder, decoder), x)
    for wrong in (x + 255, x - 1, x[:, 0], x[..., :1], x.expand(4, 2, 2, 2)):
        with pytest.raises(InputError, match="expected"):
            method(VAE(FixedEncoder(MU, LOGVAR), decoder), wrong)


# the Bernoulli decoder


def test_decoder_draws_zeros_and_ones_at_the_right_frequencies(vae):
    n = 40_000
    z = torch.full((n, 1), 0.7, dtype=torch.float64)
    p = expit((0.7 * SLOPE + OFFSETS[0]).numpy())
    np.testing.assert_allclose(vae.decoder.mean(z)[0].flatten(), p, rtol=1e-12)

    drawn = vae.decoder.sample(z, generator=torch.Generator().manual_seed(1))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    frequency = drawn.flatten(1).mean(0).numpy()
    assert (np.abs(frequency - p) < 5 * np.sqrt(p * (1 - p) / n)).all()
    covariance = np.cov(drawn.flatten(1).numpy(), rowvar=False)  # pixels are independent given z
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 5 * 0.25 / math.sqrt(n)

    assert torch.equal(drawn, vae.decoder.sample(z, generator=torch.Generator().manual_seed(1)))
    assert not torch.equal(drawn, vae.decoder.sample(z, generator=torch.Generator().manual_seed(2)))


def test_decoder_log_prob_is_that_of_torch(vae):
    z = torch.linspace(-2, 2, 6, dtype=torch.float64).unsqueeze(1)
    x = (torch.rand(6, 1, 2, 2, generator=torch.Generator().manual_seed(5)) > 0.5).double()
    expected = Bernoulli(logits=z * SLOPE + OFFSETS).log_prob(x.flatten(1)).sum(1)
    torch.testing.assert_close(vae.decoder.log_prob(x, z), expected, rtol=1e-12, atol=1e-12)
