"""How many numbers are spread: histograms, a box a layer, clouds of points."""

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from torch import Tensor

from gmlib.errors import InputError
from gmlib.figures.style import COLOURS, INK, drawing, require_panels


def histograms(panels: dict[str, Tensor], *, x: str, bins: int = 60) -> Figure:
    """Draw a histogram of each of several sets of numbers, all to one scale, counts on a logarithmic axis.

    Args:
        panels: title to numbers `(n,)`.
        x: label of the horizontal axis, with its unit.
        bins: bars over the range of all numbers together.

    Returns:
        The figure.

    Raises:
        InputError: if there is no panel, a set is empty, or a number is NaN or infinite.
    """
    require_panels(panels)
    for title, values in panels.items():
        if not values.numel() or not values.isfinite().all():
            raise InputError(
                f"got {values.numel()} numbers for {title!r}, of which {int(values.isfinite().sum())} are finite, expected at "
                "least one, and all of them finite: look for what diverged"
            )
    everything = torch.cat([values.detach().flatten().double().cpu() for values in panels.values()])
    edges = torch.linspace(float(everything.min()), float(everything.max()), bins + 1, dtype=torch.float64).tolist()
    with drawing(1, len(panels), sharex=True, sharey=True) as (figure, axes):
        for ax, (title, values) in zip(axes[0], panels.items(), strict=True):
            ax.hist(values.detach().flatten().tolist(), bins=edges, color=COLOURS[0])
            ax.set(title=title, xlabel=x, yscale="log")
        axes[0, 0].set_ylabel("how many")
    return figure


def layer_spreads(panels: dict[str, dict[str, Tensor]], *, y: str) -> Figure:
    """Draw how large the numbers of each layer are: a box from the first to the third quarter, its median, whiskers to 5 and 95 %.

    Args:
        panels: title to layers, and name of each layer to its numbers. Sizes are drawn, without zeros; where a hundredth
            of a layer or more are zeros, its name says how many. A layer of zeros has no box.
        y: label of the vertical axis, which is logarithmic.

    Returns:
        The figure.

    Raises:
        InputError: if there is no panel.
    """
    require_panels(panels)
    at = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95], dtype=torch.float64)
    with drawing(1, len(panels), sharey=True) as (figure, axes):
        for ax, (title, layers) in zip(axes[0], panels.items(), strict=True):
            boxes = {}
            for place, values in enumerate(layers.values(), 1):
                sizes = values.detach().flatten().abs().double().cpu()
                if (sizes := sizes[sizes > 0]).numel():
                    keys = ("whislo", "q1", "med", "q3", "whishi")
                    boxes[place] = dict(zip(keys, sizes.quantile(at).tolist(), strict=True))
            zeros = [float((values == 0).double().mean()) for values in layers.values()]
            names = [
                f"{name}\n{part:.0%} zero" if part >= 0.01 else name for name, part in zip(layers, zeros, strict=True)
            ]
            lines = {"medianprops": {"color": COLOURS[1]}, "boxprops": {"color": INK}}
            ax.bxp(list(boxes.values()), positions=list(boxes), showfliers=False, **lines)
            ax.set_xticks(range(1, len(layers) + 1), names)
            ax.set(title=title, yscale="log", xlabel="layer", xlim=(0.5, len(layers) + 0.5))
            ax.yaxis.set_major_locator(LogLocator(numticks=9))
        axes[0, 0].set_ylabel(y)
    return figure


def clouds(panels: dict[str, Tensor], *, marks: Tensor | None = None, limit: float = 1.5) -> Figure:
    """Draw points of the plane, a panel a set.

    Args:
        panels: title to points `(n, 2)`.
        marks: points that every panel shows as open circles, `(m, 2)`.
        limit: the panels show -limit to limit on both axes.

    Returns:
        The figure.

    Raises:
        InputError: if there is no panel, or points are no `(n, 2)`.
    """
    require_panels(panels)
    for points in (*panels.values(), *([] if marks is None else [marks])):
        if points.ndim != 2 or points.shape[1] != 2:
            raise InputError(f"got points of shape {tuple(points.shape)}, expected (n, 2): points of the plane")
    with drawing(1, len(panels), height=7.0 / len(panels) + 0.4, sharex=True, sharey=True) as (figure, axes):
        for ax, (title, points) in zip(axes[0], panels.items(), strict=True):
            ax.plot(*points.T.tolist(), ".", markersize=2, color=COLOURS[0], alpha=0.5)
            if marks is not None:
                ax.plot(*marks.T.tolist(), "o", markersize=9, markerfacecolor="none", color=COLOURS[1])
            ax.set(title=title, xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    return figure
