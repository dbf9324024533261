"""Line plots: losses over epochs, bounds over a parameter, and pairs of values."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from gmlib.figures.style import COLOURS, INK, drawing
from gmlib.training.history import History

Line = tuple[Sequence[float], Sequence[float]]  # x and y of all points
Points = Sequence[tuple[float, float]]
DASHES = ("-", "--", "-.", ":")  # lines differ in dashes as well as in colour
MOST_TICKS = 8  # a logarithmic axis has a tick at each value of x if there are no more values than this


def lines(
    panels: dict[str, dict[str, Line]],
    *,
    x: str,
    y: str,
    height: float = 3.2,
    bottom: float | None = None,
    logarithmic: bool = False,
    logarithmic_y: bool = False,
    dots: dict[str, Points] | None = None,
    holes: dict[str, Points] | None = None,
) -> Figure:
    """Draw lines in one panel or several side by side; a line breaks where its y is NaN.

    Args:
        panels: title of each panel to its lines; name of each line to its x and y.
        x: label of the horizontal axis.
        y: label of the vertical axis.
        height: of the figure, in inches.
        bottom: lower limit of the vertical axis; None fits it to the lines.
        logarithmic: whether the horizontal axis is logarithmic.
        logarithmic_y: whether the vertical axis is logarithmic.
        dots: title of a panel to points that are drawn as filled circles, such as the value at a discontinuity.
        holes: title of a panel to points that are drawn as open circles, such as a limit that is not attained.

    Returns:
        The figure.
    """
    with drawing(1, len(panels), height=height, sharey=True) as (figure, axes):
        for ax, (title, panel) in zip(axes[0], panels.items(), strict=True):
            for i, (name, (xs, ys)) in enumerate(panel.items()):
                ax.plot(xs, ys, label=name, linestyle=DASHES[i % 4], linewidth=1.8)
            for circles, fill in ((dots, INK), (holes, "white")):
                for point in (circles or {}).get(title, ()):
                    ax.plot(*point, "o", color=INK, markerfacecolor=fill, markersize=5, zorder=3)
            ax.set(title=title, xlabel=x)
            values = sorted({value for xs, _ in panel.values() for value in xs})
            if logarithmic_y:
                ax.set_yscale("log")
            if logarithmic:
                ax.set_xscale("log")
                if len(values) <= MOST_TICKS:
                    ax.set_xticks(values, [f"{value:,g}" for value in values])
                    ax.xaxis.minorticks_off()
            elif all(value == int(value) for value in values):
                ax.xaxis.get_major_locator().set_params(integer=True)
            ax.legend()
        axes[0, 0].set_ylabel(y)
        if bottom is not None:
            axes[0, 0].set_ylim(bottom=bottom)
    return figure


def history_curves(
    histories: dict[str, History], columns: dict[str, str], y: str, bottom: float | None = None
) -> Figure:
    """Draw several columns of each run's history over the epochs, one panel per run.

    `histories` has the name of each run as its key; `columns` maps a column of the history to the name of its line.
    """
    panels = {
        title: {name: _over_epochs(history, column) for column, name in columns.items()}
        for title, history in histories.items()
    }
    return lines(panels, x="epoch", y=y, bottom=bottom)


def compare(panels: dict[str, dict[str, History]], column: str, y: str, bottom: float | None = None) -> Figure:
    """Draw one column of the histories of several runs over the epochs, such as "validation_elbo".

    Each panel maps the name of each of its runs to the run's history.
    """
    curves = {
        title: {name: _over_epochs(history, column) for name, history in runs.items()} for title, runs in panels.items()
    }
    return lines(curves, x="epoch", y=y, bottom=bottom)


def _over_epochs(history: History, column: str) -> Line:
    """Return the epochs and one column of a history."""
    return history.column("epoch"), history.column(column)  # type: ignore[return-value]


class Bounds(NamedTuple):
    """A panel of `bounds_below`: the label of x, a quantity over x, its lower bounds, and the points where they touch it."""

    x: str
    truth: Line
    bounds: dict[str, Line]
    touches: Points


def bounds_below(panels: dict[str, Bounds], *, truth: str, y: str, bottom: float | None = None) -> Figure:
    """Draw a quantity, whose name is `truth`, and its lower bounds, in one panel or several side by side."""
    with drawing(1, len(panels), height=3.6, sharey=True) as (figure, axes):
        for ax, (title, panel) in zip(axes[0], panels.items(), strict=True):
            ax.plot(*panel.truth, color=INK, linewidth=2.4, label=truth)
            for i, (name, line) in enumerate(panel.bounds.items()):
                # the quantity itself is drawn solid; the fourth pattern is a dash and two dots
                dashes = (*DASHES[1:], (0, (5, 1, 1, 1, 1, 1)))[i % 4]
                ax.plot(*line, label=name, linestyle=dashes, linewidth=1.8)
            for touch in panel.touches:
                ax.plot(*touch, "o", color=INK, markersize=5, zorder=3)
            ax.set(title=title, xlabel=panel.x)
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=9)
        axes[0, 0].set_ylabel(y)
        if bottom is not None:
            axes[0, 0].set_ylim(bottom=bottom)
    return figure


def gaps(pairs: dict[str, tuple[float, float]], *, lower: str, upper: str, x: str) -> Figure:
    """Draw pairs of values, each as a row with an open circle, a filled circle and a bar between them.

    Args:
        pairs: name of each row, from top to bottom, to its lower and its upper value.
        lower: name of the lower values in the legend.
        upper: name of the upper values in the legend.
        x: label of the horizontal axis.

    Returns:
        The figure.
    """
    lows, highs = zip(*pairs.values(), strict=True)
    rows = range(len(pairs))
    with drawing(height=0.45 * len(pairs) + 1.2) as (figure, axes):
        ax = axes[0, 0]
        ax.hlines(rows, lows, highs, color=COLOURS[0], linewidth=5, alpha=0.35, zorder=2)
        ax.plot(lows, rows, "o", markerfacecolor="white", markersize=8, label=lower, zorder=3)
        ax.plot(highs, rows, "o", color=COLOURS[0], markersize=8, label=upper, zorder=3)
        ax.set_yticks(rows, pairs)
        ax.set_ylim(len(pairs) - 0.5, -0.5)  # the first on top
        ax.set_xlabel(x)
        figure.legend(loc="outside upper center", ncols=2)
    return figure
