"""Fully connected networks: the report's encoder and decoder of a VAE, its generator and critic of a GAN."""

from collections.abc import Iterable
from numbers import Integral

from torch import nn

from gmlib.conditioning import append_label
from gmlib.errors import InputError
from gmlib.shapes import (
    Image,
    Labels,
    Latent,
    PerImage,
    require_image,
    require_latent,
    require_latent_dim,
    require_whole,
)


def layer_sizes(hidden: int | tuple[int, ...]) -> tuple[int, ...]:
    """Return the sizes of the hidden layers.

    Args:
        hidden: size of the one hidden layer, or the sizes of several.

    Returns:
        One size per layer.

    Raises:
        InputError: if there is no layer, or a size is no whole number of at least 1.
    """
    sizes = tuple(hidden) if isinstance(hidden, Iterable) else (hidden,)
    if not sizes or any(not isinstance(size, Integral) or size < 1 for size in sizes):
        raise InputError(
            f"got hidden {hidden!r}, expected a size of at least 1 for each of one or more layers: try 100"
        )
    return sizes


def hidden_layers(
    inputs: int, hidden: int | tuple[int, ...], batch_norm: bool, slope: float = 0.0, dropout: float = 0.0
) -> list[nn.Module]:
    """Linear layers, each with batch norm if it is asked for, ReLU, and dropout if it is asked for.

    Args:
        inputs: size of what comes in.
        hidden: size of the one hidden layer, or the sizes of several.
        batch_norm: whether to normalise before the nonlinearity (Ioffe & Szegedy 2015).
        slope: below zero; 0 makes a ReLU, else a LeakyReLU.
        dropout: part of the outputs that is dropped in training.

    Returns:
        The modules in order.
    """
    layers: list[nn.Module] = []
    for outputs in layer_sizes(hidden):
        norm: list[nn.Module] = [nn.BatchNorm1d(outputs)] if batch_norm else []
        layers += [nn.Linear(inputs, outputs, bias=not batch_norm), *norm]
        layers += [nn.LeakyReLU(slope) if slope else nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
        inputs = outputs
    return layers


def last(hidden: int | tuple[int, ...]) -> int:
    """Give the size of the last hidden layer.

    Args:
        hidden: as for `hidden_layers`.

    Returns:
        What comes out of them.
    """
    return layer_sizes(hidden)[-1]


class MLPEncoder(nn.Module):
    """q(z|x): from an image, and its label if there are classes, to the mean and log-variance of z."""

    def __init__(
        self, latent_dim: int, num_classes: int = 0, hidden: int | tuple[int, ...] = 100, batch_norm: bool = True
    ) -> None:
        """Build the network.

        Args:
            latent_dim: size of z, at least 1.
            num_classes: number of labels, 0 for none.
            hidden: size of the hidden layer, or sizes of several.
            batch_norm: whether hidden layers are normalised over the batch.

        Raises:
            InputError: if a size is too small.
        """
        super().__init__()
        require_latent_dim(latent_dim)
        require_whole(0, num_classes=num_classes)
        self.num_classes = num_classes
        self.net = nn.Sequential(
            *hidden_layers(784 + num_classes, hidden, batch_norm),  # 784 -> hidden
            nn.Linear(last(hidden), 2 * latent_dim),  # mean and log-variance side by side
        )

    def forward(self, x: Image, y: Labels | None = None) -> tuple[Latent, Latent]:
        """Give mean and log-variance of q(z|x).

        Args:
            x: images `(b, 1, 28, 28)` in [0, 1].
            y: labels `(b,)`, or None.

        Returns:
            mu and logvar, each `(b, latent_dim)`.
        """
        require_image(x, (1, 28, 28), self)
        mu, logvar = self.net(append_label(x.flatten(1), y, self.num_classes)).chunk(2, dim=1)
        return mu, logvar


class MLPDecoder(nn.Module):
    """The network inside p(x|z): from z, and a label if there are classes, to the logits of 28×28 pixels."""

    def __init__(
        self, latent_dim: int, num_classes: int = 0, hidden: int | tuple[int, ...] = 100, batch_norm: bool = True
    ) -> None:
        """Build the network.

        Args:
            latent_dim: size of z, at least 1.
            num_classes: number of labels, 0 for none.
            hidden: size of the hidden layer, or sizes of several.
            batch_norm: whether hidden layers are normalised over the batch.

        Raises:
            InputError: if a size is too small.
        """
        super().__init__()
        require_latent_dim(latent_dim)
        require_whole(0, num_classes=num_classes)
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.net = nn.Sequential(
            *hidden_layers(latent_dim + num_classes, hidden, batch_norm),  # latent_dim -> hidden
            nn.Linear(last(hidden), 784),
        )

    def forward(self, z: Latent, y: Labels | None = None) -> Image:
        """Give the log-odds of each pixel.

        Args:
            z: latents `(b, latent_dim)`.
            y: labels `(b,)`, or None.

        Returns:
            Logits `(b, 1, 28, 28)`.

        Raises:
            InputError: if the latents are of another size, or the labels do not fit.
        """
        require_latent(z, self.latent_dim, self)
        return self.net(append_label(z, y, self.num_classes)).unflatten(1, (1, 28, 28))


class MLPGenerator(nn.Module):
    """G(z): from noise, and a label if there are classes, to an image; the report's 100-256-512-1024-784."""

    def __init__(
        self,
        latent_dim: int = 100,
        num_classes: int = 0,
        hidden: int | tuple[int, ...] = (256, 512, 1024),
        batch_norm: bool = False,
        channels: int = 1,
    ) -> None:
        """Build the network.

        Args:
            latent_dim: size of z, at least 1.
            num_classes: number of labels, 0 for none.
            hidden: sizes of the hidden layers; the critic's are the same in reverse.
            batch_norm: whether hidden layers are normalised over the batch.
            channels: of the images; 3 where they are stacks of three digits.

        Raises:
            InputError: if a size is too small.
        """
        super().__init__()
        require_latent_dim(latent_dim)
        require_whole(0, num_classes=num_classes)
        require_whole(1, channels=channels)
        self.latent_dim = latent_dim
        self.num_classes = num_classes
        self.channels = channels
        self.net = nn.Sequential(
            *hidden_layers(latent_dim + num_classes, hidden, batch_norm, slope=0.2),
            nn.Linear(last(hidden), 784 * channels),
            nn.Tanh(),
        )

    def forward(self, z: Latent, y: Labels | None = None) -> Image:
        """Turn noise into images.

        Args:
            z: latents `(b, latent_dim)`.
            y: labels `(b,)`, or None.

        Returns:
            Images `(b, channels, 28, 28)` in [0, 1].

        Raises:
            InputError: if the latents are of another size, or the labels do not fit.
        """
        require_latent(z, self.latent_dim, self)
        pixels = self.net(append_label(z, y, self.num_classes))
        return (pixels.unflatten(1, (self.channels, 28, 28)) + 1) / 2  # from tanh's [-1, 1] to [0, 1]


class MLPCritic(nn.Module):
    """How real an image looks, as an unbounded score; the report's 784-1024-512-256-1. The objective has the sigmoid."""

    def __init__(
        self,
        num_classes: int = 0,
        hidden: int | tuple[int, ...] = (1024, 512, 256),
        batch_norm: bool = False,
        dropout: float = 0.3,
        channels: int = 1,
    ) -> None:
        """Build the network.

        Args:
            num_classes: number of labels, 0 for none.
            hidden: sizes of the hidden layers.
            batch_norm: whether hidden layers are normalised over the batch.
            dropout: part of each hidden layer that is dropped in training.
            channels: of the images; m where it judges packs of m.

        Raises:
            InputError: if a size is too small.
        """
        super().__init__()
        require_whole(0, num_classes=num_classes)
        require_whole(1, channels=channels)
        self.num_classes = num_classes
        self.channels = channels
        self.net = nn.Sequential(
            *hidden_layers(784 * channels + num_classes, hidden, batch_norm, slope=0.2, dropout=dropout),
            nn.Linear(last(hidden), 1),
            nn.Flatten(0),
        )

    def forward(self, x: Image, y: Labels | None = None) -> PerImage:
        """Score images.

        Args:
            x: images `(b, channels, 28, 28)` in [0, 1].
            y: labels `(b,)`, or None.

        Returns:
            Scores `(b,)`, the log-odds of being real where the loss is a cross-entropy.
        """
        require_image(x, (self.channels, 28, 28), self)
        return self.net(append_label(2 * x.flatten(1) - 1, y, self.num_classes))  # from [0, 1] to [-1, 1]
