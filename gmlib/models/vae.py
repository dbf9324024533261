"""The variational autoencoder: any encoder and any decoder, joined by one reparametrised draw."""

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
from gmlib.shapes import Image, Labels, Latent, LogWeights, PerImage, require_alike


class BernoulliDecoder(nn.Module):
    """p(x|z): given z, each pixel is an independent Bernoulli variable whose logit a network computes."""

    def __init__(self, logits: nn.Module) -> None:
        """Wrap a network.

        Args:
            logits: a network `(z, y) -> (b, 1, 28, 28)`, with `latent_dim` and `num_classes`.
        """
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
        """Return the probability that each pixel is 1, `(b, 1, 28, 28)`, which most papers print as a sample."""
        return self.logits(z, y).sigmoid()

    def sample(self, z: Latent, y: Labels | None = None, *, generator: Generator | None = None) -> Image:
        """Draw each pixel.

        Args:
            z: latents `(b, latent_dim)`.
            y: labels `(b,)`, or None.
            generator: source of randomness, on the device of z.

        Returns:
            Images `(b, 1, 28, 28)` of zeros and ones.
        """
        mean = self.mean(z, y)
        return (draw(torch.rand, mean.shape, generator, mean.device) < mean).to(mean.dtype)


class VAE(nn.Module):
    """A variational autoencoder with a standard Gaussian prior over z (Kingma & Welling 2014)."""

    def __init__(self, encoder: nn.Module, decoder: BernoulliDecoder | PixelDecoder) -> None:
        """Join two networks.

        Args:
            encoder: `(x, y) -> (mu, logvar)`, each `(b, latent_dim)`.
            decoder: p(x|z), with `log_prob(x, z, y)` and `sample(z, y)`.
        """
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latent_dim = decoder.latent_dim
        self.num_classes = decoder.num_classes

    def forward(
        self, x: Image, y: Labels | None = None, *, generator: Generator | None = None
    ) -> tuple[PerImage, PerImage]:
        """Return the two terms of the ELBO, with one draw of z per image.

        Args:
            x: binary images `(b, c, h, w)`.
            y: labels `(b,)`, or None.
            generator: source of randomness, on the device of x.

        Returns:
            log p(x|z) at the draw and KL(q(z|x) || p(z)) in closed form, each `(b,)`, in nats.

        Raises:
            InputError: if images, labels or the encoder's output do not fit.
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
            generator: source of randomness, on the device of x.

        Returns:
            Log-weights `(k, b)`, in nats: the argument of `iwae_bound`.

        Raises:
            InputError: if images, labels or the encoder's output do not fit.

        Source: Burda, Grosse & Salakhutdinov 2016, the weights of equation 8.
        """
        mu, logvar = self._posterior(x, y)
        eps = draw(torch.randn, (samples, *mu.shape), generator, mu.device, dim=1).to(mu.dtype)
        z = mu + (0.5 * logvar).exp() * eps
        xs = x.expand(samples, *x.shape).flatten(0, 1)
        ys = None if y is None else y.repeat(samples)
        log_px = self.decoder.log_prob(xs, z.flatten(0, 1), ys).unflatten(0, (samples, len(x)))
        # log p(z) - log q(z|x) by the draw's own eps: (z - mu) / sigma would lose it to rounding where sigma is small
        return log_px + 0.5 * (eps**2 + logvar - z**2).sum(-1)

    @torch.no_grad()
    def encode(self, x: Image, y: Labels | None = None) -> tuple[Latent, Latent]:
        """Return mean and log-variance of q(z|x), in eval mode and in batches that fit into memory.

        Args:
            x: binary images `(n, 1, 28, 28)`, on the device of the weights.
            y: labels `(n,)` for a conditional model, otherwise None.

        Returns:
            mu and logvar, each `(n, latent_dim)`.

        Raises:
            InputError: if images or labels do not fit the model.
        """
        with eval_mode(self):
            mu, logvar = in_batches(lambda x, y: torch.cat(self._posterior(x, y), 1), x, y).chunk(2, 1)
        return mu, logvar

    @torch.no_grad()
    def decode(self, z: Latent, y: Labels | None = None) -> Image:
        """Return the probability that each pixel is 1, in eval mode and in batches that fit into memory.

        Args:
            z: latents `(n, latent_dim)`.
            y: labels `(n,)` for a conditional model, otherwise None.

        Returns:
            Images `(n, 1, 28, 28)` in [0, 1].

        Raises:
            InputError: if the decoder is autoregressive: a pixel has no probability before the earlier ones are drawn.
        """
        if isinstance(self.decoder, PixelDecoder):
            raise InputError(
                "got latents to decode by an autoregressive decoder, expected draws: a pixel has no probability before the "
                "earlier pixels are drawn, so use sample, without mean (--mean)"
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
            generator: source of randomness, on the device of the weights; None takes torch's global one.
            mean: return the probabilities of the pixels instead of drawing them.

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
        require_alike("b d", mu=mu, logvar=logvar)
        return mu.to(x.dtype), logvar.to(x.dtype)
