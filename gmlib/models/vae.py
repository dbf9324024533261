"""The variational autoencoder (VAE): an encoder and a decoder, joined by the reparametrisation trick."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Generator, nn

from gmlib.errors import InputError
from gmlib.mode import eval_mode
from gmlib.models.pixelvae import PixelDecoder
from gmlib.models.sampling import draw_latents, in_batches
from gmlib.objectives.variational import bernoulli_log_prob, gaussian_kl
from gmlib.parallel import draw
from gmlib.shapes import Image, Labels, Latent, LogWeights, PerImage, require_shape


class BernoulliDecoder(nn.Module):
    """The decoder p(x|z) whose pixels are independent Bernoulli variables given z; a network computes their logits."""

    def __init__(self, logits: nn.Module) -> None:
        """Use a network `(z, y) -> logits (b, 1, 28, 28)` that has the attributes `latent_dim` and `num_classes`."""
        super().__init__()
        self.logits = logits
        self.latent_dim = cast(int, logits.latent_dim)
        self.num_classes = cast(int, logits.num_classes)

    def forward(self, z: Latent, y: Labels | None = None) -> Image:
        """Return the logits of the pixels `(b, 1, 28, 28)` for latents `(b, latent_dim)`."""
        return self.logits(z, y)

    def log_prob(self, x: Image, z: Latent, y: Labels | None = None) -> PerImage:
        """Return log p(x|z) of binary images `(b, 1, 28, 28)`, in nats per image, `(b,)`."""
        return bernoulli_log_prob(x, self.logits(z, y).to(x.dtype))  # bfloat16 is too coarse for a sum of 784 pixels

    def mean(self, z: Latent, y: Labels | None = None) -> Image:
        """Return the probability that each pixel is 1, `(b, 1, 28, 28)`; most papers show it as a sample."""
        return self.logits(z, y).sigmoid()

    def sample(self, z: Latent, y: Labels | None = None, *, generator: Generator | None = None) -> Image:
        """Draw images `(b, 1, 28, 28)` of zeros and ones for latents `(b, latent_dim)`."""
        mean = self.mean(z, y)
        return (draw(torch.rand, mean.shape, generator, mean.device) < mean).to(mean.dtype)


class VAE(nn.Module):
    """A variational autoencoder with a standard Gaussian prior over z (Kingma & Welling 2014)."""

    def __init__(self, encoder: nn.Module, decoder: BernoulliDecoder | PixelDecoder) -> None:
        """Combine an encoder `(x, y) -> (mu, logvar)`, each `(b, latent_dim)`, and a decoder p(x|z)."""
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = decoder.latent_dim
        self.num_classes = decoder.num_classes

    def forward(
        self, x: Image, y: Labels | None = None, *, generator: Generator | None = None
    ) -> tuple[PerImage, PerImage]:
        """Return the two terms of the ELBO.

        Args:
            x: binary images `(b, c, h, w)`.
            y: labels `(b,)`, or None.
            generator: random generator on the device of x.

        Returns:
            log p(x|z) for one draw of z per image, and KL(q(z|x) || p(z)) in closed form, each `(b,)`, in nats.
        """
        mu, logvar = self._posterior(x, y)
        # z = mu + sigma * eps: eps does not depend on the weights, so that gradients reach mu and sigma
        eps = draw(torch.randn, mu.shape, generator, mu.device).to(mu.dtype)
        z = mu + (0.5 * logvar).exp() * eps
        return self.decoder.log_prob(x, z, y), gaussian_kl(mu, logvar)

    def log_weights(
        self, x: Image, y: Labels | None = None, *, samples: int = 1, generator: Generator | None = None
    ) -> LogWeights:
        """Return log importance weights log p(x, z) - log q(z|x) for draws of z from q(z|x).

        Args:
            x: binary images `(b, c, h, w)`.
            y: labels `(b,)`, or None.
            samples: k, the number of draws per image.
            generator: random generator on the device of x.

        Returns:
            Log-weights `(k, b)`, in nats: the argument of `iwae_bound`.

        Source: Burda, Grosse & Salakhutdinov 2016, the weights of equation 8.
        """
        mu, logvar = self._posterior(x, y)
        eps = draw(torch.randn, (samples, *mu.shape), generator, mu.device, dim=1).to(mu.dtype)
        z = mu + (0.5 * logvar).exp() * eps
        xs = x.expand(samples, *x.shape).flatten(0, 1)
        ys = None if y is None else y.repeat(samples)
        log_px = self.decoder.log_prob(xs, z.flatten(0, 1), ys).unflatten(0, (samples, len(x)))
        # log p(z) - log q(z|x) from eps itself: where sigma is small, (z - mu) / sigma has a large rounding error
        return log_px + 0.5 * (eps**2 + logvar - z**2).sum(-1)

    @torch.no_grad()
    def encode(self, x: Image, y: Labels | None = None) -> tuple[Latent, Latent]:
        """Return mu and logvar of q(z|x), each `(n, latent_dim)`, for binary images `(n, 1, 28, 28)`; computed in eval mode."""
        with eval_mode(self):
            mu, logvar = in_batches(lambda x, y: torch.cat(self._posterior(x, y), 1), x, y).chunk(2, 1)
        return mu, logvar

    @torch.no_grad()
    def decode(self, z: Latent, y: Labels | None = None) -> Image:
        """Return the probability that each pixel is 1, `(n, 1, 28, 28)`, for latents `(n, latent_dim)`; computed in eval mode."""
        if isinstance(self.decoder, PixelDecoder):
            raise InputError(
                "got an autoregressive decoder, whose pixels have no probability before the earlier ones are drawn, expected "
                "a Bernoulli decoder: use sample, without mean (--mean)"
            )
        with eval_mode(self):
            return in_batches(self.decoder.mean, z, y)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        y: Labels | Sequence[int] | int | None = None,
        *,
        generator: Generator | None = None,
        mean: bool = False,
    ) -> Image:
        """Draw images: z from N(0, I), then every pixel from p(x|z).

        Args:
            n: number of images.
            y: labels `(n,)` for a conditional model, or one label for all images; None for an unconditional one.
            generator: random generator on the device of the weights; None for torch's global one.
            mean: whether to return the probabilities of the pixels instead of drawing pixels.

        Returns:
            Images `(n, 1, 28, 28)`, zeros and ones unless `mean` is set.

        Raises:
            InputError: if n is below 1, labels do not fit, or `mean` is set with an autoregressive decoder.
        """
        z, y = draw_latents(n, y, self, generator)
        if mean:
            return self.decode(z, y)
        with eval_mode(self):
            return in_batches(lambda z, y: self.decoder.sample(z, y, generator=generator), z, y)

    def _posterior(self, x: Image, y: Labels | None) -> tuple[Latent, Latent]:
        """Return mean and log-variance of q(z|x), in the precision of the images."""
        mu, logvar = self.encoder(x, y)
        require_shape("b d", mu=mu, logvar=logvar)
        return mu.to(x.dtype), logvar.to(x.dtype)
