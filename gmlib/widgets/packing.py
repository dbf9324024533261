"""Numbers and images as text in a page; packing.js reads them back."""

import base64

import torch
from jaxtyping import Float
from torch import Tensor

from gmlib.shapes import Image


def as_text(numbers: Tensor, kind: str) -> str:
    """Return numbers as base64 of little-endian bytes; `kind` is numpy's name of their type, such as "<i2"."""
    return base64.b64encode(numbers.numpy().astype(kind).tobytes()).decode()


def tiles(images: Image) -> str:
    """Return images in [0, 1] as base64, one byte per pixel."""
    return as_text((255 * images).round().to(torch.uint8), "u1")


def short(numbers: Float[Tensor, " n"]) -> list[float]:
    """Return numbers rounded to seven significant digits, the precision of float32."""
    return [float(f"{number:.7g}") for number in numbers.tolist()]
