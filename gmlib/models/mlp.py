"""Fully connected networks: encoder and decoder of a VAE, generator and critic of a GAN."""

from collections.abc import Iterable
from typing import Literal, get_args

from torch import nn

from gmlib.conditioning import append_label
from gmlib.errors import InputError
from gmlib.shapes import Image, Labels, Latent, PerImage, require_image, require_latent

Norm = Literal["batch", "layer", None]
Hidden = int | tuple[int, ...]  # size of the one hidden layer, or the sizes of several


def normalisation(norm: Norm, features: int, feature_maps: bool = False) -> list[nn.Module]:
    """Return a list of the normalisation of a layer's outputs, empty for None.

    Layer norm uses the statistics of one image alone (Gulrajani et al. 2017, section 4). For feature maps it is
    `nn.GroupNorm` with one group, whose gain and bias are per channel, as in their code; those of `nn.LayerNorm` would be
    per channel and place.
    """
    if norm not in get_args(Norm):  # any other value would silently mean no normalisation
        raise InputError(f"got norm {norm!r}, expected 'batch', 'layer' or None")
    if norm == "batch":
        return [nn.BatchNorm2d(features) if feature_maps else nn.BatchNorm1d(features)]
    if norm == "layer":
        return [nn.GroupNorm(1, features) if feature_maps else nn.LayerNorm(features)]
    return []


def hidden_layers(inputs: int, hidden: Hidden, norm: Norm, slope: float = 0.0, dropout: float = 0.0) -> list[nn.Module]:
    """Return linear layers, each with normalisation, (leaky) ReLU and dropout."""
    layers: list[nn.Module] = []
    for outputs in _sizes(hidden):
        # batch norm subtracts the mean, so that a bias before it has no effect
        layers += [nn.Linear(inputs, outputs, bias=norm != "batch"), *normalisation(norm, outputs)]
        layers += [nn.LeakyReLU(slope) if slope else nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
        inputs = outputs
    return layers


def last(hidden: Hidden) -> int:
    """Return the size of the last hidden layer."""
    return _sizes(hidden)[-1]


def batch(batch_norm: bool) -> Norm:
    """Return the norm of a network with or without batch norm."""
    return "batch" if batch_norm else None


def _sizes(hidden: Hidden) -> tuple[int, ...]:
    """Return the sizes of the hidden layers."""
    return tuple(hidden) if isinstance(hidden, Iterable) else (hidden,)


class MLPEncoder(nn.Module):
    """q(z|x): from an image, and its label if there are classes, to the mean and log-variance of z."""

    def __init__(self, latent_dim: int, num_classes: int = 0, hidden: Hidden = 100, batch_norm: bool = True) -> None:
        """Build the network.

        Args:
            latent_dim: size of z.
            num_classes: number of labels, 0 for none.
            hidden: size of the hidden layer, or sizes of several.
            batch_norm: whether hidden layers are normalised over the batch.
        """
        super().__init__()
        self.num_classes = num_classes
        self.net = nn.Sequential(
            *hidden_layers(784 + num_classes, hidden, batch(batch_norm)),  # 784 -> hidden
            nn.Linear(last(hidden), 2 * latent_dim),  # mean and log-variance
        )

    def forward(self, x: Image, y: Labels | None = None) -> tuple[Latent, Latent]:
        """Return mu and logvar of q(z|x), each `(b, latent_dim)`, for images `(b, 1, 28, 28)` in [0, 1]."""
        require_image(x, (1, 28, 28))
        mu, logvar = self.net(append_label(x.flatten(1), y, self.num_classes)).chunk(2, dim=1)
        return mu, logvar


class MLPDecoder(nn.Module):
    """The network inside p(x|z): from z, and a label if there are classes, to the logits of 28×28 pixels."""

    def __init__(self, latent_dim: int, num_classes: int = 0, hidden: Hidden = 100, batch_norm: bool = True) -> None:
        """Build the network.

        Args:
            latent_dim: size of z.
            num_classes: number of labels, 0 for none.
            hidden: size of the hidden layer, or sizes of several.
            batch_norm: whether hidden layers are normalised over the batch.
        """
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.net = nn.Sequential(
            *hidden_layers(latent_dim + num_classes, hidden, batch(batch_norm)),  # latent_dim -> hidden
            nn.Linear(last(hidden), 784),
        )

    def forward(self, z: Latent, y: Labels | None = None) -> Image:
        """Return the logits of the pixels `(b, 1, 28, 28)` for latents `(b, latent_dim)`."""
        require_latent(z, self.latent_dim)
        return self.net(append_label(z, y, self.num_classes)).unflatten(1, (1, 28, 28))


class MLPGenerator(nn.Module):
    """G(z): from a latent, and a label if there are classes, to an image; by default 100-256-512-1024-784 units."""

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
            num_classes: number of labels, 0 for none.
            hidden: sizes of the hidden layers; the critic's are the same in reverse.
            batch_norm: whether hidden layers are normalised over the batch.
            channels: of the images; 3 for stacks of three digits.
        """
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.channels = channels
        self.net = nn.Sequential(
            *hidden_layers(latent_dim + num_classes, hidden, batch(batch_norm), slope=0.2),
            nn.Linear(last(hidden), 784 * channels),
            nn.Tanh(),
        )

    def forward(self, z: Latent, y: Labels | None = None) -> Image:
        """Return images `(b, channels, 28, 28)` in [0, 1] for latents `(b, latent_dim)`."""
        require_latent(z, self.latent_dim)
        pixels = self.net(append_label(z, y, self.num_classes))
        return (pixels.unflatten(1, (self.channels, 28, 28)) + 1) / 2  # from tanh's [-1, 1] to [0, 1]


class MLPCritic(nn.Module):
    """An unbounded score per image: higher for real than for generated ones; by default 784-1024-512-256-1 units."""

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
            num_classes: number of labels, 0 for none.
            hidden: sizes of the hidden layers.
            norm: of hidden layers: "batch" over the batch, "layer" over the features of each image, or None.
            dropout: share of each hidden layer that is set to 0 in training.
            channels: of the images; m for packs of m images.

        Raises:
            InputError: if there is no such norm.
        """
        super().__init__()
        self.num_classes = num_classes
        self.channels = channels
        self.net = nn.Sequential(
            *hidden_layers(784 * channels + num_classes, hidden, norm, slope=0.2, dropout=dropout),
            nn.Linear(last(hidden), 1),
            nn.Flatten(0),
        )

    def forward(self, x: Image, y: Labels | None = None) -> PerImage:
        """Return scores `(b,)`, logits where the loss is a cross-entropy, of images `(b, channels, 28, 28)` in [0, 1]."""
        require_image(x, (self.channels, 28, 28))
        return self.net(append_label(2 * x.flatten(1) - 1, y, self.num_classes))  # from [0, 1] to [-1, 1]
