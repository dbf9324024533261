"""Networks for points on the line and in the plane."""

from torch import nn

from gmlib.shapes import Image, Labels, Latent, PerImage


class PointGenerator(nn.Module):
    """G(z): from two latents to a point of the plane, by two hidden layers of 128."""

    latent_dim = 2
    num_classes = 0

    def __init__(self) -> None:
        """Build the network."""
        super().__init__()
        hidden = nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()
        self.net = nn.Sequential(*hidden, nn.Linear(128, 2))

    def forward(self, z: Latent, y: Labels | None = None) -> Image:
        """Return points as images of one pixel and two channels, `(b, 2, 1, 1)`, which `fit_gan` can train on."""
        return self.net(z)[:, :, None, None]


class PointCritic(nn.Module):
    """A score for a point, or for a pack of points, by two hidden layers of 128."""

    num_classes = 0

    def __init__(self, numbers: int) -> None:
        """Build the network for so many numbers: 1 for a point of the line, 2 for one of the plane, 2 m for a pack of m."""
        super().__init__()
        hidden = nn.Linear(numbers, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()
        self.net = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(128, 1), nn.Flatten(0))

    def forward(self, x: Image, y: Labels | None = None) -> PerImage:
        """Return scores `(b,)` of points as images of one pixel, `(b, numbers, 1, 1)`."""
        return self.net(x)
