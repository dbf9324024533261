"""The learning-rate schedule."""

import math


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
