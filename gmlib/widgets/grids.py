"""The explorer of chapter 08: grids of generated digits without labels and with labels, and a classifier's predictions."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from gmlib.experiments.run import Run
from gmlib.figures.grids import image_grids
from gmlib.interpolation import interpolate_spherical
from gmlib.metrics import extract, shipped_classifier
from gmlib.parallel import draw
from gmlib.shapes import Image
from gmlib.widgets.arrays import images_to_base64, rounded
from gmlib.widgets.explorer import Explorer

ROWS, COLUMNS = 10, 11  # one row per label; columns in steps of a tenth
POSTER_COLUMNS = range(0, COLUMNS, 2)
CONFIDENT = 0.9  # a prediction with a smaller probability is of low confidence


def latent_grids(run: Run, conditional: Run, *, generator: Generator | None = None) -> Explorer:
    """Return an explorer of two grids: between four latents without labels, and between two latents for each label.

    The images are computed here and classified by the shipped classifier; predictions of low confidence can be marked.

    Args:
        run: of a model without labels.
        conditional: of a model with ten classes.
        generator: random generator of the latents, on the CPU like the runs.

    Returns:
        The explorer; `chosen["grid"]` is 0 for `run` and 1 for `conditional`, `chosen["row"]` and `chosen["column"]` select an
        image, and `chosen["marked"]` tells whether predictions of low confidence are marked.
    """
    cpu = torch.device("cpu")
    corners = draw(torch.randn, (4, run.model.latent_dim), generator, cpu)
    start, end = draw(torch.randn, (2, 1, conditional.model.latent_dim), generator, cpu)
    labels = torch.arange(ROWS).repeat_interleave(COLUMNS)
    path = interpolate_spherical(start, end, COLUMNS)
    grids = {
        f"{run.recipe.name}: between four latents": run.model.decode(between_corners(corners, ROWS, COLUMNS)),
        f"{conditional.recipe.name}: one row per label": conditional.model.decode(path.repeat(ROWS, 1), labels),
    }
    return Explorer(
        "grids.js",
        state={
            "rows": ROWS,
            "columns": COLUMNS,
            "confident": CONFIDENT,
            "grids": [
                {"name": name, "labelled": labelled, **_classified(images)}
                for labelled, (name, images) in zip((False, True), grids.items(), strict=True)
            ],
        },
        chosen={"grid": 0, "row": 4, "column": 5, "marked": False},
        poster=image_grids(
            {
                name: images.unflatten(0, (ROWS, COLUMNS))[:, POSTER_COLUMNS].flatten(0, 1)
                for name, images in grids.items()
            },
            len(POSTER_COLUMNS),
        ),
        alt=f"Two grids of {ROWS} rows of generated digits. Left: one digit changes into another both across and down. "
        "Right: each row is one digit from 0 to 9, whose slant and stroke width change across.",
    )


def between_corners(corners: Float[Tensor, "4 d"], rows: int, columns: int) -> Float[Tensor, "n d"]:
    """Return latents between four corners, row by row: spherical interpolation down both sides, then across."""
    left, right = interpolate_spherical(corners[:2], corners[2:], rows).split(rows)
    return interpolate_spherical(left, right, columns)


def _classified(images: Image) -> dict[str, Any]:
    """Return images as JSON, with the predicted digit and its probability for each."""
    probability, digit = extract(images, shipped_classifier()).softmax(1).max(1)
    return {"images": images_to_base64(images), "digits": digit.tolist(), "probabilities": rounded(probability, 7)}
