"""p(x|z) pixel by pixel: each pixel is a coin whose log-odds hear of z and of all pixels drawn before it."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Generator, Tensor, nn

from gmlib.conditioning import append_label
from gmlib.errors import InputError
from gmlib.models.causal import CausalNetwork, Condition
from gmlib.models.wavefront import draw_naively, draw_pixels
from gmlib.objectives.variational import bernoulli_log_prob
from gmlib.parallel import draw
from gmlib.shapes import Image, Labels, Latent, PerImage, Watch, require_image, require_latent

SIZE = (1, 28, 28)


class PixelDecoder(nn.Module):
    r"""An autoregressive decoder; without a latent it is a PixelCNN.

    $$p(x \mid z) = \prod_i p(x_i \mid x_1, \ldots, x_{i-1}, z)$$

    Source: Gulrajani et al. 2017, PixelVAE: A Latent Variable Model for Natural Images.
    """

    def __init__(
        self,
        latent_dim: int,
        num_classes: int,
        network: Callable[[int, int], CausalNetwork],
        plane: nn.Module | None = None,
    ) -> None:
        """Build the network.

        Args:
            latent_dim: size of z; 0 for none.
            num_classes: number of labels, 0 for none.
            network: of the log-odds, made from the size of z and label together, which its biases hear of, and from the
                channels of the plane that it looks at.
            plane: from z and label to that plane `(b, channels, 28, 28)`, such as `ConvDecoder`; without one there are
                biases.
        """
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.plane = plane
        self.network = network(0, cast(int, plane.channels)) if plane else network(latent_dim + num_classes, 0)

    def logits(self, x: Image, z: Latent, y: Labels | None = None) -> Image:
        """Give the log-odds of every pixel, given those before it: in one pass, for x is known.

        Args:
            x: images `(b, 1, 28, 28)`.
            z: latents `(b, latent_dim)`.
            y: labels `(b,)`, or None.

        Returns:
            Logits `(b, 1, 28, 28)`.

        Raises:
            InputError: if the images are none, or the latents of another size or another number.
        """
        require_image(x, SIZE, self)
        if len(x) != len(z):
            raise InputError(f"got {len(x)} images and {len(z)} latents, expected one latent an image")
        return self.network(x, self._condition(z, y))

    def log_prob(self, x: Image, z: Latent, y: Labels | None = None) -> PerImage:
        """Log p(x|z).

        Args:
            x: binary images `(b, 1, 28, 28)`.
            z: latents `(b, latent_dim)`.
            y: labels `(b,)`, or None.

        Returns:
            Nats per image, `(b,)`.
        """
        return bernoulli_log_prob(x, self.logits(x, z, y).to(x.dtype))

    def sample(
        self,
        z: Latent,
        y: Labels | None = None,
        *,
        uniforms: Tensor | None = None,
        generator: Generator | None = None,
        watch: Watch = iter,
    ) -> Image:
        """Draw images pixel by pixel, along a front.

        Args:
            z: latents `(b, latent_dim)`.
            y: labels `(b,)`, or None.
            uniforms: `(b, 1, 28, 28)` in [0, 1): a pixel is 1 where its own is below its probability. None draws them.
            generator: source of randomness, on the device of z.
            watch: passes on the steps that it is given, and may show how far it has come, as tqdm does.

        Returns:
            Images `(b, 1, 28, 28)` of zeros and ones.

        Raises:
            InputError: if latents, labels and uniforms do not fit each other.
        """
        return draw_pixels(self.network, self._condition(z, y), self._uniforms(z, uniforms, generator), watch)

    def sample_naive(
        self,
        z: Latent,
        y: Labels | None = None,
        *,
        uniforms: Tensor | None = None,
        generator: Generator | None = None,
        watch: Watch = iter,
    ) -> Image:
        """Draw the same images by 784 full passes.

        Args:
            z: as for `sample`.
            y: as for `sample`.
            uniforms: as for `sample`.
            generator: as for `sample`.
            watch: passes on the pixels that it is given.

        Returns:
            Images `(b, 1, 28, 28)` of zeros and ones.

        Raises:
            InputError: if latents, labels and uniforms do not fit each other.
        """
        return draw_naively(self.network, self._condition(z, y), self._uniforms(z, uniforms, generator), watch)

    def _condition(self, z: Latent, y: Labels | None) -> Condition:
        """Put z and label side by side, or make a plane of them."""
        require_latent(z, self.latent_dim, self)
        return self.plane(z, y) if self.plane else append_label(z, y, self.num_classes)

    def _uniforms(self, z: Latent, uniforms: Tensor | None, generator: Generator | None) -> Image:
        """Take the uniforms that are given, or draw them."""
        if uniforms is None:
            return draw(torch.rand, (len(z), *SIZE), generator, z.device).to(z.dtype)
        if tuple(uniforms.shape) != (len(z), *SIZE):
            raise InputError(
                f"got uniforms of shape {tuple(uniforms.shape)}, expected {(len(z), *SIZE)}: one number in [0, 1) per pixel"
            )
        return uniforms.to(z)


class NoLatent(nn.Module):
    """The encoder of a model without a latent: z has no numbers, and its KL divergence is 0."""

    def forward(self, x: Image, y: Labels | None = None) -> tuple[Latent, Latent]:
        """Give mean and log-variance of no number.

        Args:
            x: images `(b, 1, 28, 28)`.
            y: not used.

        Returns:
            Twice `(b, 0)`.
        """
        require_image(x)
        return x.new_zeros(len(x), 0), x.new_zeros(len(x), 0)
