"""Numbers and images as text that a page can carry; packing.js reads them back."""

import base64

import torch
from jaxtyping import Float
from torch import Tensor

from gmlib.shapes import Image


def as_text(numbers: Tensor, kind: str) -> str:
    """Write numbers as bytes in base64.

    Args:
        numbers: of any shape.
        kind: of the bytes, low byte first: "u1" and "<i2" are whole numbers, "<f4" is float32.

    Returns:
        The numbers in their order; their shape is lost.
    """
    return base64.b64encode(numbers.numpy().astype(kind).tobytes()).decode()


def tiles(images: Image) -> str:
    """Write images as bytes of ink, 784 an image.

    Args:
        images: `(n, 1, 28, 28)` in [0, 1].

    Returns:
        One image after the other, in base64.
    """
    return as_text((255 * images).round().to(torch.uint8), "u1")


def short(numbers: Float[Tensor, " n"]) -> list[float]:
    """Write numbers to the digits that float32 has.

    Args:
        numbers: `(n,)`.

    Returns:
        The numbers, rounded to seven digits.
    """
    return [float(f"{number:.7g}") for number in numbers.tolist()]
