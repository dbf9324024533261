"""The classifier, in whose features samples are compared."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gmlib.models.conv import normed
from gmlib.shapes import Image, require_image, require_whole


def convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    """A 3×3 convolution, batch norm and ReLU.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        stride: 2 halves height and width.

    Returns:
        The modules in order.
    """
    return normed(nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), outputs, batch_norm=True)


class Classifier(nn.Module):
    """A small convolutional classifier: from an image to 128 features, and from these to one logit per class."""

    def __init__(self, num_classes: int = 10) -> None:
        """Build the network.

        Args:
            num_classes: number of classes, at least 1.

        Raises:
            InputError: if there is no class.
        """
        super().__init__()
        require_whole(1, num_classes=num_classes)
        self.num_classes = num_classes
        self.features = nn.Sequential(
            *convolution(1, 16),  # 28
            *convolution(16, 32, stride=2),  # 28 -> 14
            *convolution(32, 64),  # 14
            *convolution(64, 64, stride=2),  # 14 -> 7
            nn.Flatten(),
            nn.Linear(64 * 7 * 7, 128),
            nn.ReLU(),
        ).to(memory_format=torch.channels_last)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(128, num_classes))

    def forward(self, x: Image) -> Float[Tensor, "b classes"]:
        """Return the log-odds of each class.

        Args:
            x: images `(b, 1, 28, 28)` in [0, 1].

        Returns:
            Logits `(b, num_classes)`.
        """
        require_image(x, (1, 28, 28))
        return self.head(self.features(x))
