"""The learning-rate schedule."""

import math

from gmlib.errors import InputError


def cosine_decay(lr: float, progress: float) -> float:
    r"""Return a learning rate that falls from its first value to 0 along half a cosine.

    $$\mathrm{lr}(t) = \tfrac12 \, \mathrm{lr} \, (1 + \cos \pi t)$$

    Args:
        lr: the rate at the start.
        progress: t, the completed fraction of the run, 0 to 1.

    Returns:
        The rate at t.

    Source: Loshchilov & Hutter 2017, equation 5, without restarts.
    """
    return 0.5 * lr * (1 + math.cos(math.pi * progress))


def require_rate(**rates: float) -> None:
    """Raise InputError for a learning rate that is negative, infinite or NaN."""
    for name, rate in rates.items():
        if not 0 <= rate < math.inf:
            raise InputError(f"got {name} {rate:g}, expected a finite learning rate of at least 0: try 1e-3")
