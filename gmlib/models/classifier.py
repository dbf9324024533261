"""The classifier of digits; FID and other metrics compare images by its features."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gmlib.models.conv import conv_norm_relu
from gmlib.shapes import Image, require_image


class Classifier(nn.Module):
    """A small convolutional classifier: four convolutions, 128 features, and one logit per class."""

    def __init__(self, num_classes: int = 10) -> None:
        """Build the network."""
        super().__init__()
        self.num_classes = num_classes

        def convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
            layer = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
            return conv_norm_relu(layer, outputs, batch_norm=True)

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
        """Return the logits of the classes `(b, num_classes)` for images `(b, 1, 28, 28)` in [0, 1]."""
        require_image(x, (1, 28, 28))
        return self.head(self.features(x))
