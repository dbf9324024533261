"""The only place where a label is encoded: one network serves with and without labels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from gmlib.errors import InputError


def append_label(x: Tensor, y: Tensor | None, num_classes: int) -> Tensor:
    """Append the label to a vector as one-hot columns, or to an image as constant one-hot planes.

    With `num_classes == 0` there is no label: `y` must be None and `x` is returned unchanged.

    Args:
        x: `(b, f)` vectors or `(b, c, h, w)` images.
        y: int64 `(b,)` labels in 0 to `num_classes - 1`, or None.
        num_classes: number of labels of the network; 0 for an unconditional network.

    Returns:
        `(b, f + num_classes)` or `(b, c + num_classes, h, w)`.

    Raises:
        InputError: if a label is given to an unconditional network, if none is given to a conditional network,
            or if a label is out of range.

    Source: Mirza & Osindero 2014, section 3.2; Sohn, Lee & Yan 2015.
    """
    if num_classes == 0:
        if y is not None:
            raise InputError(
                "got labels for an unconditional model (num_classes = 0): omit them, or use a conditional recipe"
            )
        return x
    if y is None:
        raise InputError(
            f"got no labels for a conditional model (num_classes = {num_classes}): give one label per image"
        )
    try:
        one_hot = F.one_hot(y, num_classes).to(x.dtype)
    except RuntimeError as error:  # torch has already checked type and range
        raise InputError(
            f"got labels from {y.min()} to {y.max()} for a model of {num_classes} classes, as {y.dtype}, expected int64 from 0 to "
            f"{num_classes - 1}: number the classes from 0"
        ) from error
    if x.ndim == 4:
        one_hot = one_hot[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, one_hot], dim=1)
