"""The Dirac-GAN: all data are at one point, the generator is a point, and the critic is linear."""

import math


def dirac_game(
    gamma: float, *, rate: float = 0.1, rounds: int = 300, start: tuple[float, float] = (1.0, 0.0)
) -> list[tuple[float, float]]:
    r"""Return the parameters theta and psi of a Dirac-GAN during training with the non-saturating loss and the penalty R1.

    All data are at 0, all samples at theta, and the critic's score of x is psi x. In each round, first the critic and then the
    generator takes a gradient step on its own loss:

    $$\psi \leftarrow \psi - \eta\, \big( \sigma(\psi\theta)\, \theta + \gamma \psi \big), \qquad \theta \leftarrow \theta + \eta\, \big( 1 - \sigma(\psi\theta) \big)\, \psi$$

    R1 is psi² here, with the weight gamma / 2. The equilibrium is (0, 0). Near it and for small eta, theta and psi follow a
    pendulum with friction gamma, whose eigenvalues are $\lambda = -\gamma / 2 \pm \sqrt{\gamma^2 / 4 - 1 / 4}$. With gamma = 0
    they circle the equilibrium, at a distance that decreases as one over the square root of the number of rounds.

    Args:
        gamma: weight of the penalty, at least 0.
        rate: step size eta.
        rounds: number of rounds.
        start: theta and psi before training.

    Returns:
        theta and psi before training and after each round: 1 + rounds pairs.

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
