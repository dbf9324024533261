"""The explorer of chapter 09: critics on a line, with weight clipping and with a gradient penalty."""

from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from gmlib import toy
from gmlib.figures.curves import lines
from gmlib.files import read_arrays
from gmlib.widgets.decoder import packed_rows
from gmlib.widgets.explorer import Explorer

FILE = Path(__file__).with_name("critics.npz")  # written by tools/train_critics.py
# images around 0, samples around theta, as in the chapter
SD = 0.15
POINTS = torch.linspace(-1, 2, 301, dtype=torch.float64)
EVERY = 2  # one point of two is kept
THETAS = [i / 20 for i in range(21)]
CLIPS = [i / 100 for i in range(1, 11)]
WEIGHTS = [0.1, 1.0, 10.0, 100.0]
START = {"theta": 1.0, "clip": 0.05, "weight": 10.0}


def critics_on_a_line() -> Explorer:
    """Return an explorer of critics on a line: the reader moves the samples, and sets the clipping bound and penalty weight.

    The critics are trained beforehand, each as `toy.line_critic` trains in the chapter. The optimal critic of slope at most 1
    is in closed form. A table lists each critic's difference of mean scores, and its mean slope at the samples.

    Returns:
        The explorer; `chosen["theta"]` is the mean of the samples, from 0 to 1, `chosen["clip"]` the clipping bound and
        `chosen["weight"]` the weight of the penalty. The mean of the images is 0.
    """
    kept = POINTS[::EVERY]
    state: dict[str, Any] = {
        "version": 1,
        "grid": {"lowest": kept[0].item(), "highest": kept[-1].item(), "count": len(kept)},
        "sd": SD,
        "thetas": THETAS,
        "clips": CLIPS,
        "weights": WEIGHTS,
        "curves": {kind: packed_rows(scores.flatten(0, 1)) for kind, scores in trained_scores().items()},
    }
    return Explorer(
        "decoder.js",
        "divergences.js",
        "plot.js",
        "critics.js",
        state=state,
        chosen=dict(START),
        poster=_poster(),
        alt="Left: three falling lines of score against x. The best is straight, with slope −1; the critic with the penalty "
        "lies on it where images and samples are, and the clipped one falls less and is bent. Right: their slopes.",
    )


def trained_scores() -> dict[str, torch.Tensor]:
    """Return scores of critics with clipping and with the penalty, `(setting, theta, point)`."""
    kept = read_arrays(FILE, "install gmlib again, or train them again with python -m tools.train_critics")
    return {kind: torch.from_numpy(kept[kind]) for kind in ("clipped", "penalty")}


def _poster() -> Figure:
    """Draw the explorer at its initial values."""
    theta, clip, weight = START.values()
    points = POINTS[::EVERY]
    p, q = (toy.gaussian_masses(points, mean, SD) for mean in (0.0, theta))
    scores = trained_scores()
    critics = {
        "the best": toy.optimal_critic(p, q, points),
        f"clipped at {clip:g}": scores["clipped"][CLIPS.index(clip), THETAS.index(theta)],
        f"penalty of {weight:g}": scores["penalty"][WEIGHTS.index(weight), THETAS.index(theta)],
    }
    middles = ((points[1:] + points[:-1]) / 2).tolist()
    return lines(
        {
            "what a critic says": {name: (points.tolist(), f.tolist()) for name, f in critics.items()},
            "its slope": {name: (middles, (f.diff() / points.diff()).tolist()) for name, f in critics.items()},
        },
        x=f"x: images around 0, samples around {theta:g}",
        y="score; slope",
        height=3.4,
    )
