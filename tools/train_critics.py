"""Train the critics of chapter 09's explorer and write `critics.npz`: `python -m tools.train_critics`, a few minutes."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from torch import Tensor

from gmlib import toy
from gmlib.files import write_arrays
from gmlib.objectives import WASSERSTEIN_CLIPPED, WASSERSTEIN_PENALTY, Adversarial
from gmlib.widgets.critics import CLIPS, FILE, PENALTY_WEIGHTS, POINTS, SD, STRIDE, THETAS


def objectives() -> dict[str, list[Adversarial]]:
    """Return the objectives with clipping and those with the penalty, one for each stop of a slider."""
    return {
        "clipped": [replace(WASSERSTEIN_CLIPPED, clip=clip) for clip in CLIPS],
        "penalty": [replace(WASSERSTEIN_PENALTY, weight=weight) for weight in PENALTY_WEIGHTS],
    }


def trained(objective: Adversarial, theta: float) -> Float[Tensor, " n"]:
    """Return the scores of a critic, trained as in the chapter, at every second point; `theta` is the samples' mean."""
    p, q = (toy.gaussian_masses(POINTS, mean, SD) for mean in (0.0, theta))
    return toy.line_critic(p, q, POINTS, objective, steps=300, lr=3e-3)[::STRIDE]


def main() -> None:
    """Write the file into the package: scores of shape (setting, theta, point) for clipping and for the penalty."""
    clipped, penalty = (
        np.stack([[trained(each, theta).numpy().astype(np.float32) for theta in THETAS] for each in settings])
        for settings in objectives().values()
    )
    write_arrays(FILE, clipped=clipped, penalty=penalty)


if __name__ == "__main__":
    main()
