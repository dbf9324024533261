"""An adversarial objective as data: what the critic minimises, what the generator minimises, what keeps the critic in bounds."""

from collections.abc import Callable
from dataclasses import dataclass

from gmlib.errors import InputError
from gmlib.objectives.gan import discriminator_bce, generator_minimax, generator_non_saturating, r1_penalty
from gmlib.objectives.wasserstein import critic_wasserstein, generator_wasserstein, gradient_penalty
from gmlib.shapes import PerImage


@dataclass(frozen=True)
class Adversarial:
    """A game of two networks.

    Args:
        critic: loss of the critic, of the scores of real and of fake images.
        generator: loss of the generator, of the scores of fake images.
        penalty: added to the critic's loss, such as `gradient_penalty`; None for none.
        weight: of the penalty, 0 without one.
        clip: bound on the critic's weights after each of its steps; None for none.

    Raises:
        InputError: if clip and penalty are given together, or weight and clip do not fit.
    """

    critic: Callable[[PerImage, PerImage], PerImage]
    generator: Callable[[PerImage], PerImage]
    penalty: Callable[..., PerImage] | None = None
    weight: float = 0.0
    clip: float | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.clip is not None and self.penalty is not None:
            raise InputError(
                "got clip and penalty together, expected one of them: both bound the critic's slope, and clipped "
                "weights cannot reach the slope of 1 that the penalty asks for"
            )
        if self.weight < 0 or (self.weight > 0) != (self.penalty is not None):
            raise InputError(
                f"got a penalty's weight of {self.weight:g} {'with' if self.penalty else 'without'} a penalty, "
                "expected a number above 0 with one and 0 without"
            )
        if self.clip is not None and not self.clip > 0:
            raise InputError(f"got clip {self.clip}, expected a number above 0: at 0 the critic would be constant")

    def __str__(self) -> str:
        """Name its parts in a line.

        Returns:
            Such as "critic_wasserstein, generator_wasserstein, 10 gradient_penalty".
        """
        parts = [self.critic.__name__, self.generator.__name__]
        parts += [f"{self.weight:g} {self.penalty.__name__}"] if self.penalty else []
        return ", ".join([*parts, f"clip {self.clip:g}"] if self.clip else parts)


NON_SATURATING = Adversarial(discriminator_bce, generator_non_saturating)
NON_SATURATING_R1 = Adversarial(discriminator_bce, generator_non_saturating, penalty=r1_penalty, weight=0.01)
MINIMAX = Adversarial(discriminator_bce, generator_minimax)
WASSERSTEIN_CLIPPED = Adversarial(critic_wasserstein, generator_wasserstein, clip=0.01)
WASSERSTEIN_PENALTY = Adversarial(critic_wasserstein, generator_wasserstein, penalty=gradient_penalty, weight=10.0)
