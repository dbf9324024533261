"""Made-up images, and the images of a figure."""

import numpy as np
import torch
from matplotlib.figure import Figure


def images(n: int, h: int = 3, w: int = 4) -> torch.Tensor:
    """Return n images: image i is (i + 1) / 100, except for its top left pixel, which is 1."""
    values = ((torch.arange(n) + 1) / 100).reshape(n, 1, 1, 1).expand(n, 1, h, w).clone()
    values[:, :, 0, 0] = 1
    return values


def sheet_of(figure: Figure, panel: int = 0) -> np.ndarray:
    """Return the only image of a panel; check that it is drawn from the top, 0 in white and 1 in black."""
    (image,) = figure.axes[panel].images
    assert image.origin == "upper"
    assert image.get_clim() == (0, 1)
    assert image.cmap(1.0)[:3] == (0, 0, 0)
    return np.asarray(image.get_array())
