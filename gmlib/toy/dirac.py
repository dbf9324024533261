"""The Dirac-GAN: all data at one point, a generator that is a point, and a linear critic."""

import math


def dirac_game(
    gamma: float, *, rate: float = 0.1, rounds: int = 300, start: tuple[float, float] = (1.0, 0.0)
) -> list[tuple[float, float]]:
    r"""Return the path of a GAN with the non-saturating loss and the penalty R1, where all data is at 0.

    Samples are at theta, and the critic's score is psi x. Each takes a gradient step on its own loss, the critic first:

    $$\psi \leftarrow \psi - \eta\, \big( \sigma(\psi\theta)\, \theta + \gamma \psi \big), \qquad \theta \leftarrow \theta + \eta\, \big( 1 - \sigma(\psi\theta) \big)\, \psi$$

    R1 is psi² here, weighted by gamma / 2. The solution is (0, 0). For small steps near the solution, the path is that of a
    pendulum with friction gamma, $\lambda = -\gamma / 2 \pm \sqrt{\gamma^2 / 4 - 1 / 4}$. With gamma = 0 it circles the
    solution, at a distance that decreases as one over the square root of the number of rounds.

    Args:
        gamma: weight of the penalty, at least 0.
        rate: step size eta.
        rounds: number of steps of each.
        start: theta and psi at the beginning.

    Returns:
        theta and psi at the start and after each round: 1 + rounds pairs.

    Source: Mescheder, Geiger & Nowozin 2018: the Dirac-GAN.
    """
    theta, psi = start
    path = [(theta, psi)]
    for _ in range(rounds):
        psi -= rate * (_sigmoid(psi * theta) * theta + gamma * psi)
        theta += rate * (1 - _sigmoid(psi * theta)) * psi
        path.append((theta, psi))
    return path


def _sigmoid(logit: float) -> float:
    """Return the probability of a logit, without overflow."""
    return 0.5 * (1 + math.tanh(logit / 2))
