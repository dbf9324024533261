"""The explorer of chapter 07: linear and spherical interpolation between two latents."""

import torch
from torch import Generator

from gmlib.experiments.run import Run
from gmlib.figures.grids import image_grids
from gmlib.interpolation import interpolate, interpolate_spherical
from gmlib.parallel import draw
from gmlib.widgets.explorer import Explorer
from gmlib.widgets.packing import tiles

STEPS = 21
SHOWN = 6  # of the steps, on the poster


def ways_between(run: Run, pairs: int = 4, *, generator: Generator | None = None) -> Explorer:
    """Return an explorer of linear and spherical interpolation: the images along both, and the lengths of the latents.

    A generator is too large for a page, so the images are computed here and stored as pixels.

    Args:
        run: of a model without labels.
        pairs: how many pairs of latents to choose from; each takes about 45 kB.
        generator: source of randomness of the latents, on the CPU like the run.

    Returns:
        The explorer; `chosen["pair"]` is the index of the pair, `chosen["t"]` the position between its ends, from 0 to 1.
    """
    start, end = draw(torch.randn, (2, pairs, run.model.latent_dim), generator, torch.device("cpu"))
    ways = {"straight line": interpolate(start, end, STEPS), "great circle": interpolate_spherical(start, end, STEPS)}
    images = {name: run.model.decode(z).unflatten(0, (pairs, STEPS)) for name, z in ways.items()}
    lengths = {name: z.norm(dim=1).view(pairs, STEPS).tolist() for name, z in ways.items()}
    return Explorer(
        "ways.js",
        state={
            "version": 1,
            "steps": STEPS,
            "tiles": {name: [tiles(way) for way in drawn] for name, drawn in images.items()},
            "lengths": {name: [[round(length, 2) for length in way] for way in each] for name, each in lengths.items()},
        },
        chosen={"pair": 0, "t": 0.5},
        poster=image_grids(
            {name: drawn[:, :: STEPS // (SHOWN - 1)].flatten(0, 1) for name, drawn in images.items()}, SHOWN
        ),
        alt=f"Two sheets, straight line and great circle, of {pairs} rows of {SHOWN} generated digits: each row leads from one "
        "digit to another.",
    )
