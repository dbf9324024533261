"""A generator and a critic for points, which are stored as images of one pixel with one channel per coordinate."""

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
        """Return points as images `(b, 2, 1, 1)`; y is not used."""
        return self.net(z)[:, :, None, None]


class PointCritic(nn.Module):
    """The score of one point, or of several points that are scored together, by two hidden layers of 128."""

    num_classes = 0

    def __init__(self, channels: int) -> None:
        """Build the network; `channels` is the number of all coordinates: 2 m for m points of the plane."""
        super().__init__()
        hidden = nn.Linear(channels, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()
        self.net = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(128, 1), nn.Flatten(0))

    def forward(self, x: Image, y: Labels | None = None) -> PerImage:
        """Return scores `(b,)` of images `(b, channels, 1, 1)`; y is not used."""
        return self.net(x)
