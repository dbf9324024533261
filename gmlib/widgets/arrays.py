"""Arrays as text or JSON, which arrays.js reads in a page."""

import base64
from typing import Any

import torch
from torch import Tensor

from gmlib.shapes import Image


def to_base64(array: Tensor, dtype: str) -> str:
    """Return an array as base64 text; `dtype` is a little-endian type of numpy, such as "<i2"."""
    return base64.b64encode(array.numpy().astype(dtype).tobytes()).decode()


def images_to_base64(images: Image) -> str:
    """Return images in [0, 1] as base64 text, one byte per pixel."""
    return to_base64((255 * images).round(), "u1")


def rounded(array: Tensor, decimals: int) -> list[Any]:
    """Return an array as lists of numbers rounded to this number of decimals, to keep the JSON short."""
    return torch.round(array.double(), decimals=decimals).tolist()
