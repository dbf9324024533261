"""Learning-rate schedules."""

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


def cooldown_decay(lr: float, progress: float, cooldown: float) -> float:
    r"""Return a learning rate that is constant, and falls linearly to 0 over the last part of the run, the cooldown.

    $$\mathrm{lr}(t) = \mathrm{lr} \, \min\big(1, \tfrac{1 - t}{c}\big)$$

    Until the cooldown the rate does not depend on the length of the run, so that a run can be made longer from there.

    Args:
        lr: the constant rate.
        progress: t, the completed fraction of the run, 0 to 1.
        cooldown: c, the fraction of the run that the fall takes, 0 to 1; 0 for a constant rate.

    Returns:
        The rate at t.

    Source: Hägele et al. 2024, Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations.
    """
    return lr * min(1.0, (1 - progress) / cooldown) if cooldown else lr
