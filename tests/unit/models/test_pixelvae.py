"""The decoder's contract, and its samples against its own likelihood."""

from functools import partial

import pytest
import torch

from gmlib.models.conv import ConvDecoder
from gmlib.models.pixelcnn import GatedPixelCNN, PixelCNN
from gmlib.models.pixelvae import NoLatent, PixelDecoder
from gmlib.models.vae import VAE
from gmlib.zoo import pretrained
from tests.unit.models.test_pixelcnn import trained

NETWORKS = {
    "plain": partial(PixelCNN, channels=4, layers=3),
    "gated": partial(GatedPixelCNN, channels=4, layers=3),
}
each_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def decoder(network, latent_dim: int = 3, num_classes: int = 10, spatial: bool = False) -> PixelDecoder:
    torch.manual_seed(0)
    drawn = trained(ConvDecoder(latent_dim, num_classes, hidden=8, batch_norm=False, channels=2)) if spatial else None
    found = PixelDecoder(latent_dim, num_classes, network, drawn)
    trained(found.pixelcnn)
    x, z = torch.rand(8, 1, 28, 28).round().double(), torch.randn(8, latent_dim, dtype=torch.float64)
    y = torch.arange(8) if num_classes else None
    with torch.no_grad():  # so that ink is neither certain nor impossible
        found.pixelcnn.logits.bias -= found(x, z, y).mean()
    return found


@each_network
@pytest.mark.parametrize("spatial", [False, True], ids=["bias", "spatial"])
def test_what_is_drawn_is_drawn_with_its_own_probability(network, spatial):
    """Each pixel's uniform lies below its probability just where the pixel is 1, in one pass over the finished image."""
    generator = torch.Generator().manual_seed(0)
    z, y = torch.randn(4, 3, generator=generator, dtype=torch.float64), torch.tensor([0, 3, 3, 9])
    u = torch.rand(4, 1, 28, 28, generator=generator, dtype=torch.float64)
    pixels = decoder(network, spatial=spatial)
    x = pixels.sample(z, y, uniforms=u)
    likely = pixels(x, z, y).sigmoid()
    assert torch.equal(x, (u < likely).double())
    assert 0.05 < x.mean() < 0.95
    own = torch.where(x == 1, likely, 1 - likely).log().flatten(1).sum(1)
    assert torch.allclose(pixels.log_prob(x, z, y), own)
    assert torch.equal(pixels.sample_sequentially(z, y, uniforms=u), x)


def test_trained_weights_draw_the_same_pixels_both_ways():
    """In float32, whose rounding could matter only where a uniform number is that near to its probability."""
    decoder = pretrained("pixel_vae").model.decoder
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]  # `make bench` does 100
    z = torch.cat([torch.randn(1, 32, generator=each) for each in generators])
    u = torch.cat([torch.rand(1, 1, 28, 28, generator=each) for each in generators])
    x = decoder.sample(z, uniforms=u)
    assert torch.equal(decoder.sample_sequentially(z, uniforms=u), x)
    with torch.no_grad():
        near = (u - decoder(x, z).sigmoid()).abs()
    assert near.min() > 1e-5  # so that no rounding decides here


@each_network
@pytest.mark.parametrize("spatial", [False, True], ids=["bias", "spatial"])
def test_z_label_and_draws_each_matter(network, spatial):
    pixels, u = decoder(network, spatial=spatial), torch.rand(2, 1, 28, 28, dtype=torch.float64)
    z, y = torch.randn(2, 3, dtype=torch.float64), torch.tensor([1, 2])
    x = pixels.sample(z, y, uniforms=u)
    assert torch.equal(pixels.sample(z, y, uniforms=u), x)
    for other in (
        pixels.sample(z + 10, y, uniforms=u),
        pixels.sample(z, y + 1, uniforms=u),
        pixels.sample(z, y, uniforms=1 - u),
    ):
        assert not torch.equal(other, x)


@each_network
def test_a_generator_stands_for_uniforms(network):
    pixels = decoder(network, num_classes=0).float()
    z = torch.randn(2, 3)
    u = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(5))
    drawn = pixels.sample(z, generator=torch.Generator().manual_seed(5))
    assert torch.equal(drawn, pixels.sample(z, uniforms=u))


@each_network
def test_without_a_latent_the_elbo_is_the_log_likelihood(network):
    vae = VAE(NoLatent(), decoder(network, latent_dim=0, num_classes=0).float())
    x = (torch.rand(3, 1, 28, 28) < 0.5).float()
    log_px, kl = vae(x)
    assert torch.equal(kl, torch.zeros(3))
    weights = vae.log_weights(x, samples=4)
    assert torch.allclose(weights, log_px.expand(4, 3), rtol=1e-5)


def test_what_does_not_fit_is_refused(refused):
    pixels = decoder(NETWORKS["plain"])
    z, y = torch.zeros(2, 3, dtype=torch.float64), torch.tensor([1, 2])
    for wrong in ((2, 28, 28), (1, 1, 28, 28), (2, 1, 28, 27)):
        with refused(f"got uniforms of shape {wrong}", "expected (2, 1, 28, 28)"):
            pixels.sample(z, y, uniforms=torch.zeros(wrong))
    with refused("got no labels for a conditional model"):
        pixels.sample(z)
    with refused("got latents of shape (2, 2)", "expected (batch, 3)"):
        pixels.sample(z[:, :2], y)


@each_network
@pytest.mark.parametrize("spatial", [False, True], ids=["bias", "spatial"])
def test_what_is_no_image_is_refused(refused, unchecked, network, spatial):
    pixels = decoder(network, num_classes=0, spatial=spatial)
    x, z = torch.rand(3, 1, 28, 28).round().double(), torch.zeros(3, 3, dtype=torch.float64)
    wrong = [(255 * x, "to 255"), (x - 1, "from -1"), (x.long(), "torch.int64"), (x.float(), "torch.float32")]
    wrong += [
        (x[:, :, ::2, ::2], "(3, 1, 14, 14)"),
        (x[:, 0], "(3, 28, 28)"),
        (x.expand(3, 3, 28, 28), "(3, 3, 28, 28)"),
    ]
    vae = VAE(NoLatent(), decoder(network, latent_dim=0, num_classes=0))
    for images, text in wrong:
        for take in (pixels, pixels.log_prob):
            with refused(text, "expected"):
                take(images, z)
        for take in (vae, vae.log_weights):
            with refused(text, "expected"):
                take(images)


def test_uniforms_that_are_none(refused, unchecked):
    pixels, z = decoder(NETWORKS["plain"], num_classes=0), torch.zeros(2, 3, dtype=torch.float64)
    with refused("got uniforms from", "[0, 1)"):
        pixels.sample(z, uniforms=torch.full((2, 1, 28, 28), -0.5))
