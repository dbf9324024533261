"""The generative adversarial network (GAN): a generator of images, and a critic that scores images."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Generator, nn

from gmlib.mode import eval_mode
from gmlib.models.sampling import draw_latents, in_batches
from gmlib.shapes import Image, Labels, Latent


class GAN(nn.Module):
    """A generator G(z) and a critic, which the original paper calls the discriminator (Goodfellow et al. 2014)."""

    generator: nn.Module
    critic: nn.Module

    def __init__(self, generator: nn.Module, critic: nn.Module | None = None) -> None:
        """Combine two networks.

        Args:
            generator: `(z, y) -> images`, with the attributes `latent_dim` and `num_classes`.
            critic: `(x, y) -> (b,)`, one score per image; sampling does not need it.
        """
        super().__init__()
        self.generator = generator
        if critic is not None:
            self.critic = critic
        self.latent_dim = cast(int, generator.latent_dim)
        self.num_classes = cast(int, generator.num_classes)

    def __getattr__(self, name: str) -> Any:
        """Explain why a GAN that was loaded from a file may have no critic."""
        if name == "critic" and "critic" not in self._modules:
            raise AttributeError("this GAN was saved without its critic, which sampling does not need: train it again")
        return super().__getattr__(name)

    @torch.no_grad()
    def decode(self, z: Latent, y: Labels | None = None) -> Image:
        """Return the images G(z), `(n, c, h, w)` in [0, 1], for latents `(n, latent_dim)`; computed in eval mode."""
        with eval_mode(self.generator):
            return in_batches(self.generator, z, y)

    @torch.no_grad()
    def sample(
        self, n: int, y: Labels | Sequence[int] | int | None = None, *, generator: Generator | None = None
    ) -> Image:
        """Draw images: G(z) with z from N(0, I).

        Args:
            n: number of images.
            y: labels `(n,)` for a conditional generator, or one label for all images; None for an unconditional one.
            generator: random generator on the device of the weights; None for torch's global one.

        Returns:
            Images `(n, c, h, w)` in [0, 1].

        Raises:
            InputError: if n is below 1, or labels do not fit.
        """
        return self.decode(*draw_latents(n, y, self.generator, generator))
