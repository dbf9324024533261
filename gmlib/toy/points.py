"""Networks for points of the line and of the plane, small enough to learn in seconds."""

from torch import nn

from gmlib.shapes import Image, Labels, Latent, PerImage


class PointGenerator(nn.Module):
    """G(z): two numbers of noise to a point of the plane."""

    def __init__(self, latent_dim: int = 2, hidden: int = 128) -> None:
        """Build the network.

        Args:
            latent_dim: size of z.
            hidden: size of both hidden layers.
        """
        super().__init__()
        self.latent_dim = latent_dim
        self.num_classes = 0
        self.net = nn.Sequential(
            *(nn.Linear(latent_dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 2))
        )

    def forward(self, z: Latent, y: Labels | None = None) -> Image:
        """Turn noise into points.

        Args:
            z: latents `(b, latent_dim)`.
            y: not used.

        Returns:
            Points as images of one pixel and two channels, `(b, 2, 1, 1)`: the loop of every GAN takes them.
        """
        return self.net(z)[:, :, None, None]


class PointCritic(nn.Module):
    """How real a point looks, or a pack of points."""

    def __init__(self, numbers: int, hidden: int = 128) -> None:
        """Build the network.

        Args:
            numbers: how many it is given: 1 for a point of the line, 2 for one of the plane, m times that for packs.
            hidden: size of both hidden layers.
        """
        super().__init__()
        self.num_classes = 0
        self.net = nn.Sequential(
            *(nn.Flatten(), nn.Linear(numbers, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()),
            *(nn.Linear(hidden, 1), nn.Flatten(0)),
        )

    def forward(self, x: Image, y: Labels | None = None) -> PerImage:
        """Score points.

        Args:
            x: points as images of one pixel, `(b, numbers, 1, 1)`.
            y: not used.

        Returns:
            Scores `(b,)`.
        """
        return self.net(x)
