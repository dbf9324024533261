"""Chapter 08's explorer: a sheet of latents without labels and one with, and what a classifier reads on them."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from gmlib.errors import InputError
from gmlib.experiments.run import Run
from gmlib.figures.grids import image_grids
from gmlib.interpolation import interpolate_spherical
from gmlib.metrics import extract, shipped_classifier
from gmlib.parallel import draw
from gmlib.shapes import Image
from gmlib.widgets.explorer import Explorer
from gmlib.widgets.packing import short, tiles

ROWS, COLUMNS = 10, 11  # a row for each digit that can be asked for, and steps of a tenth
SHOWN = slice(None, None, 2)  # of the columns, on the poster
SURE = 0.9  # below this probability of its first choice the classifier is unsure


def latent_sheets(run: Run, conditional: Run, *, generator: Generator | None = None) -> Explorer:
    """Walk between four latents of a model without labels; then, of one with labels, between two latents and down the digits.

    The images are drawn beforehand, as in `ways_between`, and the shipped classifier has read them: where is it unsure?

    Args:
        run: of a model without labels.
        conditional: of one with ten.
        generator: source of randomness of the latents, on the CPU as the runs.

    Returns:
        The explorer; `chosen["sheet"]` is 0 for `run` and 1 for `conditional`, `chosen["row"]` and `chosen["column"]` are the
        place on it, and `chosen["marked"]` says whether unsure readings are marked.

    Raises:
        InputError: if a run is of the other kind.
    """
    if run.model.num_classes or conditional.model.num_classes != 10:
        raise InputError(
            f"got runs with {run.model.num_classes} and {conditional.model.num_classes} classes, expected none and 10: "
            "one sheet goes through latents alone, the other has a row for each digit"
        )
    cpu = torch.device("cpu")
    corners = draw(torch.randn, (4, run.model.latent_dim), generator, cpu)
    ends = draw(torch.randn, (2, conditional.model.latent_dim), generator, cpu)
    labels = torch.arange(10).repeat_interleave(COLUMNS)
    images = {
        f"{run.recipe.name}: between four latents": run.model.decode(spread(corners, ROWS, COLUMNS)),
        f"{conditional.recipe.name}: between two, a label a row": conditional.model.decode(
            interpolate_spherical(ends[:1], ends[1:], COLUMNS).repeat(ROWS, 1), labels
        ),
    }
    return Explorer(
        "sheets.js",
        state={
            "version": 1,
            "rows": ROWS,
            "columns": COLUMNS,
            "sure": SURE,
            "sheets": [
                {"name": name, "asked": asked, **_read(sheet)}
                for asked, (name, sheet) in zip((False, True), images.items(), strict=True)
            ],
        },
        chosen={"sheet": 0, "row": 4, "column": 5, "marked": False},
        poster=image_grids(
            {name: sheet.unflatten(0, (ROWS, COLUMNS))[:, SHOWN].flatten(0, 1) for name, sheet in images.items()},
            len(range(COLUMNS)[SHOWN]),
        ),
        alt=f"Two sheets of {ROWS} rows of generated digits. On the left one digit changes into another both across and "
        "down. On the right each row is one digit from 0 to 9, whose slant and weight change across.",
    )


def spread(corners: Float[Tensor, "4 d"], rows: int, columns: int) -> Float[Tensor, "n d"]:
    """Spread a sheet between four latents, along great circles: down both sides, then across from side to side.

    Args:
        corners: top left, top right, bottom left, bottom right, `(4, d)`.
        rows: of the sheet, at least 2.
        columns: of the sheet, at least 2.

    Returns:
        Latents row by row, `(rows · columns, d)`.
    """
    left, right = interpolate_spherical(corners[:2], corners[2:], rows).split(rows)
    return interpolate_spherical(left, right, columns)


def _read(images: Image) -> dict[str, Any]:
    """Pack a sheet: its images, the digit that the classifier reads in each, and the probability that it gives to it."""
    likely, digit = extract(images, shipped_classifier()).softmax(1).max(1)
    return {"tiles": tiles(images), "digits": digit.tolist(), "probabilities": short(likely)}
