"""A small critic for points of a line, trained between two fixed distributions."""

import torch
from torch.optim import Adam

from gmlib.isolated import Isolated
from gmlib.objectives import Adversarial
from gmlib.seeds import stream
from gmlib.toy.discrete import Line, require_distributions
from gmlib.toy.points import PointCritic


def line_critic(
    p: Line, q: Line, points: Line, objective: Adversarial, *, steps: int = 1000, lr: float = 1e-3, seed: int = 0
) -> Line:
    """Train a small critic between two fixed distributions on the line, and return its scores of the points.

    Args:
        p: probabilities of the points, the distribution of images.
        q: probabilities of the points, the distribution of samples.
        points: positions `(n,)`.
        objective: loss, penalty and clipping of the critic; the generator's loss is not used.
        steps: number of gradient steps, each on 256 images and 256 samples.
        lr: learning rate of Adam, whose betas are 0.5 and 0.9.
        seed: of the initial weights, the images and the samples.

    Returns:
        Scores `(n,)`, shifted to a mean of 0 under (p + q) / 2 like those of `optimal_critic`.
    """
    require_distributions(p, q, points)
    with Isolated(stream(seed, "weights")):
        critic = PointCritic(1).to(points.dtype)
    optimiser = Adam(critic.parameters(), lr=lr, betas=(0.5, 0.9), fused=True)
    rng = stream(seed, "draws")
    for _ in range(steps):
        real, fake = (points[masses.multinomial(256, True, generator=rng)].view(-1, 1, 1, 1) for masses in (p, q))
        loss = objective.critic_loss(critic(real), critic(fake))
        if objective.penalty:
            eps = torch.rand(256, 1, 1, 1, generator=rng, dtype=points.dtype)
            loss = loss + objective.critic_penalty(critic, real, fake, None, eps)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        objective.constrain_weights_(critic)
    with torch.no_grad():
        scores = critic(points.view(-1, 1, 1, 1))
    return scores - ((p + q) / 2 * scores).sum()
