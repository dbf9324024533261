"""A ring of Gaussians: data whose modes can be counted."""

import math
from collections.abc import Iterator
from functools import partial

import torch
from torch import Generator, Tensor

from gmlib.data import Batches
from gmlib.isolated import Isolated
from gmlib.models.gan import GAN
from gmlib.objectives import Adversarial
from gmlib.parallel import shard
from gmlib.seeds import stream
from gmlib.shapes import Image, Labels
from gmlib.toy.points import PointCritic, PointGenerator
from gmlib.training.gan import fit_gan, generate
from gmlib.training.state import State

# eight modes on a circle, as in Metz et al. 2017, appendix A, where its radius is 2
MODES = 8
SPREAD = 0.02  # standard deviation of each mode; the ring has radius 1
NEAR = 3 * SPREAD  # a sample within three standard deviations of a centre belongs to that mode


def ring_centres() -> Tensor:
    """Return the centres of the modes: eight points on a circle of radius 1, `(8, 2)`."""
    angles = 2 * math.pi * torch.arange(MODES, dtype=torch.float32) / MODES
    return torch.stack([angles.cos(), angles.sin()], 1)


def ring_points(n: int, generator: Generator) -> Tensor:
    """Draw n points `(n, 2)`: for each a mode with equal probabilities, and a Gaussian around its centre."""
    modes = torch.randint(MODES, (n,), generator=generator)
    return ring_centres()[modes] + SPREAD * torch.randn(n, 2, generator=generator, dtype=torch.float32)


def modes_found(points: Tensor) -> tuple[int, float]:
    """Return the number of modes that samples cover, and the share of samples that are near a mode.

    Args:
        points: samples `(n, 2)`.

    Returns:
        The number of modes with at least 1 % of the samples within three standard deviations, and the share of all samples
        that are within three standard deviations of a mode.

    Source: after Srivastava et al. 2017, section 4.1, where one sample per mode is enough.
    """
    distance, mode = torch.cdist(points, ring_centres().to(points)).min(1)
    counts = mode[distance < NEAR].bincount(minlength=MODES)
    return int((counts >= 0.01 * len(points)).sum()), float(counts.sum()) / len(points)


class RingBatches(Batches):
    """An infinite stream of batches of new points, as images of one pixel and two channels."""

    def __init__(self, batch_size: int, length: int, seed: int) -> None:
        """Prepare epochs of `length` batches."""
        self.batch_size = batch_size
        self.stack = 1
        self.length = length
        self.epoch = 0
        self.position = 0
        self.generator = stream(seed, "ring")

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return self.length

    def __iter__(self) -> Iterator[tuple[Image, Labels]]:
        """Yield the rest of an epoch, points `(b, 2, 1, 1)` and labels of 0, and go on to the next epoch."""
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
    """Train a small GAN on the ring, and return its samples for the same latents at regular times.

    Args:
        objective: of the GAN.
        n_critic: critic steps per round.
        n_generator: generator steps per round.
        pack: m, points that the critic scores together.
        lr: Adam's learning rate, with betas of 0.5 and 0.9.
        frames: number of times that samples are drawn, after the first.
        rounds: between two frames.
        seed: of weights, points and noise.
        samples: number of samples per frame.

    Returns:
        Samples before training and at each frame: `frames` + 1 tensors `(samples, 2)`.

    Raises:
        InputError: as for `fit_gan`.
    """
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
