"""A critic on the line, trained while both distributions stay fixed."""

import torch
from torch.optim import Adam

from gmlib.isolated import Isolated
from gmlib.objectives import Adversarial
from gmlib.seeds import stream
from gmlib.toy.discrete import Line, require_masses
from gmlib.toy.points import PointCritic


def line_critic(
    p: Line, q: Line, points: Line, objective: Adversarial, *, steps: int = 1000, lr: float = 1e-3, seed: int = 0
) -> Line:
    """Train a small critic between two fixed distributions on the line.

    Args:
        p: probabilities of n points `(n,)`, the distribution of images.
        q: probabilities of the same points, the distribution of samples.
        points: positions of the points `(n,)`.
        objective: loss, penalty and bound of the critic; its generator's loss has no effect.
        steps: of the critic, each on 256 images and 256 samples.
        lr: Adam's learning rate, with betas of 0.5 and 0.9.
        seed: of weights and draws.

    Returns:
        Scores of the points `(n,)`, shifted to a mean of 0 under (p + q) / 2, as those of `optimal_critic` are.

    Raises:
        InputError: if p or q is not a distribution, or they are not on the same points.
    """
    require_masses(p, q, points)
    with Isolated(stream(seed, "weights")):
        critic = PointCritic(1).to(points.dtype)
    optimiser = Adam(critic.parameters(), lr=lr, betas=(0.5, 0.9), fused=True)
    generator = stream(seed, "draws")
    for _ in range(steps):
        real, fake = (points[masses.multinomial(256, True, generator=generator)].view(-1, 1, 1, 1) for masses in (p, q))
        loss = objective.critic_loss(critic(real), critic(fake))
        if objective.penalty:
            eps = torch.rand(256, 1, 1, 1, generator=generator, dtype=points.dtype)
            loss = loss + objective.critic_penalty(critic, real, fake, None, eps)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        objective.constrain_weights_(critic)
    with torch.no_grad():
        scores = critic(points.view(-1, 1, 1, 1))
    return scores - ((p + q) / 2 * scores).sum()
