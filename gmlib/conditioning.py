"""The only place where a label is encoded: one network serves with and without labels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from gmlib.errors import InputError


def append_label(x: Tensor, y: Tensor | None, num_classes: int) -> Tensor:
    """Append the label to a vector as one-hot columns, or to an image as constant one-hot planes.

    With `num_classes == 0` there is no label: `y` must be None and `x` returns as it came.

    Args:
        x: `(b, f)` vectors or `(b, c, h, w)` images.
        y: int64 `(b,)` labels in 0 to `num_classes - 1`, or None.
        num_classes: how many labels the network knows; 0 for an unconditional network.

    Returns:
        `(b, f + num_classes)` or `(b, c + num_classes, h, w)`.

    Raises:
        InputError: if a label is given to an unconditional network, if none is given to a conditional one,
            or if the labels are not int64 of the batch's length, on its device and in range.

    Source: Mirza & Osindero 2014, section 3.2; Sohn, Lee & Yan 2015.
    """
    if num_classes == 0:
        if y is not None:
            raise InputError(
                "got labels for an unconditional model (num_classes = 0): leave them out, or take a conditional recipe"
            )
        return x
    if y is None:
        raise InputError(
            f"got no labels for a conditional model (num_classes = {num_classes}): give one label an image"
        )
    if y.dtype != torch.int64 or y.shape != x.shape[:1] or y.device != x.device:
        raise InputError(
            f"got labels {y.dtype} of shape {tuple(y.shape)} on {y.device}, expected int64 of shape ({len(x)},) on {x.device}: "
            "give one label per image, and move or convert them with .to()"
        )
    if x.ndim not in (2, 4):
        raise InputError(f"got x of shape {tuple(x.shape)}, expected vectors (b, f) or images (b, c, h, w): reshape it")
    try:
        one_hot = F.one_hot(y, num_classes).to(x.dtype)
    except RuntimeError as error:  # torch has looked at the values, so gmlib need not look first
        low, high = int(y.min()), int(y.max())
        raise InputError(
            f"got labels from {low} to {high} for a model of {num_classes} classes, expected 0 to {num_classes - 1}: map them first"
        ) from error
    if x.ndim == 4:
        one_hot = one_hot[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, one_hot], dim=1)
