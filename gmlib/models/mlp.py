"""Fully connected networks: the report's encoder and decoder of a VAE, its generator and critic of a GAN."""

from collections.abc import Iterable
from numbers import Integral
from typing import Literal, get_args

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

Norm = Literal["batch", "layer", None]


def normalisation(norm: Norm, features: int, planes: bool = False) -> list[nn.Module]:
    """Return the normalisation of a layer's outputs, before the nonlinearity.

    Layer norm uses the statistics of one image alone, over all its features, or over all channels and places of its planes.
    For planes it is `nn.GroupNorm` with one group, since its gain and bias are per channel, as in the code of Gulrajani et al.;
    `nn.LayerNorm` would have a gain per channel and place, and would fit only planes of one size.

    Args:
        norm: "batch" (Ioffe & Szegedy 2015), "layer" (Ba, Kiros & Hinton 2016), or None.
        features: number of outputs, or of channels.
        planes: whether outputs are planes `(b, c, h, w)` or vectors `(b, f)`.

    Returns:
        One module, or none.

    Raises:
        InputError: if there is no such norm.

    Source: for layer norm in a critic, Gulrajani et al. 2017, section 4, "No critic batch normalization".
    """
    if norm not in get_args(Norm):
        raise InputError(f"got norm {norm!r}, expected 'batch', 'layer' or None: choose one of them")
    if norm == "batch":
        return [nn.BatchNorm2d(features) if planes else nn.BatchNorm1d(features)]
    if norm == "layer":
        return [nn.GroupNorm(1, features) if planes else nn.LayerNorm(features)]
    return []


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
    inputs: int, hidden: int | tuple[int, ...], norm: Norm, slope: float = 0.0, dropout: float = 0.0
) -> list[nn.Module]:
    """Return linear layers, each with a norm, ReLU and dropout, where these are asked for.

    Batch norm removes the bias of the layer before it, which is left out there; layer norm does not remove it.

    Args:
        inputs: size of what comes in.
        hidden: size of the one hidden layer, or the sizes of several.
        norm: before the nonlinearity.
        slope: below zero; 0 makes a ReLU, else a LeakyReLU.
        dropout: part of the outputs that is dropped in training.

    Returns:
        The modules in order.
    """
    layers: list[nn.Module] = []
    for outputs in layer_sizes(hidden):
        layers += [nn.Linear(inputs, outputs, bias=norm != "batch"), *normalisation(norm, outputs)]
        layers += [nn.LeakyReLU(slope) if slope else nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
        inputs = outputs
    return layers


def batch(batch_norm: bool) -> Norm:
    """Return the norm that a network with or without batch norm has.

    Args:
        batch_norm: whether there is one.

    Returns:
        "batch" or None.
    """
    return "batch" if batch_norm else None


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
            *hidden_layers(784 + num_classes, hidden, batch(batch_norm)),  # 784 -> hidden
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
            *hidden_layers(latent_dim + num_classes, hidden, batch(batch_norm)),  # latent_dim -> hidden
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
            *hidden_layers(latent_dim + num_classes, hidden, batch(batch_norm), slope=0.2),
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
        norm: Norm = None,
        dropout: float = 0.3,
        channels: int = 1,
    ) -> None:
        """Build the network.

        Args:
            num_classes: number of labels, 0 for none.
            hidden: sizes of the hidden layers.
            norm: of hidden layers: "batch" over the batch, "layer" over the features of each image, or None.
            dropout: part of each hidden layer that is dropped in training.
            channels: of the images; m where it judges packs of m.

        Raises:
            InputError: if a size is too small, or there is no such norm.
        """
        super().__init__()
        require_whole(0, num_classes=num_classes)
        require_whole(1, channels=channels)
        self.num_classes = num_classes
        self.channels = channels
        self.net = nn.Sequential(
            *hidden_layers(784 * channels + num_classes, hidden, norm, slope=0.2, dropout=dropout),
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
