"""What a training loop measures after each epoch on images that it did not train on."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gmlib import ImageDataset, mnist
from gmlib.metrics import validate_gan, validate_vae
from gmlib.metrics.scorer import shipped_scorer
from gmlib.models import GAN, VAE, BernoulliDecoder, MLPDecoder, MLPEncoder, MLPGenerator
from gmlib.seeds import stream


class Replay(nn.Module):
    """A generator that returns the digits of a set, mixed with noise."""

    latent_dim, num_classes = 3, 10

    def __init__(self, digits: ImageDataset, noise: float) -> None:
        super().__init__()
        self.images, self.labels, self.noise = digits.grey(), digits.labels, noise

    def forward(self, z, y):
        assert torch.equal(y, self.labels)
        grain = torch.rand(self.images.shape, generator=torch.Generator().manual_seed(0))
        return (1 - self.noise) * self.images + self.noise * grain


def test_the_fid_is_zero_for_the_digits_themselves_and_rises_with_noise():
    digits, scorer = mnist("validation"), shipped_scorer()
    clean, noisy = (validate_gan(GAN(Replay(digits, noise)), digits, scorer)["validation_fid"] for noise in (0.0, 0.1))
    assert clean == pytest.approx(0, abs=0.01)
    assert noisy > clean + 0.1


def test_samples_are_of_the_validation_latents_and_labels(made_up, monkeypatch):
    monkeypatch.setattr("gmlib.metrics.validation.COMPARED", 30)
    found = []
    monkeypatch.setattr("gmlib.metrics.validation.fid", lambda *given: found.append(given) or 1.23456)
    gan = GAN(MLPGenerator(4, 10, hidden=20))
    assert validate_gan(gan, made_up, shipped_scorer()) == {"validation_fid": 1.2346}
    z = torch.randn(30, 4, generator=stream(0, "validation samples"))
    ((samples, reference, _),) = found
    assert torch.equal(samples, gan.eval().generator(z, made_up.labels[:30]))
    assert torch.equal(reference, made_up.grey()[:30])


def test_stacks_are_measured_by_their_modes(made_up, monkeypatch):
    shapes = []

    def logits(digits, classifier):
        shapes.append(digits.shape)
        return F.one_hot(torch.arange(len(digits)) // 2 % 7, 10).float()  # 00, 11, ... 66

    monkeypatch.setattr("gmlib.metrics.stacked_mnist.logits_of", logits)
    gan = GAN(MLPGenerator(4, hidden=20, channels=2))
    assert validate_gan(gan, made_up, shipped_scorer(), stack=2)["validation_modes"] == 7
    assert shapes == [(4000, 1, 28, 28)]


def test_the_elbo_is_the_difference_of_its_terms(made_up):
    torch.manual_seed(0)
    vae = VAE(MLPEncoder(2, hidden=20), BernoulliDecoder(MLPDecoder(2, hidden=20))).eval()
    row = validate_vae(vae, made_up)
    assert row.keys() == {"validation_elbo", "validation_log_px", "validation_kl"}
    assert row["validation_elbo"] == pytest.approx(row["validation_log_px"] - row["validation_kl"], abs=2e-4)
    assert row["validation_kl"] >= 0 > row["validation_log_px"]
    assert validate_vae(vae, made_up) == row
