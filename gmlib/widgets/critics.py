"""The explorer of chapter 09: critics of points on a line, with weight clipping and with a gradient penalty."""

from pathlib import Path

import torch
from matplotlib.figure import Figure

from gmlib import toy
from gmlib.figures.curves import lines
from gmlib.files import read_arrays
from gmlib.widgets.decoder import quantise
from gmlib.widgets.explorer import Explorer

FILE = Path(__file__).with_name("critics.npz")  # written by tools/train_critics.py
SD = 0.15  # standard deviation of images, around 0, and of samples, around theta
POINTS = torch.linspace(-1, 2, 301, dtype=torch.float64)  # on which critics are trained, as in the chapter
STRIDE = 2
STORED_POINTS = POINTS[::STRIDE]
# the values of the three sliders
THETAS = [i / 20 for i in range(21)]
CLIPS = [i / 100 for i in range(1, 11)]
PENALTY_WEIGHTS = [0.1, 1.0, 10.0, 100.0]
START = {"theta": 1.0, "clip": 0.05, "weight": 10.0}


def critics_on_a_line() -> Explorer:
    """Return an explorer of critics: the reader moves the samples, and sets the clipping bound and the penalty weight.

    The critics were trained beforehand, each as `toy.line_critic` does in the chapter. The optimal critic of slope at most 1
    is computed in closed form. A table lists the difference of mean scores of each critic, and its mean slope at the samples.

    Returns:
        The explorer; `chosen["theta"]` is the mean of the samples, from 0 to 1, `chosen["clip"]` the clipping bound and
        `chosen["weight"]` the weight of the penalty. The mean of the images is 0.
    """
    return Explorer(
        "decoder.js",
        "divergences.js",
        "plot.js",
        "critics.js",
        state={
            "points": STORED_POINTS.tolist(),
            "sd": SD,
            "thetas": THETAS,
            "clips": CLIPS,
            "weights": PENALTY_WEIGHTS,
            "scores": {kind: quantise(scores.flatten(0, 1)) for kind, scores in trained_scores().items()},
        },
        chosen=dict(START),
        poster=_poster(),
        alt="Left: scores of three critics against x, all falling from images to samples. The optimal critic is a straight "
        "line of slope −1. The critic with a gradient penalty is close to it where images and samples are. The clipped critic "
        "is curved and falls less. Right: the slopes of the three critics.",
    )


def trained_scores() -> dict[str, torch.Tensor]:
    """Return the scores of critics with clipping and with the penalty, `(setting, theta, point)`."""
    arrays = read_arrays(FILE, "install gmlib again, or train them again with python -m tools.train_critics")
    return {kind: torch.from_numpy(arrays[kind]) for kind in ("clipped", "penalty")}


def _poster() -> Figure:
    """Draw the explorer at its initial values."""
    theta, clip, weight = START.values()
    x, scores = STORED_POINTS, trained_scores()
    p, q = (toy.gaussian_masses(x, mean, SD) for mean in (0.0, theta))
    critics = {
        "optimal critic": toy.optimal_critic(p, q, x),
        f"clipping, c = {clip:g}": scores["clipped"][CLIPS.index(clip), THETAS.index(theta)],
        f"penalty, λ = {weight:g}": scores["penalty"][PENALTY_WEIGHTS.index(weight), THETAS.index(theta)],
    }
    middles = ((x[1:] + x[:-1]) / 2).tolist()
    return lines(
        {
            "critic score": {name: (x.tolist(), f.tolist()) for name, f in critics.items()},
            "slope of the score": {name: (middles, (f.diff() / x.diff()).tolist()) for name, f in critics.items()},
        },
        x=f"x (mean of images 0, of samples {theta:g})",
        y="score; slope",
        height=3.4,
    )
