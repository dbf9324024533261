"""The explorer of chapter 08: sheets of generated digits without labels and with, and how a classifier labels them."""

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
from gmlib.widgets.explorer import Explorer
from gmlib.widgets.packing import short, tiles

ROWS, COLUMNS = 10, 11  # a row for each label, and steps of a tenth
SHOWN = slice(None, None, 2)  # of the columns, on the poster
SURE = 0.9  # below this probability of the predicted class a prediction counts as unsure


def latent_sheets(run: Run, conditional: Run, *, generator: Generator | None = None) -> Explorer:
    """Return an explorer of two sheets: between four latents without labels, and between two latents for each label.

    The images are computed here and labelled by the shipped classifier; unsure predictions can be marked.

    Args:
        run: of a model without labels.
        conditional: of a model with ten.
        generator: source of randomness of the latents, on the CPU like the runs.

    Returns:
        The explorer; `chosen["sheet"]` is 0 for `run` and 1 for `conditional`, `chosen["row"]` and `chosen["column"]` are the
        place on it, and `chosen["marked"]` says whether unsure predictions are marked.
    """
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
                {"name": name, "asked": asked, **_classified(sheet)}
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
    """Return latents between four corners, row by row: spherical interpolation down both sides, then across."""
    left, right = interpolate_spherical(corners[:2], corners[2:], rows).split(rows)
    return interpolate_spherical(left, right, columns)


def _classified(images: Image) -> dict[str, Any]:
    """Return a sheet as JSON: its images, and the predicted digit and its probability for each."""
    likely, digit = extract(images, shipped_classifier()).softmax(1).max(1)
    return {"tiles": tiles(images), "digits": digit.tolist(), "probabilities": short(likely)}
