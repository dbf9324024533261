"""mean_elbo on networks whose ELBO is known."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli

from gmlib.evaluate import mean_elbo
from gmlib.models import VAE, BernoulliDecoder, MLPDecoder, MLPEncoder


class Shifted(nn.Module):
    """q(z|x) is the prior, moved by as much as is asked for: its KL is shift² / 2 for each latent."""

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


@pytest.mark.parametrize("training", [True, False])
def test_network_is_measured_in_eval_mode_and_left_as_it_was(made_up, training):
    vae = VAE(MLPEncoder(2), BernoulliDecoder(MLPDecoder(2))).train(training)
    modes = []
    vae.encoder.register_forward_hook(lambda *_: modes.append([module.training for module in vae.modules()]))
    before = {name: buffer.clone() for name, buffer in vae.named_buffers()}
    mean_elbo(vae, made_up)
    assert not any(mode for mode in modes[0])
    assert all(module.training is training for module in vae.modules())
    assert all(torch.equal(buffer, before[name]) for name, buffer in vae.named_buffers())


def test_neither_chunks_nor_calls_before_matter(made_up):
    vae = VAE(Shifted(1.0), BernoulliDecoder(MLPDecoder(2)))
    whole = mean_elbo(vae, made_up)
    torch.manual_seed(99)
    assert mean_elbo(vae, made_up) == whole
    assert mean_elbo(vae, made_up, seed=1) != whole
    # other chunks take the same draws of z in the same order
    parts = mean_elbo(vae, made_up, chunk=16)
    assert math.isclose(parts["elbo"], whole["elbo"], abs_tol=2e-3)
