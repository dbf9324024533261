"""Distributions of many numbers: histograms, box plots per layer, scatter plots."""

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from torch import Tensor

from gmlib.figures.style import COLOURS, INK, drawing


def histograms(panels: dict[str, Tensor], *, x: str, bins: int = 60) -> Figure:
    """Draw one histogram per panel, all with the same bins, which cover all numbers; counts are on a logarithmic axis."""
    numbers = torch.cat([values.detach().flatten().double().cpu() for values in panels.values()])
    edges = np.histogram_bin_edges(numbers.numpy(), bins)  # raises ValueError if a number is NaN or infinite
    with drawing(1, len(panels), sharex=True, sharey=True) as (figure, axes):
        for ax, (title, values) in zip(axes[0], panels.items(), strict=True):
            ax.hist(values.detach().flatten().tolist(), bins=edges, color=COLOURS[0])
            ax.set(title=title, xlabel=x, yscale="log")
        axes[0, 0].set_ylabel("count")
    return figure


def layer_spreads(panels: dict[str, dict[str, Tensor]], *, y: str) -> Figure:
    """Draw a box plot of the absolute values of each layer: median, quartiles, whiskers at 5 and 95 %.

    Each panel maps the name of each layer to its numbers. The vertical axis is logarithmic, so zeros are omitted; if they are at
    least 1 %, their fraction is added to the layer's name.
    """
    levels = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95], dtype=torch.float64)
    with drawing(1, len(panels), sharey=True) as (figure, axes):
        for ax, (title, layers) in zip(axes[0], panels.items(), strict=True):
            boxes, names = {}, []
            for position, (name, values) in enumerate(layers.items(), 1):
                sizes = values.detach().flatten().abs().double().cpu()
                zeros = float((sizes == 0).double().mean())
                names.append(f"{name}\n{zeros:.0%} zero" if zeros >= 0.01 else name)
                if (sizes := sizes[sizes > 0]).numel():
                    keys = ("whislo", "q1", "med", "q3", "whishi")  # matplotlib's names of the five levels
                    boxes[position] = dict(zip(keys, sizes.quantile(levels).tolist(), strict=True))
            style = {"medianprops": {"color": COLOURS[1]}, "boxprops": {"color": INK}}
            ax.bxp(list(boxes.values()), positions=list(boxes), showfliers=False, **style)
            ax.set_xticks(range(1, len(layers) + 1), names)
            ax.set(title=title, yscale="log", xlabel="layer", xlim=(0.5, len(layers) + 0.5))
            ax.yaxis.set_major_locator(LogLocator(numticks=9))
        axes[0, 0].set_ylabel(y)
    return figure


def clouds(panels: dict[str, Tensor], *, marks: Tensor | None = None, limit: float = 1.5) -> Figure:
    """Draw a scatter plot of points `(n, 2)` per panel; `marks` are points `(m, 2)` that every panel shows as open circles.

    Both axes run from -limit to limit.
    """
    with drawing(1, len(panels), height=7.0 / len(panels) + 0.4, sharex=True, sharey=True) as (figure, axes):
        for ax, (title, points) in zip(axes[0], panels.items(), strict=True):
            x, y = points.unbind(1)
            ax.plot(x.tolist(), y.tolist(), ".", markersize=2, color=COLOURS[0], alpha=0.5)
            if marks is not None:
                x, y = marks.unbind(1)
                ax.plot(x.tolist(), y.tolist(), "o", markersize=9, markerfacecolor="none", color=COLOURS[1])
            ax.set(title=title, xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    return figure
