"""The latent plane: where digits lie in it, and what it decodes to."""

from collections.abc import Sequence

import matplotlib.patheffects as effects
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from gmlib.errors import InputError
from gmlib.figures.grids import require_drawable, tile
from gmlib.figures.style import DIGIT_COLOURS, INK, drawing, require_panels
from gmlib.shapes import Image


def latent_planes(planes: dict[str, tuple[Tensor, Tensor]], extent: float = 4.0) -> Figure:
    """Scatter digits by the mean of q(z|x), each in the colour of its label and its name at the median.

    Args:
        planes: title to means `(n, 2)` and labels `(n,)`; one panel each.
        extent: the axes run from -extent to extent.

    Returns:
        The figure.

    Raises:
        InputError: if there is no panel, or means and labels are no `(n, 2)` and `(n,)`.
    """
    require_panels(planes)
    for title, (mu, labels) in planes.items():
        if not isinstance(mu, Tensor) or not isinstance(labels, Tensor):
            raise InputError(f"got means and labels for {title!r} that are no tensors: use torch.as_tensor")
        if mu.ndim != 2 or mu.shape[1] != 2 or labels.shape != mu.shape[:1]:
            raise InputError(
                f"got means of shape {tuple(mu.shape)} and labels of shape {tuple(labels.shape)} for {title!r}, expected (n, 2) "
                "and (n,): a plane shows two latents, and one label for each of them"
            )
    planes = {title: (mu.detach().float().cpu(), labels.cpu()) for title, (mu, labels) in planes.items()}
    with drawing(1, len(planes), height=7.2 / len(planes) + 0.4, sharex=True, sharey=True) as (figure, axes):
        for ax, (title, (mu, labels)) in zip(axes[0], planes.items(), strict=True):
            for digit in range(10):
                z = mu[labels == digit]
                ax.scatter(*z.T.numpy(), s=3, alpha=0.5, linewidths=0, color=DIGIT_COLOURS[digit], rasterized=True)
            for digit in labels.unique().tolist():  # a digit that is not there has no median
                x, y = mu[labels == digit].median(0).values.tolist()
                text = ax.text(x, y, str(digit), color=INK, fontsize=15, weight="bold", ha="center", va="center")
                text.set_path_effects([effects.withStroke(linewidth=3, foreground="white")])
            ax.set(title=title, xlabel="$z_1$", xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal")
        axes[0, 0].set_ylabel("$z_2$")
        colours = [Line2D([], [], marker="o", linestyle="", color=colour) for colour in DIGIT_COLOURS]
        figure.legend(colours, map(str, range(10)), loc="outside lower center", ncols=10, handletextpad=0)
    return figure


def decoded_plane(images: Image, ticks: Sequence[float]) -> Figure:
    """Show a square grid of decoded latents, each in the place of its coordinates.

    Args:
        images: `(m · m, 1, h, w)`, row by row from the top left (z_1 rises to the right, z_2 upwards).
        ticks: the m values of z_1, and of z_2, in rising order.

    Returns:
        The figure.

    Raises:
        InputError: if there are not m · m images, or they are none, as in `require_drawable`.
    """
    images = require_drawable(images)
    if len(images) != len(ticks) ** 2:
        raise InputError(
            f"got {len(images)} images for {len(ticks)} ticks, expected {len(ticks) ** 2}: decode every pair of ticks once"
        )
    with drawing(height=6.4, width=6.2) as (figure, axes):
        ax = axes[0, 0]
        m = len(ticks)
        sheet = tile(images, m, gap=0)
        ax.imshow(sheet.numpy(), cmap="gray_r", vmin=0, vmax=1, extent=(0, m, 0, m))
        shown = range(1, m, max(1, m // 6))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_ticks([i + 0.5 for i in shown], [f"{ticks[i]:.1f}" for i in shown])
        ax.grid(visible=False)
        ax.set(xlabel="$z_1$", ylabel="$z_2$")
    return figure
