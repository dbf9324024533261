"""Fully connected networks: encoder and decoder of a VAE, generator and critic of a GAN."""

from typing import Literal, get_args

from torch import nn

from gmlib.conditioning import append_label
from gmlib.errors import InputError
from gmlib.shapes import Image, Labels, Latent, PerImage, require_image, require_latent

Norm = Literal["batch", "layer", "layer_no_affine", None]
Hidden = int | tuple[int, ...]  # number of units of the only hidden layer, or of each of several


def normalisation(norm: Norm, features: int, feature_maps: bool = False) -> list[nn.Module]:
    """Return the normalisation layer for this number of features, or of channels, in a list that is empty for None."""
    if norm not in get_args(Norm):  # any other value would silently mean no normalisation
        raise InputError(f"got norm {norm!r}, expected 'batch', 'layer', 'layer_no_affine' or None")
    if norm == "batch":
        return [nn.BatchNorm2d(features) if feature_maps else nn.BatchNorm1d(features)]
    if norm:
        affine = norm == "layer"
        # one group: a gain and a bias per channel, as in the code of Gulrajani et al. 2017; nn.LayerNorm has them per pixel
        if feature_maps:
            return [nn.GroupNorm(1, features, affine=affine)]
        return [nn.LayerNorm(features, elementwise_affine=affine)]
    return []


def hidden_layers(inputs: int, hidden: Hidden, norm: Norm, slope: float = 0.0, dropout: float = 0.0) -> list[nn.Module]:
    """Return linear layers, each followed by normalisation, (leaky) ReLU and dropout."""
    layers: list[nn.Module] = []
    for outputs in layer_sizes(hidden):
        # batch norm subtracts the mean, so that a bias before it has no effect
        layers += [nn.Linear(inputs, outputs, bias=norm != "batch"), *normalisation(norm, outputs)]
        layers += [nn.LeakyReLU(slope) if slope else nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
        inputs = outputs
    return layers


def layer_sizes(hidden: Hidden) -> tuple[int, ...]:
    """Return the number of units of each hidden layer."""
    return (hidden,) if isinstance(hidden, int) else tuple(hidden)


class MLPEncoder(nn.Module):
    """The encoder: it computes the mean and log-variance of q(z|x) from an image, and from its label if there are classes."""

    def __init__(self, latent_dim: int, num_classes: int = 0, hidden: Hidden = 100, batch_norm: bool = True) -> None:
        """Build the network; `num_classes` is 0 without labels, and `hidden` the size of one layer or of each of several."""
        super().__init__()
        self.num_classes = num_classes
        self.net = nn.Sequential(
            *hidden_layers(784 + num_classes, hidden, "batch" if batch_norm else None),  # 784 -> hidden
            nn.Linear(layer_sizes(hidden)[-1], 2 * latent_dim),  # mean and log-variance
        )

    def forward(self, x: Image, y: Labels | None = None) -> tuple[Latent, Latent]:
        """Return mu and logvar of q(z|x), each `(b, latent_dim)`, for images `(b, 1, 28, 28)` in [0, 1]."""
        require_image(x, (1, 28, 28))
        mu, logvar = self.net(append_label(x.flatten(1), y, self.num_classes)).chunk(2, dim=1)
        return mu, logvar


class MLPDecoder(nn.Module):
    """The decoder's network: it computes the logits of 28×28 pixels from z, and from a label if there are classes."""

    def __init__(self, latent_dim: int, num_classes: int = 0, hidden: Hidden = 100, batch_norm: bool = True) -> None:
        """Build the network; `num_classes` is 0 without labels, and `hidden` the size of one layer or of each of several."""
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.net = nn.Sequential(
            *hidden_layers(latent_dim + num_classes, hidden, "batch" if batch_norm else None),  # latent_dim -> hidden
            nn.Linear(layer_sizes(hidden)[-1], 784),
        )

    def forward(self, z: Latent, y: Labels | None = None) -> Image:
        """Return the logits of the pixels `(b, 1, 28, 28)` for latents `(b, latent_dim)`."""
        require_latent(z, self.latent_dim)
        return self.net(append_label(z, y, self.num_classes)).unflatten(1, (1, 28, 28))


class MLPGenerator(nn.Module):
    """The generator G(z): it computes an image from z, and from a label if there are classes."""

    def __init__(
        self,
        latent_dim: int = 100,
        num_classes: int = 0,
        hidden: Hidden = (256, 512, 1024),
        batch_norm: bool = False,
        channels: int = 1,
    ) -> None:
        """Build the network.

        Args:
            latent_dim: size of z.
            num_classes: number of classes of the labels; 0 without labels.
            hidden: sizes of the hidden layers.
            batch_norm: whether hidden layers are normalised over the batch.
            channels: channels of the images; 3 where three digits are stacked.
        """
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.channels = channels
        self.net = nn.Sequential(
            *hidden_layers(latent_dim + num_classes, hidden, "batch" if batch_norm else None, slope=0.2),
            nn.Linear(layer_sizes(hidden)[-1], 784 * channels),
            nn.Tanh(),
        )

    def forward(self, z: Latent, y: Labels | None = None) -> Image:
        """Return images `(b, channels, 28, 28)` in [0, 1] for latents `(b, latent_dim)`."""
        require_latent(z, self.latent_dim)
        pixels = self.net(append_label(z, y, self.num_classes))
        return (pixels.unflatten(1, (self.channels, 28, 28)) + 1) / 2  # from tanh's [-1, 1] to [0, 1]


class MLPCritic(nn.Module):
    """The critic, or discriminator: it computes one unbounded score per image, trained to be higher for real images."""

    def __init__(
        self,
        num_classes: int = 0,
        hidden: Hidden = (1024, 512, 256),
        norm: Norm = None,
        dropout: float = 0.3,
        channels: int = 1,
    ) -> None:
        """Build the network.

        Args:
            num_classes: number of classes of the labels; 0 without labels.
            hidden: sizes of the hidden layers.
            norm: "batch" to normalise hidden layers over the batch, "layer" over the features of each image, or None;
                "layer_no_affine" is "layer" without gains and biases, which clipping would bound too.
            dropout: share of each hidden layer that is set to 0 in training.
            channels: channels of the images; m where m images are scored together (PacGAN).
        """
        super().__init__()
        self.num_classes = num_classes
        self.channels = channels
        self.net = nn.Sequential(
            *hidden_layers(784 * channels + num_classes, hidden, norm, slope=0.2, dropout=dropout),
            nn.Linear(layer_sizes(hidden)[-1], 1),
            nn.Flatten(0),
        )

    def forward(self, x: Image, y: Labels | None = None) -> PerImage:
        """Return scores `(b,)`, for a cross-entropy loss the logits, of images `(b, channels, 28, 28)` in [0, 1]."""
        require_image(x, (self.channels, 28, 28))
        return self.net(append_label(2 * x.flatten(1) - 1, y, self.num_classes))  # from [0, 1] to [-1, 1]
