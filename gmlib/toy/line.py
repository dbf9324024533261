"""A critic on the line, trained while both distributions stay as they are: there is no game, only its first half."""

import torch
from torch.optim import Adam

from gmlib.isolated import Isolated
from gmlib.objectives import Adversarial
from gmlib.seeds import stream
from gmlib.shapes import require_alike, require_gradients, require_whole
from gmlib.toy.discrete import Line, require_masses
from gmlib.toy.points import PointCritic


def line_critic(
    p: Line, q: Line, points: Line, objective: Adversarial, *, steps: int = 1000, lr: float = 1e-3, seed: int = 0
) -> Line:
    """Train a small critic to tell images from samples on the line, both of which stay as they are.

    Args:
        p: probabilities of n points `(n,)`: of images.
        q: probabilities of the same points: of samples.
        points: where they are `(n,)`.
        objective: what the critic minimises, and what keeps it in bounds; its generator's part plays no role.
        steps: of the critic, each on 256 images and as many samples.
        lr: Adam's rate, with betas of 0.5 and 0.9.
        seed: of weights and draws.

    Returns:
        Scores of the points `(n,)`, which average to 0 over an image and a sample, as those of `optimal_critic` do.

    Raises:
        InputError: if p or q are no probabilities, or not as many as points, or there is no step.
    """
    require_gradients()
    require_whole(1, steps=steps)
    require_alike("n", p=p, q=q, points=points)
    require_masses(p, q, points)
    with Isolated(stream(seed, "weights")):
        critic = PointCritic(1).to(points.dtype)
    optimiser = Adam(critic.parameters(), lr=lr, betas=(0.5, 0.9), fused=True)
    generator = stream(seed, "draws")
    for _ in range(steps):
        real, fake = (points[masses.multinomial(256, True, generator=generator)].view(-1, 1, 1, 1) for masses in (p, q))
        loss = objective.critic(critic(real), critic(fake)).mean()
        if objective.penalty:
            eps = torch.rand(256, 1, 1, 1, generator=generator, dtype=points.dtype)
            loss = loss + objective.weight * objective.penalty(critic, real, fake, None, eps).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        objective.bound_(critic)
    with torch.no_grad():
        scores = critic(points.view(-1, 1, 1, 1))
    return scores - ((p + q) / 2 * scores).sum()
