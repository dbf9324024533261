"""Labels as an additional input of a network, one-hot encoded."""

import torch
import torch.nn.functional as F
from torch import Tensor

from gmlib.errors import InputError


def append_label(x: Tensor, y: Tensor | None, num_classes: int) -> Tensor:
    """Append the one-hot label to a vector as further entries, or to an image as further channels, constant over all pixels.

    Without labels, `num_classes` is 0 and `y` is None, and `x` is returned unchanged.

    Args:
        x: `(b, f)` vectors or `(b, c, h, w)` images.
        y: int64 `(b,)` labels in 0 to `num_classes - 1`, or None.
        num_classes: number of classes of the labels; 0 for an unconditional network.

    Returns:
        `(b, f + num_classes)` or `(b, c + num_classes, h, w)`.

    Raises:
        InputError: if labels are given to an unconditional network, missing for a conditional one, or out of range.

    Source: Mirza & Osindero 2014, section 3.2; Sohn, Lee & Yan 2015.
    """
    if num_classes == 0:
        if y is not None:
            raise InputError("got labels for an unconditional model: omit them, or use a conditional recipe")
        return x
    if y is None:
        raise InputError(f"got no labels for a conditional model of {num_classes} classes: give one label per image")
    try:
        one_hot = F.one_hot(y, num_classes).to(x.dtype)
    except RuntimeError as error:  # torch checks type and range
        raise InputError(
            f"got {y.dtype} labels from {y.min()} to {y.max()}, expected int64 from 0 to {num_classes - 1}: "
            "number the classes from 0"
        ) from error
    if x.ndim == 4:
        one_hot = one_hot[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, one_hot], dim=1)
