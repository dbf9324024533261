"""PixelVAE: a PixelCNN as the decoder p(x|z) of a VAE; without a latent the VAE is a PixelCNN."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Generator, Tensor, nn

from gmlib.conditioning import append_label
from gmlib.models.pixelcnn import CausalNetwork, Condition
from gmlib.models.pixelcnn_sampling import sample_sequentially, sample_wavefront
from gmlib.objectives.variational import bernoulli_log_prob
from gmlib.parallel import draw
from gmlib.shapes import Image, Labels, Latent, PerImage

SIZE = (1, 28, 28)  # channels, height and width of an image


class PixelDecoder(nn.Module):
    r"""An autoregressive decoder: each pixel is a Bernoulli variable whose logit depends on z and on earlier pixels.

    $$p(x \mid z) = \prod_i p(x_i \mid x_1, \ldots, x_{i-1}, z)$$

    Source: Gulrajani et al. 2017, PixelVAE: A Latent Variable Model for Natural Images.
    """

    def __init__(
        self,
        latent_dim: int,
        num_classes: int,
        pixelcnn: Callable[[int, int], CausalNetwork],
        spatial_condition: nn.Module | None = None,
    ) -> None:
        """Build the network.

        Args:
            latent_dim: size of z; 0 without a latent.
            num_classes: number of classes of the labels; 0 without labels.
            pixelcnn: a class such as `GatedPixelCNN`, called with the size of the bias condition and the channels of the
                spatial condition.
            spatial_condition: a network such as `ConvDecoder`, which computes a feature map `(b, channels, 28, 28)` from z and
                label. None for a bias condition, which is z and the one-hot label.
        """
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.spatial_condition = spatial_condition
        sizes = (0, cast(int, spatial_condition.channels)) if spatial_condition else (latent_dim + num_classes, 0)
        self.pixelcnn = pixelcnn(*sizes)

    def forward(self, x: Image, z: Latent, y: Labels | None = None) -> Image:
        """Return the logit of each pixel given the pixels before it, `(b, 1, 28, 28)`, in one pass (teacher forcing)."""
        return self.pixelcnn(x, self._condition(z, y))

    def log_prob(self, x: Image, z: Latent, y: Labels | None = None) -> PerImage:
        """Return log p(x|z) of binary images `(b, 1, 28, 28)`, in nats per image, `(b,)`."""
        return bernoulli_log_prob(x, self(x, z, y).to(x.dtype))

    def sample(
        self,
        z: Latent,
        y: Labels | None = None,
        *,
        uniforms: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Image:
        """Draw images by the fast sampler, `sample_wavefront`.

        Args:
            z: latents `(b, latent_dim)`.
            y: labels `(b,)`, or None.
            uniforms: `(b, 1, 28, 28)` in [0, 1): a pixel is 1 where its uniform number is below its probability; None to draw
                them from the random generator.
            generator: random generator on the device of z.

        Returns:
            Images `(b, 1, 28, 28)` of zeros and ones.
        """
        if uniforms is None:
            uniforms = draw(torch.rand, (len(z), *SIZE), generator, z.device)
        return sample_wavefront(self.pixelcnn, uniforms.to(z), self._condition(z, y))

    def sample_sequentially(self, z: Latent, y: Labels | None = None, *, uniforms: Tensor) -> Image:
        """Return the images of `sample` for these uniforms, but drawn pixel by pixel: 784 passes of the network."""
        return sample_sequentially(self.pixelcnn, uniforms.to(z), self._condition(z, y))

    def _condition(self, z: Latent, y: Labels | None) -> Condition:
        """Return the spatial condition, or the bias condition."""
        return self.spatial_condition(z, y) if self.spatial_condition else append_label(z, y, self.num_classes)


class NoLatent(nn.Module):
    """The encoder of a model without a latent: z has size 0, so that the KL divergence is 0."""

    def forward(self, x: Image, y: Labels | None = None) -> tuple[Latent, Latent]:
        """Return mean and log-variance of size 0, each `(b, 0)`; the label has no effect."""
        return x.new_zeros(len(x), 0), x.new_zeros(len(x), 0)
