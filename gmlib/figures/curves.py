"""Lines: losses along training, bounds along a parameter."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from gmlib.figures.style import COLOURS, INK, drawing
from gmlib.training.history import History

Line = tuple[Sequence[float], Sequence[float]]  # x and y
DASHES = ("-", "--", "-.", ":")  # every line has its own dash as well as its colour
FEW = 8  # at most so many points on a logarithmic axis are its ticks


def lines(
    panels: dict[str, dict[str, Line]],
    *,
    x: str,
    y: str,
    height: float = 3.2,
    bottom: float | None = None,
    logarithmic: bool = False,
    logarithmic_y: bool = False,
    dots: dict[str, Sequence[tuple[float, float]]] | None = None,
    holes: dict[str, Sequence[tuple[float, float]]] | None = None,
) -> Figure:
    """Draw lines in one panel or several side by side. A line breaks where its y is NaN.

    Args:
        panels: title of each panel to its lines, and name of each line to its points.
        x: label of the horizontal axis, with its unit.
        y: label of the vertical axis, with its unit.
        height: inches.
        bottom: lower limit of the vertical axis; None fits it to the lines.
        logarithmic: whether the horizontal axis is logarithmic; if it has few points, they are its ticks.
        logarithmic_y: whether the vertical axis is logarithmic.
        dots: title of a panel to single points, drawn filled: the value at a discontinuity.
        holes: title of a panel to single points, drawn open: a limit that is not attained.

    Returns:
        The figure.
    """
    with drawing(1, len(panels), height=height, sharey=True) as (figure, axes):
        for ax, (title, named) in zip(axes[0], panels.items(), strict=True):
            for i, (name, (xs, ys)) in enumerate(named.items()):
                ax.plot(xs, ys, label=name, linestyle=DASHES[i % 4], linewidth=1.8)
            for points, inside in ((dots, INK), (holes, "white")):
                for point in (points or {}).get(title, ()):
                    ax.plot(*point, "o", color=INK, markerfacecolor=inside, markersize=5, zorder=3)
            ax.set(title=title, xlabel=x)
            if logarithmic_y:
                ax.set_yscale("log")
            if logarithmic:
                ax.set_xscale("log")
                marks = sorted({v for xs, _ in named.values() for v in xs})
                if len(marks) <= FEW:
                    ax.set_xticks(marks, [f"{v:,g}" for v in marks])
                    ax.xaxis.minorticks_off()
            elif all(v == int(v) for xs, _ in named.values() for v in xs):
                ax.xaxis.get_major_locator().set_params(integer=True)
            ax.legend()
        axes[0, 0].set_ylabel(y)
        if bottom is not None:
            axes[0, 0].set_ylim(bottom=bottom)
    return figure


def history_curves(
    histories: dict[str, History], columns: dict[str, str], y: str, bottom: float | None = None
) -> Figure:
    """Draw quantities of one or several runs over their epochs, one panel per run.

    Args:
        histories: name of each run to its history.
        columns: column of the history to the name of its line.
        y: label of the vertical axis, with its unit.
        bottom: lower limit of the vertical axis; None fits it to the lines.

    Returns:
        The figure.
    """
    panels = {
        title: {name: _over_epochs(history, column) for column, name in columns.items()}
        for title, history in histories.items()
    }
    return lines(panels, x="epoch", y=y, bottom=bottom)


def compare(panels: dict[str, dict[str, History]], column: str, y: str, bottom: float | None = None) -> Figure:
    """Draw one quantity of several runs over their epochs, in one panel or several side by side.

    Args:
        panels: title of each panel to its runs, and name of each run to its history.
        column: of the histories, such as "validation_elbo".
        y: label of the vertical axis, with its unit.
        bottom: lower limit of the vertical axis; None fits it to the lines.

    Returns:
        The figure.
    """
    drawn = {
        title: {name: _over_epochs(history, column) for name, history in runs.items()} for title, runs in panels.items()
    }
    return lines(drawn, x="epoch", y=y, bottom=bottom)


def _over_epochs(history: History, column: str) -> Line:
    """Return epochs and one column of a history."""
    return history.column("epoch"), history.column(column)  # type: ignore[return-value]


class Bounds(NamedTuple):
    """A quantity along a parameter, lower bounds of it, and the points where they touch it."""

    x: str
    truth: Line
    bounds: dict[str, Line]
    touches: Sequence[tuple[float, float]]


def bounds_below(panels: dict[str, Bounds], *, truth: str, y: str, bottom: float | None = None) -> Figure:
    """Draw a quantity and its lower bounds, in one panel or several side by side.

    Args:
        panels: title of each panel to its lines; their `x` labels the horizontal axis.
        truth: name of the bounded quantity, drawn in dark ink.
        y: label of the vertical axis, with its unit.
        bottom: lower limit of the vertical axes; None fits them to the lines.

    Returns:
        The figure.
    """
    with drawing(1, len(panels), height=3.6, sharey=True) as (figure, axes):
        for ax, (title, panel) in zip(axes[0], panels.items(), strict=True):
            ax.plot(*panel.truth, color=INK, linewidth=2.4, label=truth)
            for i, (name, line) in enumerate(panel.bounds.items()):
                dash = (*DASHES[1:], (0, (5, 1, 1, 1, 1, 1)))[i % 4]
                ax.plot(*line, label=name, linestyle=dash, linewidth=1.8)
            for touch in panel.touches:
                ax.plot(*touch, "o", color=INK, markersize=5, zorder=3)
            ax.set(title=title, xlabel=panel.x)
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=9)
        axes[0, 0].set_ylabel(y)
        if bottom is not None:
            axes[0, 0].set_ylim(bottom=bottom)
    return figure


def gaps(pairs: dict[str, tuple[float, float]], *, lower: str, upper: str, x: str) -> Figure:
    """Draw two values of each of several things, and the bar between them.

    Args:
        pairs: name of each thing to its lower and its upper value, from top to bottom.
        lower: name of the lower values, drawn as open dots.
        upper: name of the upper values, drawn as filled dots.
        x: label of the horizontal axis, with its unit.

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
