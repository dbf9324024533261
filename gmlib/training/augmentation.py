"""Random distortions of images, on which the classifier is trained."""

import torch
import torch.nn.functional as F
from torch import Generator

from gmlib import parallel
from gmlib.shapes import Image


def distort(x: Image, generator: Generator) -> Image:
    """Return each image rotated, scaled and shifted at random: by up to 15 degrees, 15 % and 2 pixels."""
    # four numbers per image, uniform in [-1, 1]
    turn, stretch, right, down = (2 * parallel.draw(torch.rand, (4, len(x)), generator, x.device, dim=1) - 1).unbind()
    angle, scale = 0.26 * turn, 1 + 0.15 * stretch  # 0.26 radians are 15 degrees
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    # affine_grid measures from -1 to 1, so that 28 pixels are 2 and a pixel is 1 / 14
    matrix = torch.stack([cos, -sin, right * 2 / 14, sin, cos, down * 2 / 14], 1).view(-1, 2, 3)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False).clamp(0, 1)
