"""The GAN: loss of the discriminator, two losses of the generator, as functions of logits, and the penalty R1."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from gmlib.shapes import Image, Labels, PerImage, require_alike


def discriminator_bce(real: PerImage, fake: PerImage) -> PerImage:
    r"""Return the discriminator's loss, which is minimised: the cross-entropy of classifying images as real or generated.

    $$L_D = -\log D(x) - \log(1 - D(\tilde{x})), \qquad D = \sigma(l)$$

    Softplus avoids the logarithm of a probability that has rounded to 0. At the optimal discriminator the expectation is
    $\ln 4 - 2\, \mathrm{JS}(p, q)$.

    Args:
        real: scores l(x) of real images `(b,)`, the logits of their being real.
        fake: scores of the same number of generated images `(b,)`.

    Returns:
        Nats per pair of images, `(b,)`, above 0; 2 ln 2 where all scores are 0.

    Raises:
        InputError: if real and fake are not of one shape `(b,)`.

    Source: Goodfellow et al. 2014, equation 1 with the opposite sign.
    """
    require_alike("b", real=real, fake=fake)
    return F.softplus(-real) + F.softplus(fake)


def generator_minimax(fake: PerImage) -> PerImage:
    r"""Return the generator's minimax loss, which is minimised; it saturates where the discriminator is certain.

    $$L_G = \log(1 - D(\tilde{x})), \qquad \frac{\partial L_G}{\partial l} = -\sigma(l)$$

    Args:
        fake: scores of generated images `(b,)`, the logits of their being real.

    Returns:
        Nats per image, `(b,)`, below 0.

    Raises:
        InputError: if fake is not of shape `(b,)`.

    Source: Goodfellow et al. 2014, equation 1.
    """
    require_alike("b", fake=fake)
    return -F.softplus(fake)


def generator_non_saturating(fake: PerImage) -> PerImage:
    r"""Return the generator's non-saturating loss, which is minimised.

    $$L_G = -\log D(\tilde{x}), \qquad \frac{\partial L_G}{\partial l} = -(1 - \sigma(l))$$

    Args:
        fake: scores of generated images `(b,)`, the logits of their being real.

    Returns:
        Nats per image, `(b,)`, above 0.

    Raises:
        InputError: if fake is not of shape `(b,)`.

    Source: Goodfellow et al. 2014, section 3.
    """
    require_alike("b", fake=fake)
    return F.softplus(-fake)


def r1_penalty(
    critic: Callable[..., Tensor], real: Image, fake: Image, y: Labels | None = None, eps: Tensor | None = None
) -> PerImage:
    r"""Return the penalty R1: the squared norm of the critic's gradient at real images, not yet weighted.

    $$\|\nabla_x l(x)\|_2^2$$

    Once samples match the data, a non-zero gradient no longer lowers the loss but is still penalised; the critic's gradient
    therefore goes to zero. Gradients are per unit of [0, 1]. They reach the critic's parameters.

    Args:
        critic: `(x, y) -> (b,)`, scores; without batch norm, with which an image has no gradient of its own.
        real: images `(b, c, h, w)`.
        fake: not used; all penalties have the same arguments.
        y: labels of the images, `(b,)`, or None.
        eps: not used.

    Returns:
        The penalty at each real image, `(b,)`, at least 0. Mescheder et al. add gamma / 2 times its mean.

    Raises:
        InputError: if the critic's scores are not of shape `(b,)`.

    Source: Mescheder, Geiger & Nowozin 2018: R1.
    """
    x = real.detach().requires_grad_()
    scores = critic(x, y)
    require_alike("b", scores=scores)
    # an image's score depends on that image alone, so the gradient of the sum holds each image's own gradient
    (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(1)
