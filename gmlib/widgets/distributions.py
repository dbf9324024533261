"""The explorer of chapter 06: two Gaussians on a line, the optimal discriminator, and two distances between them."""

from math import log

import torch
from matplotlib.figure import Figure

from gmlib import toy
from gmlib.figures.curves import lines
from gmlib.widgets.explorer import Explorer

MAX_THETA = 2.0  # the mean of the samples lies between -MAX_THETA and MAX_THETA
MIN_SD, MAX_SD = 0.04, 0.5
# fine and long enough for `toy.gaussian_masses` at every mean and standard deviation
POINTS = torch.linspace(-5, 5, 501, dtype=torch.float64)
START = {"theta": 1.0, "images": 0.2, "samples": 0.2}


def two_distributions() -> Explorer:
    """Return an explorer of two Gaussians: the reader moves the samples, and changes both standard deviations.

    Shown are both densities with the optimal discriminator, and the Jensen-Shannon divergence and the Wasserstein-1
    distance against the mean of the samples.

    Returns:
        The explorer; `chosen["theta"]` is the mean of the samples, `chosen["images"]` and `chosen["samples"]` are standard
        deviations. The mean of the images is 0.
    """
    return Explorer(
        "divergences.js",
        "plot.js",
        "distributions.js",
        state={"points": POINTS.tolist(), "max_theta": MAX_THETA, "min_sd": MIN_SD, "max_sd": MAX_SD},
        chosen=dict(START),
        poster=_poster(),
        alt="Left: two Gaussian densities that hardly overlap, and the optimal discriminator, which falls from 1 to 0 between "
        "them. Right: against the mean of the samples, JS is 0 at 0 and constant at ln 2 far from it, and W₁ is the absolute "
        "value of the mean.",
    )


def _poster() -> Figure:
    """Draw the explorer at its initial values."""
    theta, sd_images, sd_samples = START.values()
    means = torch.linspace(-MAX_THETA, MAX_THETA, 81, dtype=torch.float64)
    p = toy.gaussian_masses(POINTS, 0.0, sd_images)
    q, moved = (toy.gaussian_masses(POINTS, mean, sd_samples) for mean in (theta, means))
    window = POINTS.clamp(-1, theta + 1) == POINTS  # points from -1 to theta + 1
    densities = {"images p": p / p.max(), "samples q": q / q.max(), "D*": toy.optimal_discriminator(p, q).sigmoid()}
    distances = {
        "JS, nats": toy.jensen_shannon(p, moved),
        "W₁": toy.wasserstein_1d(p, moved, POINTS),
        "ln 2": torch.full((81,), log(2)),
    }
    x = POINTS[window].tolist()
    return lines(
        {
            "optimal discriminator": {name: (x, y[window].tolist()) for name, y in densities.items()},
            "JS and W₁": {name: (means.tolist(), y.tolist()) for name, y in distances.items()},
        },
        x="left: x; right: mean of the samples, θ",
        y="density (scaled), D*; nats, distance",
        height=3.4,
    )
