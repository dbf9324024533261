"""Objectives of GANs: a loss of the critic, a loss of the generator, and a constraint on the critic."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from gmlib.errors import InputError
from gmlib.objectives.gan import discriminator_bce, generator_minimax, generator_non_saturating, r1_penalty
from gmlib.objectives.relativistic import critic_relativistic, generator_relativistic, r1_r2_penalty
from gmlib.objectives.wasserstein import clip_weights_, critic_wasserstein, generator_wasserstein, gradient_penalty
from gmlib.shapes import Image, Labels, PerImage


@dataclass(frozen=True)
class Adversarial:
    """The objective of a GAN, whose discriminator is called a critic here too.

    Args:
        critic: loss of the critic, a function of the scores of real and of generated images.
        generator: loss of the generator, a function of the scores of generated images, and of real ones if `relativistic`.
        penalty: added to the critic's loss, such as `gradient_penalty`; None for no penalty.
        weight: factor of the penalty; 0 without a penalty.
        clip: bound of the critic's weights after each of its steps, as `clip_weights_` takes it; None for no clipping.
        relativistic: whether the generator's loss compares each generated image with a real one.
    """

    critic: Callable[[PerImage, PerImage], PerImage]
    generator: Callable[..., PerImage]
    penalty: Callable[..., PerImage] | None = None
    weight: float = 0.0
    clip: float | tuple[float, ...] | None = None
    relativistic: bool = False

    def __post_init__(self) -> None:
        """Raise InputError for a penalty without a weight, and for a weight without a penalty."""
        if self.weight < 0 or (self.weight > 0) != (self.penalty is not None):
            penalty = "a penalty" if self.penalty else "no penalty"
            raise InputError(
                f"got weight {self.weight:g} and {penalty}, expected a weight above 0 with a penalty, 0 without"
            )

    def critic_loss(self, real: PerImage, fake: PerImage) -> Tensor:
        """Return the mean loss that the critic minimises, without the penalty, from scores `(b,)`."""
        return self.critic(real, fake).mean()

    def critic_penalty(
        self, critic: Callable[..., Tensor], real: Image, fake: Image, y: Labels | None, eps: Tensor | None
    ) -> Tensor:
        """Return the weight times the mean penalty, which is added to the critic's loss; 0 if there is no penalty."""
        return self.weight * self.penalty(critic, real, fake, y, eps).mean() if self.penalty else real.new_zeros(())

    def generator_loss(self, fake: PerImage, real: PerImage | None = None) -> Tensor:
        """Return the mean loss that the generator minimises, from scores `(b,)`; those of real images only if relativistic."""
        return (self.generator(fake, real) if self.relativistic else self.generator(fake)).mean()

    def constrain_weights_(self, critic: nn.Module) -> None:
        """Clip the weights of a critic in place, if the objective has a bound."""
        if self.clip is not None:
            clip_weights_(critic, self.clip)

    def __str__(self) -> str:
        """Return the objective in one line, such as "critic_wasserstein, generator_wasserstein, 10 gradient_penalty"."""
        parts = [self.critic.__name__, self.generator.__name__]
        if self.penalty:
            parts.append(f"{self.weight:g} {self.penalty.__name__}")
        if self.clip is not None:
            bounds = self.clip if isinstance(self.clip, tuple) else (self.clip,)
            parts.append(f"clip {' '.join(f'{bound:g}' for bound in bounds)}")
        return ", ".join(parts)


NON_SATURATING = Adversarial(discriminator_bce, generator_non_saturating)
NON_SATURATING_R1 = Adversarial(discriminator_bce, generator_non_saturating, penalty=r1_penalty, weight=0.01)
MINIMAX = Adversarial(discriminator_bce, generator_minimax)
WASSERSTEIN_CLIPPED = Adversarial(critic_wasserstein, generator_wasserstein, clip=0.01)
WASSERSTEIN_PENALTY = Adversarial(critic_wasserstein, generator_wasserstein, penalty=gradient_penalty, weight=10.0)
RELATIVISTIC = Adversarial(
    critic_relativistic, generator_relativistic, penalty=r1_r2_penalty, weight=0.01, relativistic=True
)
