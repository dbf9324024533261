"""How the learning rate falls."""

import math

from gmlib.errors import InputError


def cosine_decay(lr: float, progress: float) -> float:
    r"""Learning rate that falls from its first value to 0 along half a cosine.

    $$\mathrm{lr}(t) = \tfrac12 \, \mathrm{lr} \, (1 + \cos \pi t)$$

    Args:
        lr: the rate at the start.
        progress: t, the part of the run that is done, 0 to 1.

    Returns:
        The rate at t.

    Source: Loshchilov & Hutter 2017, equation 5, without restarts.
    """
    return 0.5 * lr * (1 + math.cos(math.pi * progress))


def require_rate(**rates: float) -> None:
    """Refuse a learning rate that goes the wrong way, or nowhere finite.

    Args:
        **rates: by the names of their arguments.

    Raises:
        InputError: if one of them is negative, infinite or no number.
    """
    for name, rate in rates.items():
        if not 0 <= rate < math.inf:
            raise InputError(f"got {name} {rate:g}, expected a finite learning rate of at least 0: try 1e-3")
