"""The explorer of chapter 10: an animation of GANs that are trained on a ring of Gaussians."""

from typing import Any

import torch
from torch import Tensor

from gmlib import toy
from gmlib.figures.spreads import clouds
from gmlib.toy.ring import NEAR
from gmlib.widgets.arrays import to_base64
from gmlib.widgets.explorer import Explorer

EXTENT = 1.5  # the plane runs from -EXTENT to EXTENT; points beyond are drawn at its edge
POSTER_FRAMES = 5


def ring_playback(
    games: dict[str, list[Tensor]], rounds: int, start: str | None = None, samples: int = 200
) -> Explorer:
    """Return an explorer that animates the training of GANs on the ring, and plots the number of modes found.

    The animation starts when the reader presses "play". If the system asks for reduced motion, a button steps instead.

    Args:
        games: name of each GAN to its samples, a list of frames as `toy.play_ring` returns it. All lists have the same length.
        rounds: training rounds between two frames.
        start: the GAN shown first, at its last frame; None for the first one.
        samples: maximum number of points shown. Modes are counted over all samples.

    Returns:
        The explorer; `chosen["game"]` is the name of the GAN, `chosen["round"]` the round.
    """
    start = start or next(iter(games))
    last = len(games[start]) - 1
    on_poster = [round(i * last / (POSTER_FRAMES - 1)) for i in range(POSTER_FRAMES)]
    return Explorer(
        "plot.js",
        "ring.js",
        state={
            "rounds": rounds,
            "extent": EXTENT,
            "near": NEAR,
            "centres": toy.ring_centres().tolist(),
            "games": {name: _game_json(frames, samples) for name, frames in games.items()},
        },
        chosen={"game": start, "round": last * rounds},
        poster=clouds(
            {f"round {i * rounds}": games[start][i] for i in on_poster}, marks=toy.ring_centres(), limit=EXTENT
        ),
        alt=f"Samples of {start} in the plane with eight circles on a ring, after "
        f"{', '.join(str(i * rounds) for i in on_poster)} rounds.",
    )


def _game_json(frames: list[Tensor], samples: int) -> dict[str, Any]:
    """Return points as bytes, and for each frame the number of modes found and the percentage of samples near a mode."""
    points = torch.stack(frames)[:, :samples].clamp(-EXTENT, EXTENT) * (127 / EXTENT)
    counts = [toy.modes_found(frame) for frame in frames]
    return {
        "points": to_base64(points.round(), "i1"),
        "modes": [modes for modes, _ in counts],
        "near_percent": [round(100 * near) for _, near in counts],
    }
