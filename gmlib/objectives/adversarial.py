"""Adversarial objectives as data: the losses of critic and generator, and the constraint on the critic."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from gmlib.errors import InputError
from gmlib.objectives.gan import discriminator_bce, generator_minimax, generator_non_saturating, r1_penalty
from gmlib.objectives.wasserstein import (
    clip_weights_,
    critic_wasserstein,
    generator_wasserstein,
    gradient_penalty,
    require_bounds,
)
from gmlib.shapes import Image, Labels, PerImage


@dataclass(frozen=True)
class Adversarial:
    """A game of two networks.

    Args:
        critic: loss of the critic, of the scores of real and of fake images.
        generator: loss of the generator, of the scores of fake images.
        penalty: added to the critic's loss, such as `gradient_penalty`; None for none.
        weight: of the penalty, 0 without one.
        clip: bound on the critic's weights after each of its steps, or one bound per layer, in order from the image to the
            score; None for none.

    Raises:
        InputError: if clip and penalty are given together, or weight and clip do not fit.
    """

    critic: Callable[[PerImage, PerImage], PerImage]
    generator: Callable[[PerImage], PerImage]
    penalty: Callable[..., PerImage] | None = None
    weight: float = 0.0
    clip: float | tuple[float, ...] | None = None

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
        if self.clip is not None:
            require_bounds("clip", self.clip)

    def critic_loss(self, real: PerImage, fake: PerImage) -> Tensor:
        """Return the loss that the critic minimises, without the penalty.

        Args:
            real: scores of real images `(b,)`.
            fake: scores of generated images `(b,)`.

        Returns:
            The mean over the batch, `()`.
        """
        return self.critic(real, fake).mean()

    def critic_penalty(
        self, critic: Callable[..., Tensor], real: Image, fake: Image, y: Labels | None, eps: Tensor | None
    ) -> Tensor:
        """Return the weighted penalty, which is added to the critic's loss.

        Args:
            critic: `(x, y) -> (b,)`.
            real: images `(b, c, h, w)`.
            fake: the same number of generated images.
            y: labels of both, `(b,)`, or None.
            eps: share of the real image in each mixture, `(b, 1, 1, 1)`.

        Returns:
            The weight times the mean over the batch, `()`.

        Raises:
            InputError: if the objective has no penalty.
        """
        if self.penalty is None:
            raise InputError("got an objective without a penalty, expected one with it: give penalty and weight")
        return self.weight * self.penalty(critic, real, fake, y, eps).mean()

    def generator_loss(self, fake: PerImage) -> Tensor:
        """Return the loss that the generator minimises.

        Args:
            fake: scores of generated images `(b,)`.

        Returns:
            The mean over the batch, `()`.
        """
        return self.generator(fake).mean()

    def bound_(self, critic: nn.Module) -> None:
        """Clip the weights of a critic in place, if the objective has a bound.

        Args:
            critic: changed in place.

        Raises:
            InputError: if the critic has another number of layers than there are bounds.
        """
        if self.clip is not None:
            clip_weights_(critic, self.clip)

    def __str__(self) -> str:
        """Name its parts in a line.

        Returns:
            Such as "critic_wasserstein, generator_wasserstein, 10 gradient_penalty".
        """
        parts = [self.critic.__name__, self.generator.__name__]
        parts += [f"{self.weight:g} {self.penalty.__name__}"] if self.penalty else []
        bounds = self.clip if isinstance(self.clip, tuple) else () if self.clip is None else (self.clip,)
        return ", ".join([*parts, f"clip {' '.join(f'{bound:g}' for bound in bounds)}"] if bounds else parts)


NON_SATURATING = Adversarial(discriminator_bce, generator_non_saturating)
NON_SATURATING_R1 = Adversarial(discriminator_bce, generator_non_saturating, penalty=r1_penalty, weight=0.01)
MINIMAX = Adversarial(discriminator_bce, generator_minimax)
WASSERSTEIN_CLIPPED = Adversarial(critic_wasserstein, generator_wasserstein, clip=0.01)
WASSERSTEIN_PENALTY = Adversarial(critic_wasserstein, generator_wasserstein, penalty=gradient_penalty, weight=10.0)
