"""Whole numbers of Python, numpy and torch."""

from typing import Any

import numpy as np
from torch import Tensor

from gmlib.errors import InputError


def whole(value: Any) -> int | None:
    """Return the Python integer that equals a whole number; None for other types, such as a bool or a float."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray | Tensor) and value.ndim == 0):
        value = value.item()
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def count_of(name: str, value: Any, least: int = 1) -> int:
    """Return a count as a Python integer; raise InputError if it is not a whole number, or below the least."""
    number = whole(value)
    if number is None or number < least:
        raise InputError(f"got {name} {value!r}, expected a whole number of at least {least}: choose another")
    return number
