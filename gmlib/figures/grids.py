"""Sheets of images: grids, grids side by side, and rows with names."""

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from gmlib.errors import InputError
from gmlib.figures.style import drawing
from gmlib.shapes import Image, require_image


def tile(images: Image, columns: int, gap: int = 2) -> Tensor:
    """Return images on one sheet `(height, width)`, row by row, `gap` pixels apart; channels of an image are side by side."""
    images = images.detach().cpu()
    require_image(images)
    images = images.float().movedim(1, 2).flatten(2).unsqueeze(1)
    n, _, h, w = images.shape
    rows = -(-n // columns)
    images = torch.cat([images, images.new_zeros(rows * columns - n, 1, h, w)])
    cells = F.pad(images, (0, gap, 0, gap)).reshape(rows, columns, h + gap, w + gap)
    return cells.permute(0, 2, 1, 3).reshape(rows * (h + gap), columns * (w + gap))[: -gap or None, : -gap or None]


def show_sheet(ax: Axes, sheet: Tensor) -> None:
    """Draw a sheet of images, 0 in white and 1 in black, without axes."""
    ax.imshow(sheet.numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.axis("off")


def image_grid(images: Image, columns: int = 10, title: str = "") -> Figure:
    """Draw images `(n, c, h, w)` in [0, 1] in a grid, 0 in white and 1 in black; channels are side by side."""
    return image_grids({title: images}, columns)


def image_grids(sheets: dict[str, Image], columns: int = 10) -> Figure:
    """Draw several grids of images side by side, each like `image_grid`; the key is the title of the grid."""
    tiled = [tile(images, columns) for images in sheets.values()]
    width = 7.0 / len(tiled)
    height = max(width * sheet.shape[0] / sheet.shape[1] for sheet in tiled) + (0.35 if any(sheets) else 0.1)
    with drawing(1, len(tiled), height=height) as (figure, axes):
        for ax, title, sheet in zip(axes[0], sheets, tiled, strict=True):
            show_sheet(ax, sheet)
            ax.set_title(title)
    return figure


def rows_of_images(rows: dict[str, Image]) -> Figure:
    """Draw rows of images `(n, 1, h, w)` in [0, 1], the same n in each; the key is the name of the row."""
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
