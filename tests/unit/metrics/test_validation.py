"""Metrics after an epoch: the same as direct calls, with the same latents each time."""

import pytest
import torch

from gmlib import mnist, pretrained
from gmlib.metrics import (
    count_modes,
    fid,
    mean_elbo,
    posterior_means,
    shipped_classifier,
    shipped_scorer,
    validate_classifier,
    validate_gan,
    validate_vae,
)
from gmlib.metrics import validation as module
from gmlib.seeds import stream

VALIDATION = mnist("validation")


def test_the_elbo_of_a_vae():
    vae = pretrained("vae").model
    expected = {f"validation_{name}": value for name, value in mean_elbo(vae, VALIDATION).items()}
    assert validate_vae(vae, VALIDATION) == expected


def test_the_fid_of_a_gan(monkeypatch):
    monkeypatch.setattr(module, "MOST_SAMPLES", 300)
    gan, images = pretrained("cgan").model, VALIDATION[:300]
    z = torch.randn(300, gan.latent_dim, generator=stream(0, "validation samples"))
    with torch.no_grad():
        samples = gan.generator(z, images.labels)
    expected = {"validation_fid": round(fid(samples, images.grey()), 4)}
    assert validate_gan(gan, VALIDATION, shipped_scorer()) == expected


def test_the_critic_is_measured_on_held_out_images(monkeypatch):
    monkeypatch.setattr(module, "MOST_SAMPLES", 200)
    gan, images = pretrained("cdcgan").model, VALIDATION[:200]
    z = torch.randn(200, gan.latent_dim, generator=stream(0, "validation samples"))
    with torch.no_grad():
        real = gan.critic(images.grey(), images.labels)
        fake = gan.critic(gan.generator(z, images.labels), images.labels)
    row = validate_gan(gan, VALIDATION, shipped_scorer())
    assert list(row) == ["validation_fid", "validation_estimate", "validation_auc"]
    assert row["validation_estimate"] == pytest.approx((real.mean() - fake.mean()).item(), rel=1e-5)
    pairs = [(r > f).item() for r in real for f in fake]
    assert row["validation_auc"] == pytest.approx(sum(pairs) / 200**2)


def test_ties_count_half():
    real, fake = torch.tensor([1.0, 2.0, 9.0, 2.0]), torch.tensor([2.0, 0.0, 2.0, 5.0])
    assert module.area_under_roc(real, fake) == (1 + 2 + 4 + 2) / 16
    assert module.area_under_roc(torch.zeros(3), torch.zeros(3)) == 0.5


def test_the_modes_of_stacks(monkeypatch):
    monkeypatch.setattr(module, "MOST_SAMPLES", 40)
    gan = pretrained("stacked_dcgan").model
    with torch.no_grad():
        stacks = gan.generator(torch.randn(40, gan.latent_dim, generator=stream(0, "validation samples")))
    assert validate_gan(gan, VALIDATION, shipped_scorer(), stack=3) == {
        "validation_modes": count_modes(stacks)["modes"]
    }


def test_the_accuracy_of_a_classifier():
    found = validate_classifier(shipped_classifier(), VALIDATION)
    binary = (shipped_classifier()(VALIDATION.binarised()).argmax(1) == VALIDATION.labels).double().mean().item()
    assert found["validation_accuracy_binarised"] == pytest.approx(binary)
    assert found["validation_accuracy"] > 0.98


@pytest.mark.parametrize("name", ["vae", "cvae"])
def test_posterior_means_are_those_of_the_encoder(name):
    vae, images = pretrained(name).model, VALIDATION[:20]
    mu, _ = vae.encoder(images.binarised(), images.labels if name == "cvae" else None)
    torch.testing.assert_close(posterior_means(vae, images), mu)
