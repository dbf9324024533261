"""A ring of Gaussians: data whose modes can be counted."""

import math
from collections.abc import Iterator
from functools import partial

import torch
from torch import Generator, Tensor

from gmlib.data import Batches
from gmlib.errors import InputError
from gmlib.isolated import Isolated
from gmlib.models.gan import GAN
from gmlib.objectives import Adversarial
from gmlib.parallel import shard
from gmlib.seeds import stream
from gmlib.shapes import Image, Labels, require_whole
from gmlib.toy.points import PointCritic, PointGenerator
from gmlib.training.gan import fit_gan, generate
from gmlib.training.state import State

# eight modes on a circle, as Metz et al. 2017, appendix A, have them; there it has radius 2
MODES = 8
SPREAD = 0.02  # standard deviation of each mode, where the ring has radius 1
NEAR = 3 * SPREAD  # a sample within three standard deviations belongs to a mode


def ring_centres() -> Tensor:
    """Say where the modes are.

    Returns:
        Eight points on a circle of radius 1, `(8, 2)`.
    """
    angles = 2 * math.pi * torch.arange(MODES, dtype=torch.float32) / MODES
    return torch.stack([angles.cos(), angles.sin()], 1)


def ring_points(n: int, generator: Generator) -> Tensor:
    """Draw points: a mode by chance, and around it a Gaussian.

    Args:
        n: how many.
        generator: source of randomness.

    Returns:
        Points `(n, 2)`.

    Raises:
        InputError: if n is below 1.
    """
    require_whole(1, n=n)
    modes = torch.randint(MODES, (n,), generator=generator)
    return ring_centres()[modes] + SPREAD * torch.randn(n, 2, generator=generator, dtype=torch.float32)


def modes_found(points: Tensor) -> tuple[int, float]:
    """Count the modes that samples reach.

    Args:
        points: samples `(n, 2)`.

    Returns:
        How many modes at least one sample in a hundred is near to, and the share of samples that are near to any.

    Raises:
        InputError: if they are no points of the plane, or none at all.

    Source: after Srivastava et al. 2017, section 4.1, who ask for one sample within three standard deviations.
    """
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or not points.is_floating_point():
        raise InputError(
            f"got samples of shape {tuple(points.shape)} and {points.dtype}, expected floats of shape (n, 2): "
            "at least one point of the plane"
        )
    distance, mode = torch.cdist(points, ring_centres().to(points)).min(1)
    counts = mode[distance < NEAR].bincount(minlength=MODES)
    return int((counts >= 0.01 * len(points)).sum()), float(counts.sum()) / len(points)


class RingBatches(Batches):
    """Endless batches of fresh points, as images of one pixel and two channels."""

    def __init__(self, batch_size: int, length: int, seed: int) -> None:
        """Prepare.

        Args:
            batch_size: points a batch.
            length: batches an epoch.
            seed: fixes the draws.
        """
        self.batch_size = batch_size
        self.stack = 1
        self.length = length
        self.epoch = 0
        self.position = 0
        self.generator = stream(seed, "ring")

    def __len__(self) -> int:
        """Count the batches of an epoch.

        Returns:
            As many as were asked for.
        """
        return self.length

    def __iter__(self) -> Iterator[tuple[Image, Labels]]:
        """Give what is left of an epoch, then turn to the next.

        Yields:
            Points `(b, 2, 1, 1)`, and labels, all 0, which nobody asks for.
        """
        labels, mine = torch.zeros(self.batch_size, dtype=torch.int64), shard()
        for _ in range(self.position, self.length):
            self.position += 1
            yield mine(ring_points(self.batch_size, self.generator)[:, :, None, None]), mine(labels)
        self.epoch, self.position = self.epoch + 1, 0


def play_ring(
    objective: Adversarial,
    *,
    n_critic: int = 1,
    n_generator: int = 1,
    pack: int = 1,
    lr: float = 1e-3,
    frames: int = 10,
    rounds: int = 200,
    seed: int = 0,
    samples: int = 1000,
) -> list[Tensor]:
    """Let two small networks play for the ring, and look at the same latents again and again.

    Args:
        objective: of the game.
        n_critic: critic steps a round.
        n_generator: generator steps a round.
        pack: m, points that the critic judges together.
        lr: Adam's rate, with betas of 0.5 and 0.9.
        frames: how often to look.
        rounds: between two looks.
        seed: of weights, points and noise.
        samples: how many points a look has.

    Returns:
        Samples before the game and at each look: `frames` + 1 times `(samples, 2)`.

    Raises:
        InputError: if there are no frames, rounds or samples, or as for `fit_gan`.
    """
    require_whole(1, frames=frames, rounds=rounds, samples=samples, n_critic=n_critic, pack=pack)
    with Isolated(stream(seed, "weights")):
        generator, critic = PointGenerator(), PointCritic(2 * pack)
    z = torch.randn(samples, generator.latent_dim, generator=stream(seed, "looks"), dtype=torch.float32)
    seen: list[Tensor] = []

    def look(state: State) -> None:
        seen.append(generate(state, z).flatten(1))

    fit_gan(
        GAN(generator, critic),
        RingBatches(256, rounds * n_critic, seed),
        epochs=frames,
        lr=lr,
        optimiser=partial(torch.optim.Adam, betas=(0.5, 0.9), fused=True),
        objective=objective,
        n_critic=n_critic,
        n_generator=n_generator,
        pack=pack,
        generator=stream(seed, "noise"),
        on_start=look,
        on_epoch=look,
    )
    return seen
