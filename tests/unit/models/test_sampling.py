"""VAE and GAN as samplers: batches change no result; models are in eval mode and get no gradients."""

import pytest
import torch
from torch import nn

from gmlib import InputError
from gmlib.models import GAN, VAE, BernoulliDecoder, MLPDecoder, MLPEncoder, MLPGenerator, sampling


def small_vae(classes: int = 0) -> VAE:
    torch.manual_seed(0)
    return VAE(MLPEncoder(3, classes, hidden=8), BernoulliDecoder(MLPDecoder(3, classes, hidden=8)))


def small_gan(classes: int = 0) -> GAN:
    torch.manual_seed(0)
    return GAN(MLPGenerator(3, classes, hidden=(8,), batch_norm=True))


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


each_model = pytest.mark.parametrize("make", [small_vae, small_gan])


@each_model
@pytest.mark.parametrize("classes", [0, 10])
def test_batches_change_no_sample(make, classes, monkeypatch):
    model, y = make(classes), torch.arange(20) % 10 if classes else None
    whole = model.sample(20, y, generator=rng())
    monkeypatch.setattr(sampling, "MAX_BATCH", 7)
    # the last bit of a product may depend on the number of rows
    assert torch.allclose(model.sample(20, y, generator=rng()), whole, atol=1e-6)
    assert whole.shape == (20, 1, 28, 28)
    assert not torch.equal(model.sample(20, y, generator=rng(1)), whole)


def test_encode_and_decode_return_the_outputs_of_the_networks(monkeypatch):
    vae, gan = small_vae().eval(), small_gan().eval()
    x, z = (torch.rand(20, 1, 28, 28, generator=rng()) < 0.3).float(), torch.randn(20, 3, generator=rng())
    monkeypatch.setattr(sampling, "MAX_BATCH", 7)
    for moment, expected in zip(vae.encode(x), vae.encoder(x), strict=True):
        torch.testing.assert_close(moment, expected.detach())
    torch.testing.assert_close(vae.decode(z), vae.decoder(z).sigmoid().detach())
    torch.testing.assert_close(gan.decode(z), gan.generator(z).detach())
    expected = vae.decode(torch.randn(20, 3, generator=rng()))
    torch.testing.assert_close(vae.sample(20, generator=rng(), mean=True), expected)


@each_model
def test_sampling_changes_neither_mode_nor_state(make):
    model = make().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert not model.sample(9).requires_grad
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.usefixtures("unchecked")
@each_model
def test_labels_of_samples(make):
    model, z = make(10), torch.zeros(4, 3)
    assert torch.equal(model.sample(4, 7, generator=rng()), model.sample(4, [7] * 4, generator=rng()))
    with pytest.raises(InputError, match="labels"):
        model.sample(4, [7] * 3)
    with pytest.raises(InputError, match="label"):
        model.decode(z, torch.tensor([7]))
    with pytest.raises(InputError, match="n 0"):
        model.sample(0, 7)


@each_model
def test_no_network_computes_more_than_500_images_at_once(make):
    model, counts = make(), []
    first = next(module for module in model.modules() if isinstance(module, nn.Linear) and module.in_features == 3)
    first.register_forward_pre_hook(lambda module, inputs: counts.append(len(inputs[0])))
    model.sample(1001)
    assert counts == [500, 500, 1]
