"""Chapter 10's explorer: games on the ring, played back."""

from typing import Any

import torch
from torch import Tensor

from gmlib import toy
from gmlib.errors import InputError
from gmlib.figures.spreads import clouds
from gmlib.toy.ring import NEAR
from gmlib.widgets.explorer import Explorer
from gmlib.widgets.packing import as_text

EXTENT = 1.5  # the plane runs from -EXTENT to EXTENT; what is beyond stands at its edge
SHOWN = 5  # looks on the poster


def ring_playback(
    games: dict[str, list[Tensor]], rounds: int, start: str | None = None, samples: int = 200
) -> Explorer:
    """Play games on the ring back, round by round, and count the heaps that samples reach.

    Nothing moves until the reader presses "play" or pulls a slider; who asks the system for less motion steps instead.

    Args:
        games: name of each game to what `toy.play_ring` has seen of it, all with as many looks.
        rounds: between two looks.
        start: the game it begins with, at its end; None for the first.
        samples: how many points are shown at most. Heaps are counted in all.

    Returns:
        The explorer; `chosen["game"]` is the name of the game, `chosen["round"]` the round.

    Raises:
        InputError: if there are no games, they differ in looks, or `start` is none of them.
    """
    looks = {len(frames) for frames in games.values()}
    if len(looks) != 1 or min(looks) < 2:
        raise InputError(
            f"got games with {sorted(looks)} looks, expected one game or more, all with as many, at least 2"
        )
    start = start or next(iter(games))
    if start not in games:
        raise InputError(f"got {start!r} to start with, expected one of {', '.join(games)}")
    last = len(games[start]) - 1
    samples = min(samples, *(len(frames[0]) for frames in games.values()))
    at = [round(i * last / (SHOWN - 1)) for i in range(SHOWN)]
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
            "games": {name: _playback(frames, samples) for name, frames in games.items()},
        },
        chosen={"game": start, "round": last * rounds},
        poster=clouds({f"round {i * rounds}": games[start][i] for i in at}, marks=toy.ring_centres(), limit=EXTENT),
        alt=f"Samples of {start} in the plane with eight circles on a ring, after "
        f"{', '.join(str(i * rounds) for i in at)} rounds.",
    )


def _playback(frames: list[Tensor], samples: int) -> dict[str, Any]:
    """Pack what a page shows of a game: points in bytes, look by look, heaps found, and percent of samples near one."""
    whole = torch.stack(frames)[:, :samples].clamp(-EXTENT, EXTENT) * (127 / EXTENT)
    found = [toy.modes_found(points) for points in frames]
    return {
        "points": as_text(whole.round(), "i1"),
        "heaps": [heaps for heaps, _ in found],
        "close": [round(100 * near) for _, near in found],
    }
