"""Make `critics.npz`, the critics of chapter 09's explorer: `python -m tools.train_critics`, a few minutes."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from torch import Tensor

from gmlib import toy
from gmlib.files import write_arrays
from gmlib.objectives import WASSERSTEIN_CLIPPED, WASSERSTEIN_PENALTY, Adversarial
from gmlib.widgets.critics import CLIPS, EVERY, FILE, POINTS, SD, THETAS, WEIGHTS


def leashes() -> dict[str, list[Adversarial]]:
    """Return the constraints on the critic that the explorer offers.

    Returns:
        Objectives with clipping, and with the penalty.
    """
    return {
        "clipped": [replace(WASSERSTEIN_CLIPPED, clip=clip) for clip in CLIPS],
        "penalty": [replace(WASSERSTEIN_PENALTY, weight=weight) for weight in WEIGHTS],
    }


def trained(objective: Adversarial, theta: float) -> Float[Tensor, " n"]:
    """Train a critic as the chapter does.

    Args:
        objective: what it minimises, and what keeps it in bounds.
        theta: where the samples are.

    Returns:
        Its scores of every second point.
    """
    p, q = (toy.gaussian_masses(POINTS, mean, SD) for mean in (0.0, theta))
    return toy.line_critic(p, q, POINTS, objective, steps=300, lr=3e-3)[::EVERY]


def main() -> None:
    """Write the file into the package: for each kind of leash, scores of shape (leash, theta, point)."""
    clipped, penalty = (
        np.stack([[trained(each, theta).numpy().astype(np.float32) for theta in THETAS] for each in kind])
        for kind in leashes().values()
    )
    write_arrays(FILE, clipped=clipped, penalty=penalty)


if __name__ == "__main__":
    main()
