"""A ring of eight Gaussians in the plane: data whose modes can be counted, and a small GAN for them."""

import math
from collections.abc import Iterator
from functools import partial

import torch
from torch import Generator, Tensor

from gmlib.isolated import Isolated
from gmlib.models.gan import GAN
from gmlib.objectives import Adversarial
from gmlib.seeds import stream
from gmlib.shapes import Image, Labels
from gmlib.toy.points import PointCritic, PointGenerator
from gmlib.training.gan import fit_gan, generate
from gmlib.training.state import State

# Metz et al. 2017, appendix A, have the same ring with a radius of 2
MODES = 8
SD = 0.02  # standard deviation of each mode; the ring has radius 1
NEAR = 3 * SD  # a sample belongs to a mode if it is nearer to the mode's centre than this


def ring_centres() -> Tensor:
    """Return the centres of the modes: eight points on a circle of radius 1, `(8, 2)`."""
    angles = 2 * math.pi * torch.arange(MODES, dtype=torch.float32) / MODES
    return torch.stack([angles.cos(), angles.sin()], 1)


def ring_points(n: int, generator: Generator) -> Tensor:
    """Draw n points `(n, 2)` from the equal mixture of the eight Gaussians."""
    modes = torch.randint(MODES, (n,), generator=generator)
    return ring_centres()[modes] + SD * torch.randn(n, 2, generator=generator, dtype=torch.float32)


def modes_found(points: Tensor) -> tuple[int, float]:
    """Return the number of modes that samples `(n, 2)` cover, and the fraction of samples that belong to a mode.

    A sample belongs to a mode if it is within three standard deviations of the mode's centre. A mode is covered if at least 1 %
    of the samples belong to it.

    Source: after Srivastava et al. 2017, section 4.1, where one sample covers a mode.
    """
    distance, mode = torch.cdist(points, ring_centres().to(points)).min(1)
    counts = mode[distance < NEAR].bincount(minlength=MODES)
    return int((counts >= 0.01 * len(points)).sum()), float(counts.sum()) / len(points)


class RingBatches:
    """An infinite stream of batches of new points; each iteration yields one epoch of `length` batches."""

    def __init__(self, batch_size: int, length: int, seed: int) -> None:
        """Set the random generator."""
        self.batch_size = batch_size
        self.length = length
        self.generator = stream(seed, "ring")

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        return self.length

    def __iter__(self) -> Iterator[tuple[Image, Labels]]:
        """Yield points as images `(b, 2, 1, 1)`, all with the label 0."""
        labels = torch.zeros(self.batch_size, dtype=torch.int64)
        for _ in range(self.length):
            yield ring_points(self.batch_size, self.generator)[:, :, None, None], labels


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
    """Train a small GAN on the ring by `fit_gan`, and return its samples for the same latents at regular times.

    Args:
        objective: losses and penalty of the GAN.
        n_critic: critic steps per round.
        n_generator: generator steps per round.
        pack: m, the number of points that the critic scores together.
        lr: learning rate of Adam, whose betas are 0.5 and 0.9.
        frames: how often samples are drawn during training.
        rounds: number of rounds between two frames.
        seed: of the initial weights, the points and the latents.
        samples: number of samples per frame.

    Returns:
        Samples before training and at each frame: `frames` + 1 tensors `(samples, 2)`.
    """
    with Isolated(stream(seed, "weights")):
        generator, critic = PointGenerator(), PointCritic(2 * pack)
    z = torch.randn(samples, generator.latent_dim, generator=stream(seed, "looks"), dtype=torch.float32)
    drawn: list[Tensor] = []

    def draw_frame(state: State) -> None:
        drawn.append(generate(state, z).flatten(1))

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
        rng=stream(seed, "noise"),
        on_start=draw_frame,
        on_epoch=draw_frame,
    )
    return drawn
