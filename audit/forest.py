"""Forest plots: effects with their intervals, one per row, and the range in which the claim holds."""

from math import inf
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gmlib.figures.style import COLOURS, INK, drawing

# every verdict has its own mark as well as its colour
MARKS: dict[str, dict[str, Any]] = {
    "confirmed": {"marker": "o", "color": COLOURS[2], "markeredgecolor": "white"},
    "depends": {"marker": "D", "color": COLOURS[0], "markerfacecolor": "white"},
    "refuted": {"marker": "X", "color": COLOURS[1], "markeredgecolor": "white", "markersize": 9},
}


class Effect(NamedTuple):
    """The effect that an experiment measured for a claim."""

    effect: float
    interval: tuple[float, float]
    values: tuple[float, ...]  # of each seed
    holds: tuple[float | None, float | None]  # range in which it supports the claim; None for no end
    unit: str
    verdict: str


def margin(found: Effect) -> Effect:
    r"""Return an effect on a scale common to all claims: its distance from the claim's border, at most 1 within the interval.

    $$m(v) = \min(v - a, b - v) \Big/ \max_{u \in I} |\min(u - a, b - u)|$$

    Args:
        found: an effect in its own unit, a claim that holds from a to b, and the interval I.

    Returns:
        The same with effect, interval and values as margins: above 0 they support the claim.
    """
    a, b = _borders(found)
    middle = (a + b) / 2  # where the margin is largest, if the claim has two borders

    def inside(value: float) -> float:
        return min(value - a, b - value)

    low, high = found.interval
    ends = [inside(value) for value in (low, found.effect, high, middle) if low <= value <= high]
    scale = max(map(abs, ends)) or 1.0
    return found._replace(
        effect=inside(found.effect) / scale,
        interval=(min(ends) / scale, max(ends) / scale),
        values=tuple(inside(value) / scale for value in found.values),
        holds=(0.0, None),
        unit="",
    )


def margins(groups: dict[str, dict[str, Effect]]) -> Figure:
    """Draw the effects of many claims on one scale, by `margin`: right of 0 they support the claim.

    Args:
        groups: name of each group to its claims, and name of each claim to its effect; from top to bottom.

    Returns:
        The figure.
    """
    ends = [len(claims) for claims in groups.values()]
    with drawing(1, len(groups), height=0.2 * max(ends) + 1.2, sharex=True) as (figure, axes):
        for ax, (title, claims) in zip(axes[0], groups.items(), strict=True):
            ax.axvspan(0, 1.1, color=COLOURS[2], alpha=0.08, linewidth=0)
            for row, found in enumerate(claims.values()):
                _mark(ax, row, margin(found))
            ax.axvline(0, color=INK, linewidth=1)
            ax.set_yticks(range(len(claims)), claims)
            ax.set(title=title, xlim=(-1.1, 1.1), ylim=(max(ends) - 0.5, -0.5), xticks=[-1, 0, 1])
            ax.set_xticklabels(["against", "border", "for"])
            ax.grid(visible=False, axis="x")
        _name(figure)
    return figure


def forest(claims: dict[str, Effect]) -> Figure:
    """Draw effects in their own units, one row and axis per claim: the interval, each seed, and the range in which the claim holds.

    Args:
        claims: name of each claim to its effect, from top to bottom.

    Returns:
        The figure.
    """
    with drawing(len(claims), 1, height=0.78 * len(claims) + 0.5) as (figure, axes):
        for ax, (name, found) in zip(axes[:, 0], claims.items(), strict=True):
            borders = [end for end in found.holds if end is not None]
            shown = (*found.interval, *found.values, *borders)
            room = 0.06 * ((max(shown) - min(shown)) or 1.0)
            left, right = min(shown) - room, max(shown) + room
            low, high = _borders(found)
            ax.axvspan(max(low, left), min(high, right), color=COLOURS[2], alpha=0.12, linewidth=0)
            for border in borders:
                ax.axvline(border, color=INK, linewidth=1)
            ax.plot(found.values, [0.45] * len(found.values), "|", color=INK, markersize=6, alpha=0.8)
            _mark(ax, 0, found)
            ax.set(xlim=(left, right), ylim=(-0.7, 0.8))
            ax.set_yticks([0], [name])
            ax.set_xlabel(found.unit, fontsize=9, labelpad=1)
            ax.tick_params(axis="x", labelsize=8)
            ax.grid(visible=False)
        _name(figure)
    return figure


def _borders(found: Effect) -> tuple[float, float]:
    """Return the range in which a claim holds, infinite where it has no end."""
    low, high = found.holds
    return -inf if low is None else low, inf if high is None else high


def _mark(ax: Axes, row: float, found: Effect) -> None:
    """Draw an interval, and the mark of the verdict at the effect."""
    ax.hlines(row, *found.interval, color=MARKS[found.verdict]["color"], linewidth=2.5)
    ax.plot(found.effect, row, clip_on=False, zorder=3, linestyle="", **{"markersize": 7} | MARKS[found.verdict])


def _name(figure: Figure) -> None:
    """Draw the legend of the marks."""
    handles = [
        Line2D([], [], linestyle="", label=verdict, **{"markersize": 7} | mark) for verdict, mark in MARKS.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(MARKS))
