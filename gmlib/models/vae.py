"""The variational autoencoder: any encoder and any decoder, joined by one reparametrised draw."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Generator, Tensor, nn

from gmlib.errors import InputError
from gmlib.mode import eval_mode
from gmlib.models.pixelvae import PixelDecoder
from gmlib.models.sampling import draw_latents, in_batches
from gmlib.objectives.variational import bernoulli_log_prob, gaussian_kl
from gmlib.parallel import draw
from gmlib.shapes import (
    Image,
    Labels,
    Latent,
    LogWeights,
    PerImage,
    require_alike,
    require_attributes,
    require_image,
    require_whole,
)


class BernoulliDecoder(nn.Module):
    """p(x|z): given z, each pixel is an independent coin whose log-odds a network computes."""

    def __init__(self, logits: nn.Module) -> None:
        """Wrap a network.

        Args:
            logits: a network `(z, y) -> (b, 1, 28, 28)`, with `latent_dim` and `num_classes`.

        Raises:
            InputError: if the network lacks one of both.
        """
        require_attributes(logits, "latent_dim", "num_classes")
        super().__init__()
        self.logits = logits
        self.latent_dim = cast(int, logits.latent_dim)
        self.num_classes = cast(int, logits.num_classes)

    def forward(self, z: Latent, y: Labels | None = None) -> Image:
        """Return the logit of each pixel's probability of being 1.

        Args:
            z: latents `(b, latent_dim)`.
            y: labels `(b,)`, or None.

        Returns:
            Logits `(b, 1, 28, 28)`.
        """
        return self.logits(z, y)

    def log_prob(self, x: Image, z: Latent, y: Labels | None = None) -> PerImage:
        """Return log p(x|z).

        Args:
            x: binary images `(b, 1, 28, 28)`.
            z: latents `(b, latent_dim)`.
            y: labels `(b,)`, or None.

        Returns:
            Nats per image, `(b,)`.
        """
        return bernoulli_log_prob(x, self.logits(z, y).to(x.dtype))  # sums are not for bfloat16

    def mean(self, z: Latent, y: Labels | None = None) -> Image:
        """Probability that each pixel is 1, which is what most papers print as a sample.

        Args:
            z: latents `(b, latent_dim)`.
            y: labels `(b,)`, or None.

        Returns:
            Images `(b, 1, 28, 28)` in [0, 1].

        Raises:
            InputError: if the network's logits are no images, one per latent.
        """
        logits = self.logits(z, y)
        if logits.ndim != 4 or len(logits) != len(z):
            raise InputError(
                f"got logits of shape {tuple(logits.shape)} from the decoder for {len(z)} latents, "
                f"expected ({len(z)}, c, h, w): end the network with nn.Unflatten(1, (1, 28, 28))"
            )
        return logits.sigmoid()

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
            InputError: if the images are none, labels do not fit, or the encoder gives no moments of z.
        """
        require_image(x)
        mu, logvar = self._posterior(x, y)
        # z = mu + sigma * eps: the randomness stands outside, so that gradients reach mu and sigma
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
            samples: k, the number of draws an image.
            generator: source of randomness, on the device of x.

        Returns:
            Log-weights `(k, b)`, in nats: the argument of `iwae_bound`.

        Raises:
            InputError: as for `forward`, or if the number of samples is below 1.

        Source: Burda, Grosse & Salakhutdinov 2016, the weights of equation 8.
        """
        require_image(x)
        require_whole(1, samples=samples)
        mu, logvar = self._posterior(x, y)
        eps = draw(torch.randn, (samples, *mu.shape), generator, mu.device, dim=1).to(mu.dtype)
        z = mu + (0.5 * logvar).exp() * eps
        xs = x.expand(samples, *x.shape).flatten(0, 1)
        ys = None if y is None else y.repeat(samples)
        log_px = self.decoder.log_prob(xs, z.flatten(0, 1), ys)
        require_alike("b", log_px=log_px)
        # log p(z) - log q(z|x) by the draw's own eps: (z - mu) / sigma would lose it to rounding where sigma is small
        log_ratio = 0.5 * (eps**2 + logvar - z**2).sum(-1)
        return log_px.unflatten(0, (samples, len(x))) + log_ratio

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
            moments = in_batches(lambda x, y: torch.cat(self._posterior(x, y), 1), x, y)
        mu, logvar = moments.split(self.latent_dim, 1) if self.latent_dim else (moments, moments)
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
            InputError: if the decoder is autoregressive: its pixels have no probability before the earlier ones are drawn.
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
            InputError: if n is below 1, labels do not fit, or `mean` is asked of an autoregressive decoder.
        """
        z, y = draw_latents(n, y, self, generator)
        if mean:
            return self.decode(z, y)
        with eval_mode(self):
            return in_batches(lambda z, y: self.decoder.sample(z, y, generator=generator), z, y)

    def _posterior(self, x: Image, y: Labels | None) -> tuple[Latent, Latent]:
        """Encode images: mean and log-variance of q(z|x), in the precision of the images."""
        found, expected = self.encoder(x, y), (len(x), self.latent_dim)
        shapes = [tuple(moment.shape) for moment in ([found] if isinstance(found, Tensor) else found)]
        if shapes != [expected, expected]:
            raise InputError(
                f"got {shapes} from the encoder for {len(x)} images, expected a mean and a log-variance of z, "
                f"each of shape {expected}: return mu, logvar"
            )
        mu, logvar = found
        return mu.to(x.dtype), logvar.to(x.dtype)
