"""The GAN: loss of the discriminator, two losses of the generator, as functions of scores (log-odds), and a penalty."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from gmlib.errors import InputError
from gmlib.shapes import Image, Labels, PerImage, require_alike, require_gradients


def discriminator_bce(real: PerImage, fake: PerImage) -> PerImage:
    r"""The discriminator's loss, which is minimised: the cross-entropy of telling images from samples.

    $$L_D = -\log D(x) - \log(1 - D(\tilde{x})), \qquad D = \sigma(l)$$

    Written with softplus, so that no logarithm of a vanished probability is ever taken. At the best discriminator its
    expectation is $\ln 4 - 2\, \mathrm{JS}(p, q)$.

    Args:
        real: scores l(x) of real images `(b,)`, the log-odds that they are real.
        fake: scores of as many generated images `(b,)`.

    Returns:
        Nats a pair of images, `(b,)`, above 0; 2 ln 2 where all scores are 0.

    Raises:
        InputError: if the scores are not one number per image, or not equally many.

    Source: Goodfellow et al. 2014, equation 1 with the sign turned.
    """
    require_alike("b", real=real, fake=fake)
    return F.softplus(-real) + F.softplus(fake)


def generator_minimax(fake: PerImage) -> PerImage:
    r"""The generator's loss in the minimax game, which is minimised. It saturates: a sure discriminator leaves no slope.

    $$L_G = \log(1 - D(\tilde{x})), \qquad \frac{\partial L_G}{\partial l} = -\sigma(l)$$

    Args:
        fake: scores of generated images `(b,)`, log-odds that they are real.

    Returns:
        Nats an image, `(b,)`, below 0.

    Raises:
        InputError: if the scores are not one number per image.

    Source: Goodfellow et al. 2014, equation 1.
    """
    require_alike("b", fake=fake)
    return -F.softplus(fake)


def generator_non_saturating(fake: PerImage) -> PerImage:
    r"""The generator's loss that does not saturate, which is minimised: the samples are to be taken for real.

    $$L_G = -\log D(\tilde{x}), \qquad \frac{\partial L_G}{\partial l} = -(1 - \sigma(l))$$

    Args:
        fake: scores of generated images `(b,)`, log-odds that they are real.

    Returns:
        Nats an image, `(b,)`, above 0.

    Raises:
        InputError: if the scores are not one number per image.

    Source: Goodfellow et al. 2014, section 3.
    """
    require_alike("b", fake=fake)
    return F.softplus(-fake)


def r1_penalty(
    critic: Callable[..., Tensor], real: Image, fake: Image, y: Labels | None = None, eps: Tensor | None = None
) -> PerImage:
    r"""How steep the critic is at real images: the penalty R1, not yet weighted.

    $$\|\nabla_x l(x)\|_2^2$$

    Leaning has a price. As long as it tells samples from data it pays; once they agree it tells nothing and still costs,
    so the critic lets go, and the generator may rest. Slopes are per unit of [0, 1]; in [-1, 1] the same critic is half
    as steep. Gradients reach the critic's parameters. A critic with batch norm has no slope at one image alone: take
    none. Two arguments have no effect: all penalties are called alike.

    Args:
        critic: `(x, y) -> (b,)`, scores.
        real: images `(b, c, h, w)`.
        fake: not used.
        y: labels that the critic sees with the images, `(b,)`, or None.
        eps: not used.

    Returns:
        The penalty at each real image, `(b,)`, at least 0. Mescheder et al. add gamma / 2 times its mean.

    Raises:
        InputError: if real are no images, the scores are not one number per image, or gradients are off.

    Source: Mescheder, Geiger & Nowozin 2018: R1.
    """
    require_gradients()
    require_alike("b c h w", real=real)
    if not real.is_floating_point():
        raise InputError(f"got images of {real.dtype}, expected floats: a slope needs them")
    x = real.detach().requires_grad_()
    scores = critic(x, y)
    require_alike("b", scores=scores)
    # an image's score depends on that image alone, so the gradient of the sum holds every image's own
    (slope,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return slope.flatten(1).square().sum(1)
