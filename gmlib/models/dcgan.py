"""The DCGAN: a generator of transposed convolutions, and a critic of strided convolutions (Radford, Metz & Chintala 2016)."""

from torch import nn

from gmlib.conditioning import append_label
from gmlib.models.conv import conv_norm_relu
from gmlib.models.mlp import Norm, normalisation
from gmlib.shapes import Image, Labels, Latent, PerImage, require_image, require_latent


def initialise(network: nn.Module) -> nn.Module:
    """Return the network with weights drawn from N(0, 0.02²), gains of batch norm from N(1, 0.02²), and biases of 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return network


class DCGenerator(nn.Module):
    """The generator G(z): four transposed convolutions enlarge a 1×1 feature map, which is z and a one-hot label, to 28×28."""

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
            num_classes: number of classes of the labels; 0 without labels.
            width: channels of the last hidden feature map; those before have 2 and 4 times as many channels.
            batch_norm: whether hidden feature maps are normalised over the batch.
            channels: channels of the images; 3 where three digits are stacked.
        """
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = num_classes

        def up(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> list[nn.Module]:
            layer = nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, bias=not batch_norm)
            return conv_norm_relu(layer, outputs, batch_norm)

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
    """The critic, or discriminator: strided convolutions to one unbounded score per image."""

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
            num_classes: number of classes of the labels, each of which is an input channel; 0 without labels.
            width: channels of the first hidden feature map; the next ones have 2 and 4 times as many channels.
            norm: normalisation of all hidden feature maps but the first: "batch", "layer" (per image), "layer_no_affine"
                (the same without gains and biases), or None.
            dropout: share of each hidden feature map that is set to 0 in training.
            channels: channels of the images; m where m images are scored together (PacGAN).
        """
        super().__init__()
        self.num_classes = num_classes
        self.channels = channels

        def down(inputs: int, outputs: int, kernel: int, norm: Norm = norm) -> list[nn.Module]:
            convolution = nn.Conv2d(inputs, outputs, kernel, stride=2, padding=1, bias=norm != "batch")
            normalised = normalisation(norm, outputs, feature_maps=True)
            return [convolution, *normalised, nn.LeakyReLU(0.2), *([nn.Dropout(dropout)] if dropout else [])]

        self.net = nn.Sequential(
            *down(channels + num_classes, width, 4, norm=None),  # 28 -> 14
            *down(width, 2 * width, 4),  # 14 -> 7
            *down(2 * width, 4 * width, 3),  # 7 -> 4
            nn.Conv2d(4 * width, 1, 4),  # 4 -> 1
            nn.Flatten(0),
        )
        initialise(self)

    def forward(self, x: Image, y: Labels | None = None) -> PerImage:
        """Return scores `(b,)`, for a cross-entropy loss the logits, of images `(b, channels, 28, 28)` in [0, 1]."""
        require_image(x, (self.channels, 28, 28))
        return self.net(append_label(2 * x - 1, y, self.num_classes))  # from [0, 1] to [-1, 1]
