"""Numbers of Python, numpy and torch: the Python number that each equals."""

from typing import Any

import numpy as np
from torch import Tensor

from gmlib.errors import InputError


def plain_number(value: Any) -> Any:
    """Return a Python number for a numpy scalar, and for an array or a tensor without axes; anything else as it is."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray | Tensor) and value.ndim == 0):
        return value.item()
    return value


def whole(value: Any) -> int | None:
    """Return the Python integer that equals a whole number; None for other types, such as a bool or a float."""
    number = plain_number(value)
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def count_of(name: str, value: Any, least: int = 1) -> int:
    """Return a count as a Python integer; raise InputError if it is not a whole number, or below the least."""
    number = whole(value)
    if number is None or number < least:
        raise InputError(f"got {name} {value!r}, expected a whole number of at least {least}: choose another")
    return number
