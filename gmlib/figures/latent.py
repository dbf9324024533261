"""The latent plane: the means of q(z|x) of images, and the images that the points of a grid decode to."""

from collections.abc import Sequence

import matplotlib.patheffects as effects
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from gmlib.errors import InputError
from gmlib.figures.grids import tile
from gmlib.figures.style import DIGIT_COLOURS, INK, drawing
from gmlib.shapes import Image


def latent_planes(planes: dict[str, tuple[Tensor, Tensor]], extent: float = 4.0) -> Figure:
    """Draw the means of q(z|x) `(n, 2)`, coloured by label `(n,)`; each label is written at the median of its points.

    `planes` maps the title of each panel to means and labels. The axes run from -extent to extent.
    """
    planes = {title: (mu.detach().float().cpu(), labels.cpu()) for title, (mu, labels) in planes.items()}
    with drawing(1, len(planes), height=7.2 / len(planes) + 0.4, sharex=True, sharey=True) as (figure, axes):
        for ax, (title, (mu, labels)) in zip(axes[0], planes.items(), strict=True):
            for digit in range(10):
                x, y = mu[labels == digit].unbind(1)
                ax.scatter(x, y, s=3, alpha=0.5, linewidths=0, color=DIGIT_COLOURS[digit], rasterized=True)
            for digit in labels.unique().tolist():
                x, y = mu[labels == digit].median(0).values.tolist()
                text = ax.text(x, y, str(digit), color=INK, fontsize=15, weight="bold", ha="center", va="center")
                text.set_path_effects([effects.withStroke(linewidth=3, foreground="white")])
            ax.set(title=title, xlabel="$z_1$", xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal")
        axes[0, 0].set_ylabel("$z_2$")
        colours = [Line2D([], [], marker="o", linestyle="", color=colour) for colour in DIGIT_COLOURS]
        figure.legend(colours, map(str, range(10)), loc="outside lower center", ncols=10, handletextpad=0)
    return figure


def decoded_plane(images: Image, ticks: Sequence[float]) -> Figure:
    """Draw the images of a square grid of latents, each at its latent's coordinates.

    Args:
        images: `(m · m, 1, h, w)` in [0, 1], row by row from the top left: z_1 rises to the right, z_2 upwards.
        ticks: the m values of z_1, which are also those of z_2, in rising order.

    Returns:
        The figure.
    """
    m = len(ticks)
    if len(images) != m**2:
        raise InputError(f"got {len(images)} images for {m} ticks, expected {m**2}: decode every pair of ticks once")
    with drawing(height=6.4, width=6.2) as (figure, axes):
        ax = axes[0, 0]
        ax.imshow(tile(images, m, gap=0).numpy(), cmap="gray_r", vmin=0, vmax=1, extent=(0, m, 0, m))
        shown = range(1, m, max(1, m // 6))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_ticks([i + 0.5 for i in shown], [f"{ticks[i]:.1f}" for i in shown])
        ax.grid(visible=False)
        ax.set(xlabel="$z_1$", ylabel="$z_2$")
    return figure
