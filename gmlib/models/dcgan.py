"""The DCGAN: a generator of transposed convolutions, and a critic of strided ones (Radford, Metz & Chintala 2016)."""

from torch import nn

from gmlib.conditioning import append_label
from gmlib.models.conv import normed
from gmlib.models.mlp import Norm, normalisation
from gmlib.shapes import Image, Labels, Latent, PerImage, require_image, require_latent


def initialise(network: nn.Module) -> nn.Module:
    """Return the network with weights from N(0, 0.02²), batch norm's gains from N(1, 0.02²), and biases of 0.

    Source: Radford, Metz & Chintala 2016, section 4; their reference code for the gains.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return network


class DCGenerator(nn.Module):
    """G(z): z, and a one-hot label if there are classes, as a 1×1 image that four transposed convolutions enlarge."""

    def __init__(
        self,
        latent_dim: int = 100,
        num_classes: int = 0,
        width: int = 64,
        batch_norm: bool = True,
        channels: int = 1,
    ) -> None:
        """Build the network.

        Args:
            latent_dim: size of z.
            num_classes: number of labels, 0 for none.
            width: channels of the last hidden feature map; each earlier one has twice the channels of the next.
            batch_norm: whether hidden feature maps are normalised over the batch.
            channels: of the images; 3 for stacks of three digits.
        """
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = num_classes

        def up(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> list[nn.Module]:
            layer = nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, bias=not batch_norm)
            return normed(layer, outputs, batch_norm)

        self.net = nn.Sequential(
            nn.Unflatten(1, (latent_dim + num_classes, 1, 1)),
            *up(latent_dim + num_classes, 4 * width, 4, 1, 0),  # 1 -> 4
            *up(4 * width, 2 * width, 3, 2, 1),  # 4 -> 7
            *up(2 * width, width, 4, 2, 1),  # 7 -> 14
            nn.ConvTranspose2d(width, channels, 4, 2, 1),  # 14 -> 28
            nn.Tanh(),
        )
        initialise(self)

    def forward(self, z: Latent, y: Labels | None = None) -> Image:
        """Return images `(b, channels, 28, 28)` in [0, 1] for latents `(b, latent_dim)`."""
        require_latent(z, self.latent_dim)
        return (self.net(append_label(z, y, self.num_classes)) + 1) / 2  # from tanh's [-1, 1] to [0, 1]


class DCCritic(nn.Module):
    """An unbounded score per image by strided convolutions; the last one covers the whole feature map."""

    def __init__(
        self,
        num_classes: int = 0,
        width: int = 32,
        norm: Norm = None,
        dropout: float = 0.0,
        channels: int = 1,
    ) -> None:
        """Build the network.

        Args:
            num_classes: number of labels, 0 for none; each is a channel beside the image.
            width: channels of the first hidden feature map; each next one has twice as many.
            norm: of hidden feature maps but the first: "batch" over the batch, "layer" over each image, or None.
            dropout: share of each hidden feature map that is set to 0 in training.
            channels: of the images; m for packs of m images.

        Raises:
            InputError: if there is no such norm.
        """
        super().__init__()
        self.num_classes = num_classes
        self.channels = channels

        def down(inputs: int, outputs: int, kernel: int, norm: Norm = norm) -> list[nn.Module]:
            convolution = nn.Conv2d(inputs, outputs, kernel, stride=2, padding=1, bias=norm != "batch")
            normed = normalisation(norm, outputs, feature_maps=True)
            return [convolution, *normed, nn.LeakyReLU(0.2), *([nn.Dropout(dropout)] if dropout else [])]

        self.net = nn.Sequential(
            *down(channels + num_classes, width, 4, norm=None),  # 28 -> 14
            *down(width, 2 * width, 4),  # 14 -> 7
            *down(2 * width, 4 * width, 3),  # 7 -> 4
            nn.Conv2d(4 * width, 1, 4),  # 4 -> 1
            nn.Flatten(0),
        )
        initialise(self)

    def forward(self, x: Image, y: Labels | None = None) -> PerImage:
        """Return scores `(b,)`, logits where the loss is a cross-entropy, of images `(b, channels, 28, 28)` in [0, 1]."""
        require_image(x, (self.channels, 28, 28))
        return self.net(append_label(2 * x - 1, y, self.num_classes))  # from [0, 1] to [-1, 1]
