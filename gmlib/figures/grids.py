"""Images side by side."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from gmlib.errors import InputError
from gmlib.figures.style import drawing, require_panels
from gmlib.numbers import count_of, whole
from gmlib.shapes import Image, require_image


def require_drawable(images: Image) -> Image:
    """Return images as a figure draws them, and refuse what would be drawn as something else.

    Args:
        images: `(n, c, h, w)` in [0, 1].

    Returns:
        The same in float32 on the CPU, without gradients.

    Raises:
        DivergedError: if values are NaN.
        InputError: if they are no tensor of that shape, no floats, or outside of [0, 1].
    """
    if not isinstance(images, Tensor) or images.ndim != 4:
        shape = f" of shape {tuple(images.shape)}" if isinstance(images, Tensor | np.ndarray) else ""
        raise InputError(
            f"got a {type(images).__name__}{shape}, expected a tensor of images (n, c, h, w): torch.as_tensor converts an "
            "array, and unsqueeze(1) adds the channel"
        )
    images = images.detach().cpu()
    require_image(images, (images.shape[1], images.shape[2], images.shape[3]))
    return images.float()


def tile(images: Image, columns: int, gap: int = 2) -> torch.Tensor:
    """Lay images out row by row on one sheet.

    Args:
        images: `(n, c, h, w)` in [0, 1]; the channels of a stack lie side by side.
        columns: images a row.
        gap: empty pixels between images.

    Returns:
        One image `(rows · (h + gap) - gap, columns · (c w + gap) - gap)`, places left over are empty.

    Raises:
        InputError: if there is not at least one image and one column, or the images are none, as in `require_drawable`.
    """
    images = require_drawable(images)
    if len(images) < 1 or (whole(columns) or 0) < 1:
        raise InputError(f"got {len(images)} images in {columns} columns, expected at least one of each")
    columns, gap = int(columns), count_of("gap", gap, 0)
    images = images.movedim(1, 2).flatten(2).unsqueeze(1)
    n, _, h, w = images.shape
    rows = -(-n // columns)
    filled = torch.cat([images, images.new_zeros(rows * columns - n, 1, h, w)])
    cells = F.pad(filled, (0, gap, 0, gap)).reshape(rows, columns, h + gap, w + gap)
    return cells.permute(0, 2, 1, 3).reshape(rows * (h + gap), columns * (w + gap))[: -gap or None, : -gap or None]


def image_grid(images: Image, columns: int = 10, title: str = "") -> Figure:
    """Show images on one sheet, ink dark on white.

    Args:
        images: `(n, c, h, w)` in [0, 1]; the digits of a stack lie side by side.
        columns: images a row.
        title: above the sheet.

    Returns:
        The figure.

    Raises:
        InputError: as for `tile`.
    """
    return image_grids({title: images}, columns)


def image_grids(sheets: dict[str, Image], columns: int = 10) -> Figure:
    """Show several sets of images side by side, all to the same scale.

    Args:
        sheets: title to images `(n, c, h, w)` in [0, 1]; the digits of a stack lie side by side.
        columns: images a row of each sheet.

    Returns:
        The figure.

    Raises:
        InputError: if there is no sheet, or as for `tile`.
    """
    require_panels(sheets)
    tiles = [tile(images, columns) for images in sheets.values()]
    width = 7.0 / len(tiles)
    height = max(width * t.shape[0] / t.shape[1] for t in tiles) + (0.35 if any(sheets) else 0.1)
    with drawing(1, len(tiles), height=height) as (figure, axes):
        for ax, title, sheet in zip(axes[0], sheets, tiles, strict=True):
            ax.imshow(sheet.numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
            ax.set_title(title)
            ax.axis("off")
    return figure


def rows_of_images(rows: dict[str, Image], title: str = "") -> Figure:
    """Show sets of images one under the other, each row with its name: an original above its reconstruction, say.

    Args:
        rows: name to images `(n, 1, h, w)` in [0, 1], the same n in each.
        title: above the sheet.

    Returns:
        The figure.

    Raises:
        InputError: if the rows are not equally long or there is none, or their images differ in size or are none, as in
            `require_drawable`.
    """
    names: Sequence[str] = list(rows)
    drawn = [require_drawable(images) for images in rows.values()]
    lengths = {len(images) for images in drawn}
    if len(lengths) != 1:
        raise InputError(
            f"got rows of {sorted(lengths)} images, expected the same number in each row, and a row: cut the longer ones"
        )
    sizes = sorted({tuple(images.shape[1:]) for images in drawn})
    if len(sizes) != 1:
        raise InputError(f"got rows of images of sizes {sizes}, expected one size: crop or resize the larger ones")
    (n,) = lengths
    sheet = tile(torch.cat(drawn), n)
    with drawing(height=6.0 * sheet.shape[0] / sheet.shape[1] + (0.4 if title else 0.1)) as (figure, axes):
        ax = axes[0, 0]
        ax.imshow(sheet.numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        ax.set_title(title)
        ax.grid(visible=False)
        ax.set_xticks([])
        ax.set_yticks([sheet.shape[0] * (i + 0.5) / len(names) for i in range(len(names))], names)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    return figure
