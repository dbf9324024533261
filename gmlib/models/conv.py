"""Convolutional encoder and decoder of a VAE."""

from functools import partial

from torch import nn

from gmlib.conditioning import append_label
from gmlib.models.mlp import Hidden, hidden_layers, layer_sizes
from gmlib.shapes import Image, Labels, Latent, require_image, require_latent


def conv_norm_relu(convolution: nn.Module, channels: int, batch_norm: bool) -> list[nn.Module]:
    """Return a convolution followed by batch norm over its output channels, if `batch_norm` is set, and by ReLU."""
    return [convolution, *([nn.BatchNorm2d(channels)] if batch_norm else []), nn.ReLU()]


class ConvEncoder(nn.Module):
    """The encoder q(z|x): two convolutions, and then the hidden layers of the MLP encoder."""

    def __init__(
        self,
        latent_dim: int,
        num_classes: int = 0,
        hidden: Hidden = 100,
        batch_norm: bool = True,
        strided: bool = False,
    ) -> None:
        """Build the network.

        Args:
            latent_dim: size of z.
            num_classes: number of classes of the labels, each of which is an input channel; 0 without labels.
            hidden: size of one hidden layer, or of each of several.
            batch_norm: whether layers are normalised over the batch.
            strided: True for 4×4 kernels, stride 2, and 32 and 64 channels; False for 3×3 kernels, stride 1, and 8 channels.
        """
        super().__init__()
        self.num_classes = num_classes
        width, next_width, kernel, stride, side = (32, 64, 4, 2, 7) if strided else (8, 8, 3, 1, 28)
        conv = partial(nn.Conv2d, kernel_size=kernel, stride=stride, padding=1, bias=not batch_norm)
        self.net = nn.Sequential(
            *conv_norm_relu(conv(1 + num_classes, width), width, batch_norm),  # 28, or 14
            *conv_norm_relu(conv(width, next_width), next_width, batch_norm),  # 28, or 7
            nn.Flatten(),  # 8 · 28 · 28, or 64 · 7 · 7
            *hidden_layers(next_width * side**2, hidden, "batch" if batch_norm else None),
            nn.Linear(layer_sizes(hidden)[-1], 2 * latent_dim),  # mean and log-variance
        )

    def forward(self, x: Image, y: Labels | None = None) -> tuple[Latent, Latent]:
        """Return mu and logvar of q(z|x), each `(b, latent_dim)`, for images `(b, 1, 28, 28)` in [0, 1]."""
        require_image(x, (1, 28, 28))
        mu, logvar = self.net(append_label(x, y, self.num_classes)).chunk(2, dim=1)
        return mu, logvar


class ConvDecoder(nn.Module):
    """The decoder's network: hidden layers, and then two transposed convolutions to the logits of 28×28 pixels."""

    def __init__(
        self,
        latent_dim: int,
        num_classes: int = 0,
        hidden: Hidden = 100,
        batch_norm: bool = True,
        channels: int = 1,
        width: int = 32,
    ) -> None:
        """Build the network.

        Args:
            latent_dim: size of z.
            num_classes: number of classes of the labels; 0 without labels.
            hidden: size of one hidden layer, or of each of several.
            batch_norm: whether layers are normalised over the batch.
            channels: channels of the output: 1 for logits, more for the spatial condition of a PixelCNN.
            width: channels of the 7×7 feature map; the 14×14 feature map has width / 2.
        """
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.channels = channels
        half = width // 2
        self.net = nn.Sequential(
            *hidden_layers(latent_dim + num_classes, hidden, "batch" if batch_norm else None),
            nn.Linear(layer_sizes(hidden)[-1], width * 7 * 7),
            nn.ReLU(),
            nn.Unflatten(1, (width, 7, 7)),
            *conv_norm_relu(nn.ConvTranspose2d(width, half, 4, 2, 1, bias=not batch_norm), half, batch_norm),  # 7 -> 14
            nn.ConvTranspose2d(half, channels, 4, 2, 1),  # 14 -> 28
        )

    def forward(self, z: Latent, y: Labels | None = None) -> Image:
        """Return logits `(b, 1, 28, 28)`, or a feature map `(b, channels, 28, 28)`, for latents `(b, latent_dim)`."""
        require_latent(z, self.latent_dim)
        return self.net(append_label(z, y, self.num_classes))
