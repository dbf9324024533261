"""Fully connected networks: the report's encoder and decoder of one hidden layer."""

from torch import nn

from gmlib.conditioning import append_label
from gmlib.shapes import Image, Labels, Latent, require_image, require_latent, require_latent_dim


def hidden_layers(inputs: int, hidden: int | tuple[int, ...], batch_norm: bool) -> list[nn.Module]:
    """Linear layers, each with batch norm if it is asked for, and ReLU.

    Args:
        inputs: size of what comes in.
        hidden: size of the one hidden layer, or the sizes of several.
        batch_norm: whether to normalise before the nonlinearity (Ioffe & Szegedy 2015).

    Returns:
        The modules in order.
    """
    layers: list[nn.Module] = []
    for outputs in (hidden,) if isinstance(hidden, int) else hidden:
        norm: list[nn.Module] = [nn.BatchNorm1d(outputs)] if batch_norm else []
        layers += [nn.Linear(inputs, outputs, bias=not batch_norm), *norm, nn.ReLU()]
        inputs = outputs
    return layers


def last(hidden: int | tuple[int, ...]) -> int:
    """Give the size of the last hidden layer.

    Args:
        hidden: as for `hidden_layers`.

    Returns:
        What comes out of them.
    """
    return hidden if isinstance(hidden, int) else hidden[-1]


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
            InputError: if the latent size is below 1.
        """
        super().__init__()
        require_latent_dim(latent_dim)
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
        require_image(x, (1, 28, 28))
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
            InputError: if the latent size is below 1.
        """
        super().__init__()
        require_latent_dim(latent_dim)
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
        require_latent(z, self.latent_dim)
        return self.net(append_label(z, y, self.num_classes)).unflatten(1, (1, 28, 28))
