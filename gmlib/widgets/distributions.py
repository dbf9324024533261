"""The explorer of chapter 06: two Gaussians on a line, the optimal discriminator, and two distances between them."""

from math import log

import torch
from matplotlib.figure import Figure

from gmlib import toy
from gmlib.figures.curves import lines
from gmlib.widgets.explorer import Explorer

REACH = 2.0  # the mean of the samples lies between -REACH and REACH
NARROWEST, WIDEST = 0.04, 0.5  # standard deviations
# fine and long enough for `toy.gaussian_masses` at every mean and standard deviation
LOWEST, HIGHEST, COUNT = -5.0, 5.0, 501
START = {"theta": 1.0, "images": 0.2, "samples": 0.2}


def two_distributions() -> Explorer:
    """Return an explorer in which the reader moves a Gaussian of samples away from one of images, and changes both widths.

    Shown are both densities with the optimal discriminator, and the Jensen-Shannon divergence and the Wasserstein-1
    distance as functions of the samples' mean.

    Returns:
        The explorer; `chosen["theta"]` is the mean of the samples, `chosen["images"]` and `chosen["samples"]` are standard
        deviations. The mean of the images is 0.
    """
    return Explorer(
        "divergences.js",
        "plot.js",
        "distributions.js",
        state={
            "version": 1,
            "grid": {"lowest": LOWEST, "highest": HIGHEST, "count": COUNT},
            "reach": REACH,
            "narrowest": NARROWEST,
            "widest": WIDEST,
        },
        chosen=dict(START),
        poster=_poster(),
        alt="Left: two bells far apart, and a curve that falls from 1 to 0 between them. Right: JS over the place of the "
        "samples, a valley between two plateaus at ln 2, and W₁, a V.",
    )


def _poster() -> Figure:
    """Draw the explorer at its initial values."""
    theta, images, samples = START.values()
    points = torch.linspace(LOWEST, HIGHEST, COUNT, dtype=torch.float64)
    along = torch.linspace(-REACH, REACH, 81, dtype=torch.float64)
    p, q, moved = (
        toy.gaussian_masses(points, mean, sd) for mean, sd in ((0.0, images), (theta, samples), (along, samples))
    )
    seen = (points >= -1) & (points <= theta + 1)
    densities = {"images p": p / p.max(), "samples q": q / q.max(), "D*": toy.optimal_discriminator(p, q).sigmoid()}
    distances = {
        "JS, nats": toy.jensen_shannon(p, moved),
        "W₁": toy.wasserstein_1d(p, moved, points),
        "ln 2": torch.full((81,), log(2)),
    }
    return lines(
        {
            "the best discriminator": {
                name: (points[seen].tolist(), line[seen].tolist()) for name, line in densities.items()
            },
            "two measures, as the samples move": {
                name: (along.tolist(), line.tolist()) for name, line in distances.items()
            },
        },
        x="x, or where the samples are",
        y="density (not to scale), D*; nats, distance",
        height=3.4,
    )
