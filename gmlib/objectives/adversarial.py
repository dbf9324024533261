"""Adversarial objectives as data: the losses of critic and generator, and the constraint on the critic."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from gmlib.errors import InputError
from gmlib.objectives.gan import discriminator_bce, generator_minimax, generator_non_saturating, r1_penalty
from gmlib.objectives.wasserstein import clip_weights_, critic_wasserstein, generator_wasserstein, gradient_penalty
from gmlib.shapes import Image, Labels, PerImage


@dataclass(frozen=True)
class Adversarial:
    """The objective of a GAN.

    Args:
        critic: loss of the critic, of the scores of real and of fake images.
        generator: loss of the generator, of the scores of fake images.
        penalty: added to the critic's loss, such as `gradient_penalty`; None for none.
        weight: of the penalty, 0 without one.
        clip: bound on the critic's weights after each of its steps, or one bound per layer, in order from the image to the
            score; None for none.

    Raises:
        InputError: if a penalty has no weight, or a weight no penalty.
    """

    critic: Callable[[PerImage, PerImage], PerImage]
    generator: Callable[[PerImage], PerImage]
    penalty: Callable[..., PerImage] | None = None
    weight: float = 0.0
    clip: float | tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse a penalty that would have no effect, and a weight of nothing."""
        if self.weight < 0 or (self.weight > 0) != (self.penalty is not None):
            found = "a penalty" if self.penalty else "no penalty"
            raise InputError(
                f"got weight {self.weight:g} and {found}, expected a weight above 0 with a penalty, 0 without"
            )

    def critic_loss(self, real: PerImage, fake: PerImage) -> Tensor:
        """Return the mean loss that the critic minimises, `()`, without the penalty, from scores `(b,)`."""
        return self.critic(real, fake).mean()

    def critic_penalty(
        self, critic: Callable[..., Tensor], real: Image, fake: Image, y: Labels | None, eps: Tensor | None
    ) -> Tensor:
        """Return the weight times the mean penalty, `()`, which is added to the critic's loss.

        Args:
            critic: `(x, y) -> (b,)`.
            real: images `(b, c, h, w)`.
            fake: the same number of generated images.
            y: labels of both, `(b,)`, or None.
            eps: share of the real image in each mixture, `(b, 1, 1, 1)`.

        Returns:
            The weighted penalty; 0 without one.
        """
        return self.weight * self.penalty(critic, real, fake, y, eps).mean() if self.penalty else real.new_zeros(())

    def generator_loss(self, fake: PerImage) -> Tensor:
        """Return the mean loss that the generator minimises, `()`, from scores of generated images `(b,)`."""
        return self.generator(fake).mean()

    def constrain_weights_(self, critic: nn.Module) -> None:
        """Clip the weights of a critic in place, if the objective has a bound."""
        if self.clip is not None:
            clip_weights_(critic, self.clip)

    def __str__(self) -> str:
        """Return its parts in one line, such as "critic_wasserstein, generator_wasserstein, 10 gradient_penalty"."""
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
