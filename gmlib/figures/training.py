"""Runs as one sees them while they train: samples above, losses below."""

import math

from matplotlib.figure import Figure

from gmlib.figures.grids import tile
from gmlib.figures.style import drawing, require_panels
from gmlib.shapes import Image
from gmlib.training.history import History

LINES = ("-", "--", "-.", ":")  # every line has its own dash as well as its colour


def samples_and_curves(
    runs: dict[str, tuple[Image, History]], curves: dict[str, dict[str, str]], columns: int = 8
) -> Figure:
    """Draw runs beside each other, finished or not: a sheet of samples each, and under it their curves.

    Args:
        runs: title of each run to its samples `(n, c, h, w)` in [0, 1], equally many, and to its history.
        curves: label of each row of axes, with its unit, to the columns of the histories that it shows, and of each
            column to the name of its line; a column that a history lacks is left out.
        columns: samples a row of a sheet.

    Returns:
        The figure.

    Raises:
        InputError: if there is no run, or its samples are no images, as in `tile`.
    """
    require_panels(runs)
    sheets = [tile(images, columns) for images, _ in runs.values()]
    width = min(7.0, 4.5 * len(sheets))
    tall = width / len(sheets) * max(sheet.shape[0] / sheet.shape[1] for sheet in sheets)
    height = tall + 0.35 + 1.6 * len(curves)
    ratios = [tall + 0.35, *[1.6] * len(curves)]
    rows = 1 + len(curves)
    with drawing(rows, len(runs), width=width, height=height, height_ratios=ratios, sharey="row") as (figure, axes):
        for top, title, sheet in zip(axes[0], runs, sheets, strict=True):
            top.imshow(sheet.numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
            top.set_title(title)
            top.axis("off")
        longest = max(2, *(len(history) for _, history in runs.values()))
        for row, (label, named) in zip(axes[1:], curves.items(), strict=True):
            row[0].set_ylabel(label)
            for ax, (_, history) in zip(row, runs.values(), strict=True):
                for line, (column, name) in zip(LINES, named.items(), strict=False):
                    if history.rows and column in history.rows[0]:
                        values = [math.nan if value is None else value for value in history.column(column)]
                        ax.plot(history.column("epoch"), values, line, marker=".", label=name, linewidth=1.8)
                ax.xaxis.get_major_locator().set_params(integer=True)
                ax.set(xlim=(0.8, longest + 0.2), xlabel="epoch")
                ax.label_outer()
            if row[0].lines:
                row[0].legend(fontsize=8)
    return figure
