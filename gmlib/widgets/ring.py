"""The explorer of chapter 10: GANs on a ring of Gaussians, played back."""

from typing import Any

import torch
from torch import Tensor

from gmlib import toy
from gmlib.errors import InputError
from gmlib.figures.spreads import clouds
from gmlib.toy.ring import NEAR
from gmlib.widgets.explorer import Explorer
from gmlib.widgets.packing import as_text

EXTENT = 1.5  # the plane runs from -EXTENT to EXTENT; points beyond are drawn at its edge
SHOWN = 5  # frames on the poster


def ring_playback(
    games: dict[str, list[Tensor]], rounds: int, start: str | None = None, samples: int = 200
) -> Explorer:
    """Return an explorer that plays GANs on the ring back, round by round, and counts the modes found.

    The animation starts when the reader presses "play"; where reduced motion is set in the system, a button steps instead.

    Args:
        games: name of each game to the frames of `toy.play_ring`, the same number for each.
        rounds: between two frames.
        start: the game shown first, at its last frame; None for the first game.
        samples: at most so many points are shown. Modes are counted over all.

    Returns:
        The explorer; `chosen["game"]` is the name of the game, `chosen["round"]` the round.

    Raises:
        InputError: if the games differ in their number of frames.
    """
    counts = {len(frames) for frames in games.values()}
    if len(counts) != 1:
        raise InputError(f"got games of {sorted(counts)} frames, expected the same number for each: record them alike")
    start = start or next(iter(games))
    last = counts.pop() - 1
    samples = min(samples, *(len(frames[0]) for frames in games.values()))
    shown = [round(i * last / (SHOWN - 1)) for i in range(SHOWN)]
    return Explorer(
        "plot.js",
        "ring.js",
        state={
            "version": 1,
            "rounds": rounds,
            "samples": samples,
            "extent": EXTENT,
            "near": NEAR,
            "centres": toy.ring_centres().tolist(),
            "games": {name: _packed(frames, samples) for name, frames in games.items()},
        },
        chosen={"game": start, "round": last * rounds},
        poster=clouds({f"round {i * rounds}": games[start][i] for i in shown}, marks=toy.ring_centres(), limit=EXTENT),
        alt=f"Samples of {start} in the plane with eight circles on a ring, after "
        f"{', '.join(str(i * rounds) for i in shown)} rounds.",
    )


def _packed(frames: list[Tensor], samples: int) -> dict[str, Any]:
    """Return a game as JSON: points in bytes, and for each frame the modes found and the percentage of samples near one."""
    points = torch.stack(frames)[:, :samples].clamp(-EXTENT, EXTENT) * (127 / EXTENT)
    found = [toy.modes_found(each) for each in frames]
    return {
        "points": as_text(points.round(), "i1"),
        "heaps": [modes for modes, _ in found],
        "close": [round(100 * near) for _, near in found],
    }
