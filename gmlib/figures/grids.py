"""Images side by side."""

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gmlib.errors import InputError
from gmlib.figures.style import drawing
from gmlib.shapes import Image, require_image


def tile(images: Image, columns: int, gap: int = 2) -> Tensor:
    """Return one sheet `(height, width)` of images, row by row; the channels of an image lie side by side."""
    images = images.detach().cpu()
    require_image(images)
    images = images.float().movedim(1, 2).flatten(2).unsqueeze(1)
    n, _, h, w = images.shape
    rows = -(-n // columns)
    filled = torch.cat([images, images.new_zeros(rows * columns - n, 1, h, w)])
    cells = F.pad(filled, (0, gap, 0, gap)).reshape(rows, columns, h + gap, w + gap)
    return cells.permute(0, 2, 1, 3).reshape(rows * (h + gap), columns * (w + gap))[: -gap or None, : -gap or None]


def show_sheet(ax: Axes, sheet: Tensor) -> None:
    """Draw a sheet into axes of its own, ink dark on white."""
    ax.imshow(sheet.numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.axis("off")


def image_grid(images: Image, columns: int = 10, title: str = "") -> Figure:
    """Draw images on one sheet, ink dark on white.

    Args:
        images: `(n, c, h, w)` in [0, 1]; the digits of a stack lie side by side.
        columns: images per row.
        title: above the sheet.

    Returns:
        The figure.
    """
    return image_grids({title: images}, columns)


def image_grids(sheets: dict[str, Image], columns: int = 10) -> Figure:
    """Draw several sets of images side by side, all to the same scale.

    Args:
        sheets: title to images `(n, c, h, w)` in [0, 1]; the digits of a stack lie side by side.
        columns: images per row of each sheet.

    Returns:
        The figure.

    Raises:
        InputError: if a set is not a batch of float images in [0, 1].
    """
    tiles = [tile(images, columns) for images in sheets.values()]
    width = 7.0 / len(tiles)
    height = max(width * t.shape[0] / t.shape[1] for t in tiles) + (0.35 if any(sheets) else 0.1)
    with drawing(1, len(tiles), height=height) as (figure, axes):
        for ax, title, sheet in zip(axes[0], sheets, tiles, strict=True):
            show_sheet(ax, sheet)
            ax.set_title(title)
    return figure


def rows_of_images(rows: dict[str, Image]) -> Figure:
    """Draw sets of images below each other, each row with its name, such as originals above reconstructions.

    Args:
        rows: name to images `(n, 1, h, w)` in [0, 1], the same n in each.

    Returns:
        The figure.

    Raises:
        InputError: if the rows differ in length, or are not float images in [0, 1].
    """
    lengths = {len(images) for images in rows.values()}
    if len(lengths) > 1:
        raise InputError(
            f"got rows of {sorted(lengths)} images, expected the same number in each row: cut the longer ones"
        )
    sheet = tile(torch.cat([images.cpu() for images in rows.values()]), lengths.pop())
    with drawing(height=6.0 * sheet.shape[0] / sheet.shape[1] + 0.1) as (figure, axes):
        ax = axes[0, 0]
        ax.imshow(sheet.numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        ax.grid(visible=False)
        ax.set_xticks([])
        ax.set_yticks([sheet.shape[0] * (i + 0.5) / len(rows) for i in range(len(rows))], list(rows))
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    return figure
