"""The smallest GAN: all data at one point, a generator that is a point, a critic that is a slope."""

import math

from gmlib.errors import InputError
from gmlib.shapes import require_whole


def dirac_game(
    gamma: float, *, rate: float = 0.1, rounds: int = 300, start: tuple[float, float] = (1.0, 0.0)
) -> list[tuple[float, float]]:
    r"""Play the GAN with the loss that does not saturate where the data is all at 0.

    The generator puts its samples at theta, the critic scores x with psi x, and each goes downhill on its own loss, the
    critic first:

    $$\psi \leftarrow \psi - \eta\, \big( \sigma(\psi\theta)\, \theta + \gamma \psi \big), \qquad \theta \leftarrow \theta + \eta\, \big( 1 - \sigma(\psi\theta) \big)\, \psi$$

    The penalty R1 is psi² here, times gamma / 2. The solution is (0, 0). For small steps near to it, the way there is
    that of a pendulum with friction gamma, $\lambda = -\gamma / 2 \pm \sqrt{\gamma^2 / 4 - 1 / 4}$. Without friction
    it circles, and comes nearer only as one over the square root of the rounds: the nearer, the slower.

    Args:
        gamma: weight of the penalty, at least 0.
        rate: step size eta, above 0.
        rounds: how many steps each of them makes.
        start: theta and psi at the beginning.

    Returns:
        theta and psi at the start and after each round: 1 + rounds pairs.

    Raises:
        InputError: if gamma is below 0, or rate or rounds make no game.

    Source: Mescheder, Geiger & Nowozin 2018: the Dirac-GAN.
    """
    if not 0 <= gamma < math.inf or not 0 < rate < math.inf or rounds < 1:
        raise InputError(
            f"got gamma {gamma:g}, rate {rate:g} and {rounds} rounds, expected gamma 0 or more, a rate above 0 and 1 round or more"
        )
    require_whole(1, rounds=rounds)
    theta, psi = start
    path = [(theta, psi)]
    for _ in range(rounds):
        psi -= rate * (_sigmoid(psi * theta) * theta + gamma * psi)
        theta += rate * (1 - _sigmoid(psi * theta)) * psi
        path.append((theta, psi))
    return path


def _sigmoid(score: float) -> float:
    """Turn log-odds into a probability."""
    return 0.5 * (1 + math.tanh(score / 2))
