"""Residual encoder and decoder of a VAE: convolutions with skip connections, and no batch norm."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from gmlib.conditioning import append_label
from gmlib.models.mlp import Hidden, hidden_layers, layer_sizes
from gmlib.shapes import Image, Labels, Latent, require_image, require_latent

FeatureMap = Float[Tensor, "b c h w"]


class ResidualBlock(nn.Module):
    r"""Two 3×3 convolutions, whose result is added to the block's input.

    $$h \mapsto h + W_2 * \mathrm{elu}(W_1 * \mathrm{elu}(h))$$

    Source: He et al. 2016, Identity Mappings in Deep Residual Networks, without its batch norm.
    """

    def __init__(self, channels: int) -> None:
        """Build both convolutions."""
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, h: FeatureMap) -> FeatureMap:
        """Return a feature map of the same shape."""
        return h + self.second(F.elu(self.first(F.elu(h))))


def residual_blocks(channels: int, blocks: int) -> list[nn.Module]:
    """Return residual blocks one after another, and a last ELU."""
    return [*(ResidualBlock(channels) for _ in range(blocks)), nn.ELU()]


class ResidualEncoder(nn.Module):
    """The encoder q(z|x): two strided convolutions, each with residual blocks, and then hidden layers."""

    def __init__(
        self,
        latent_dim: int,
        num_classes: int = 0,
        hidden: Hidden = 256,
        batch_norm: bool = False,
        width: int = 16,
        blocks: int = 1,
    ) -> None:
        """Build the network.

        Args:
            latent_dim: size of z.
            num_classes: number of classes of the labels, each of which is an input channel; 0 without labels.
            hidden: size of one hidden layer, or of each of several.
            batch_norm: whether hidden layers, but not convolutions, are normalised over the batch.
            width: channels of the 14×14 feature map; the 7×7 feature map has twice as many.
            blocks: residual blocks per feature map.
        """
        super().__init__()
        self.num_classes = num_classes
        self.net = nn.Sequential(
            nn.Conv2d(1 + num_classes, width, 4, 2, 1),  # 28 -> 14
            *residual_blocks(width, blocks),
            nn.Conv2d(width, 2 * width, 4, 2, 1),  # 14 -> 7
            *residual_blocks(2 * width, blocks),
            nn.Flatten(),
            *hidden_layers(2 * width * 7 * 7, hidden, "batch" if batch_norm else None),
            nn.Linear(layer_sizes(hidden)[-1], 2 * latent_dim),  # mean and log-variance
        )

    def forward(self, x: Image, y: Labels | None = None) -> tuple[Latent, Latent]:
        """Return mu and logvar of q(z|x), each `(b, latent_dim)`, for images `(b, 1, 28, 28)` in [0, 1]."""
        require_image(x, (1, 28, 28))
        mu, logvar = self.net(append_label(x, y, self.num_classes)).chunk(2, dim=1)
        return mu, logvar


class ResidualDecoder(nn.Module):
    """The decoder's network: hidden layers, and then two transposed convolutions, residual blocks before each."""

    def __init__(
        self,
        latent_dim: int,
        num_classes: int = 0,
        hidden: Hidden = 256,
        batch_norm: bool = False,
        width: int = 16,
        blocks: int = 1,
    ) -> None:
        """Build the network; its arguments are those of `ResidualEncoder`."""
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.net = nn.Sequential(
            *hidden_layers(latent_dim + num_classes, hidden, "batch" if batch_norm else None),
            nn.Linear(layer_sizes(hidden)[-1], 2 * width * 7 * 7),
            nn.Unflatten(1, (2 * width, 7, 7)),
            *residual_blocks(2 * width, blocks),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1),  # 7 -> 14
            *residual_blocks(width, blocks),
            nn.ConvTranspose2d(width, 1, 4, 2, 1),  # 14 -> 28
        )

    def forward(self, z: Latent, y: Labels | None = None) -> Image:
        """Return the logits of the pixels `(b, 1, 28, 28)` for latents `(b, latent_dim)`."""
        require_latent(z, self.latent_dim)
        return self.net(append_label(z, y, self.num_classes))
