"""The autoregressive decoder: its samples against its own likelihood."""

from functools import partial

import pytest
import torch

from gmlib.errors import InputError
from gmlib.models.conv import ConvDecoder
from gmlib.models.pixelcnn import GatedPixelCNN, PixelCNN
from gmlib.models.pixelvae import NoLatent, PixelDecoder
from gmlib.models.vae import VAE
from gmlib.zoo import pretrained
from tests.unit.models.test_pixelcnn import randomised

NETWORKS = {"plain": partial(PixelCNN, channels=4, layers=3), "gated": partial(GatedPixelCNN, channels=4, layers=3)}
each_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
each_condition = pytest.mark.parametrize("spatial", [False, True], ids=["bias", "spatial"])


def decoder(network, latent_dim: int = 3, num_classes: int = 10, spatial: bool = False) -> PixelDecoder:
    torch.manual_seed(0)
    spatial_condition = (
        randomised(ConvDecoder(latent_dim, num_classes, hidden=8, batch_norm=False, channels=2)) if spatial else None
    )
    pixels = PixelDecoder(latent_dim, num_classes, network, spatial_condition)
    randomised(pixels.pixelcnn)
    x, z = torch.rand(8, 1, 28, 28).round().double(), torch.randn(8, latent_dim, dtype=torch.float64)
    y = torch.arange(8) if num_classes else None
    with torch.no_grad():  # so that both pixel values are likely
        pixels.pixelcnn.logits.bias -= pixels(x, z, y).mean()
    return pixels


@each_network
@each_condition
def test_each_pixel_is_drawn_with_its_own_probability(network, spatial):
    """A pixel is 1 where its uniform number is below its probability, in one pass over the finished image."""
    generator = torch.Generator().manual_seed(0)
    z, y = torch.randn(4, 3, generator=generator, dtype=torch.float64), torch.tensor([0, 3, 3, 9])
    u = torch.rand(4, 1, 28, 28, generator=generator, dtype=torch.float64)
    pixels = decoder(network, spatial=spatial)
    x = pixels.sample(z, y, uniforms=u)
    p = pixels(x, z, y).sigmoid()
    assert torch.equal(x, (u < p).double())
    assert 0.05 < x.mean() < 0.95
    assert torch.allclose(pixels.log_prob(x, z, y), torch.where(x == 1, p, 1 - p).log().flatten(1).sum(1))
    for other in (pixels.sample(z + 10, y, uniforms=u), pixels.sample(z, y.flip(0), uniforms=u)):
        assert not torch.equal(other, x)


def test_both_samplers_draw_the_same_pixels_with_trained_weights():
    """In float32, whose rounding matters only where a uniform number is close to its probability."""
    decoder = pretrained("pixel_vae").model.decoder
    generator = torch.Generator().manual_seed(0)
    z, u = torch.randn(1, 32, generator=generator), torch.rand(1, 1, 28, 28, generator=generator)
    x = decoder.sample(z, uniforms=u)
    assert torch.equal(decoder.sample_sequentially(z, uniforms=u), x)
    with torch.no_grad():
        near = (u - decoder(x, z).sigmoid()).abs()
    assert near.min() > 1e-5  # so that no pixel depends on rounding


def test_a_generator_draws_the_uniforms():
    pixels, z = decoder(NETWORKS["gated"], num_classes=0).float(), torch.randn(2, 3)
    u = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(5))
    drawn = pixels.sample(z, generator=torch.Generator().manual_seed(5))
    assert torch.equal(drawn, pixels.sample(z, uniforms=u))


@each_network
def test_without_a_latent_the_elbo_is_the_log_likelihood(network):
    vae = VAE(NoLatent(), decoder(network, latent_dim=0, num_classes=0).float())
    x = (torch.rand(3, 1, 28, 28) < 0.5).float()
    log_px, kl = vae(x)
    assert torch.equal(kl, torch.zeros(3))
    assert torch.allclose(vae.log_weights(x, samples=4), log_px.expand(4, 3), rtol=1e-5)
    assert [moment.shape for moment in vae.encode(x)] == [(3, 0)] * 2


def test_an_autoregressive_decoder_has_no_mean():
    pixels = decoder(NETWORKS["plain"], num_classes=0)
    with pytest.raises(InputError, match="sample"):
        VAE(NoLatent(), pixels).decode(torch.zeros(2, 3).double())
