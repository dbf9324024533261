"""The explorer of chapter 07: linear and spherical interpolation between two latents."""

import torch
from torch import Generator

from gmlib.experiments.run import Run
from gmlib.figures.grids import image_grids
from gmlib.interpolation import interpolate, interpolate_spherical
from gmlib.parallel import draw
from gmlib.widgets.arrays import images_to_base64, rounded
from gmlib.widgets.explorer import Explorer

STEPS = 21
POSTER_STEPS = range(0, STEPS, 4)


def latent_interpolation(run: Run, pairs: int = 4, *, generator: Generator | None = None) -> Explorer:
    """Return an explorer of linear and spherical interpolation: the images along both, and the lengths of the latents.

    A generator is too large for a page, so the images are computed here and stored as pixels.

    Args:
        run: of a model without labels.
        pairs: number of pairs of latents to choose from; each takes about 45 kB.
        generator: random generator of the latents, on the CPU like the run.

    Returns:
        The explorer; `chosen["pair"]` is the index of the pair, `chosen["t"]` the position between its ends, from 0 to 1.
    """
    start, end = draw(torch.randn, (2, pairs, run.model.latent_dim), generator, torch.device("cpu"))
    latents = {
        "straight line": interpolate(start, end, STEPS),
        "great circle": interpolate_spherical(start, end, STEPS),
    }
    images = {name: run.model.decode(z).unflatten(0, (pairs, STEPS)) for name, z in latents.items()}
    return Explorer(
        "interpolation.js",
        state={
            "steps": STEPS,
            "images": {name: [images_to_base64(path) for path in paths] for name, paths in images.items()},
            "lengths": {name: rounded(z.norm(dim=1).view(pairs, STEPS), 2) for name, z in latents.items()},
        },
        chosen={"pair": 0, "t": 0.5},
        poster=image_grids(
            {name: paths[:, POSTER_STEPS].flatten(0, 1) for name, paths in images.items()}, len(POSTER_STEPS)
        ),
        alt=f"Two grids, straight line and great circle, of {pairs} rows of {len(POSTER_STEPS)} generated digits: each row "
        "changes from one digit to another.",
    )
