"""Runs during training: a sheet of samples, and curves below it."""

import math

from matplotlib.figure import Figure

from gmlib.figures.curves import DASHES
from gmlib.figures.grids import show_sheet, tile
from gmlib.figures.style import drawing
from gmlib.shapes import Image
from gmlib.training.history import History


def samples_and_curves(
    runs: dict[str, tuple[Image, History]], curves: dict[str, dict[str, str]], columns: int = 8
) -> Figure:
    """Draw runs side by side, finished or not: a sheet of samples each, and curves of the run's history below it.

    Args:
        runs: title of each run to samples `(n, c, h, w)` in [0, 1], the same n for each run, and the run's history.
        curves: one row of axes per entry: label of the vertical axis to the lines; column of the history to the name of its line.
            A column that a history does not have is omitted.
        columns: samples per row of a sheet.

    Returns:
        The figure.
    """
    sheets = [tile(images, columns) for images, _ in runs.values()]
    width = min(7.0, 4.5 * len(sheets))
    top = width / len(sheets) * max(sheet.shape[0] / sheet.shape[1] for sheet in sheets) + 0.35
    ratios = [top, *[1.6] * len(curves)]
    size = {"width": width, "height": sum(ratios)}
    with drawing(len(ratios), len(runs), **size, height_ratios=ratios, sharey="row") as (figure, axes):
        for ax, title, sheet in zip(axes[0], runs, sheets, strict=True):
            show_sheet(ax, sheet)
            ax.set_title(title)
        longest = max(2, *(len(history) for _, history in runs.values()))
        for row, (label, lines) in zip(axes[1:], curves.items(), strict=True):
            row[0].set_ylabel(label)
            for ax, (_, history) in zip(row, runs.values(), strict=True):
                for dashes, (column, name) in zip(DASHES, lines.items(), strict=False):
                    if history.rows and column in history.rows[0]:
                        values = [math.nan if value is None else value for value in history.column(column)]
                        ax.plot(history.column("epoch"), values, dashes, marker=".", label=name, linewidth=1.8)
                ax.xaxis.get_major_locator().set_params(integer=True)
                ax.set(xlim=(0.8, longest + 0.2), xlabel="epoch")
                ax.label_outer()
            if row[0].lines:
                row[0].legend(fontsize=8)
    return figure
