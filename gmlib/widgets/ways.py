"""Chapter 07's explorer: two ways from one latent to another, straight and along the sphere."""

import torch
from torch import Generator, Tensor

from gmlib.errors import InputError
from gmlib.experiments.run import Run
from gmlib.figures.grids import image_grids
from gmlib.interpolation import interpolate, interpolate_spherical
from gmlib.numbers import whole
from gmlib.parallel import draw
from gmlib.widgets.explorer import Explorer
from gmlib.widgets.packing import tiles

STEPS = 21
SHOWN = 6  # of the steps, on the poster


def ways_between(run: Run, pairs: int = 4, *, generator: Generator | None = None) -> Explorer:
    """Go from one latent to another, on the straight line and on the great circle, and see both images and lengths.

    A generator is too large for a page, so the images along the ways are drawn beforehand and travel as tiles.

    Args:
        run: of a model without labels.
        pairs: how many pairs of latents to choose from, 1 to 8.
        generator: source of randomness of the latents, on the CPU as the run.

    Returns:
        The explorer; `chosen["pair"]` is which pair, from 0, and `chosen["t"]` how far on the way, from 0 to 1.

    Raises:
        InputError: if the run wants labels, or pairs are too few or too many.
    """
    if run.model.num_classes:
        raise InputError(
            f"got a run with {run.model.num_classes} classes, expected none: a way leads between latents, not labels"
        )
    if not 1 <= (whole(pairs) or 0) <= 8:
        raise InputError(f"got {pairs} pairs, expected 1 to 8: each takes about 45 kB of the page")
    start, end = draw(torch.randn, (2, pairs, run.model.latent_dim), generator, torch.device("cpu"))
    ways = {"straight line": interpolate(start, end, STEPS), "great circle": interpolate_spherical(start, end, STEPS)}
    images = {name: run.model.decode(z).unflatten(0, (pairs, STEPS)) for name, z in ways.items()}
    return Explorer(
        "ways.js",
        state={
            "version": 1,
            "steps": STEPS,
            "tiles": {name: [tiles(way) for way in drawn] for name, drawn in images.items()},
            "lengths": {name: [[round(v, 2) for v in way] for way in _lengths(z, pairs)] for name, z in ways.items()},
        },
        chosen={"pair": 0, "t": 0.5},
        poster=image_grids(
            {name: drawn[:, :: STEPS // (SHOWN - 1)].flatten(0, 1) for name, drawn in images.items()}, SHOWN
        ),
        alt=f"Two sheets, straight line and great circle, of {pairs} rows of {SHOWN} generated digits: each row leads from one "
        "digit to another.",
    )


def _lengths(z: Tensor, pairs: int) -> list[list[float]]:
    """Give the length of each latent, way by way."""
    return z.norm(dim=1).view(pairs, STEPS).tolist()
