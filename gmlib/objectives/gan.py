"""The GAN: the discriminator's loss, two losses of the generator, and the penalty R1.

A discriminator returns one score per image, the logit l(x) of the probability D(x) that the image is real. Scores that are
not of shape `(b,)` raise InputError, since they would broadcast.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from gmlib.shapes import Image, Labels, PerImage, require_shape


def discriminator_bce(real: PerImage, fake: PerImage) -> PerImage:
    r"""Return the discriminator's loss, which is minimised: the cross-entropy, in nats per pair of a real and a generated image.

    $$L_D = -\log D(x) - \log(1 - D(\tilde{x})), \qquad D = \sigma(l)$$

    It is computed as softplus(-l(x)) + softplus(l(x~)), which stays finite where D rounds to 0 or 1. For the optimal
    discriminator, its expectation is $\ln 4 - 2\, \mathrm{JS}(p, q)$.
    Where both scores are 0, the loss is 2 ln 2.

    Source: Goodfellow et al. 2014, equation 1 with the opposite sign.
    """
    require_shape("b", real=real, fake=fake)
    return F.softplus(-real) + F.softplus(fake)


def generator_minimax(fake: PerImage) -> PerImage:
    r"""Return the generator's minimax loss, which is minimised: nats per generated image `(b,)`, below 0.

    $$L_G = \log(1 - D(\tilde{x})), \qquad \frac{\partial L_G}{\partial l} = -\sigma(l)$$

    It saturates: its gradient vanishes where the discriminator classifies samples as generated with certainty.

    Source: Goodfellow et al. 2014, equation 1.
    """
    require_shape("b", fake=fake)
    return -F.softplus(fake)


def generator_non_saturating(fake: PerImage) -> PerImage:
    r"""Return the generator's non-saturating loss, which is minimised: nats per generated image `(b,)`, above 0.

    $$L_G = -\log D(\tilde{x}), \qquad \frac{\partial L_G}{\partial l} = -(1 - \sigma(l))$$

    Source: Goodfellow et al. 2014, section 3.
    """
    require_shape("b", fake=fake)
    return F.softplus(-fake)


def r1_penalty(
    critic: Callable[..., Tensor], real: Image, fake: Image, y: Labels | None = None, eps: Tensor | None = None
) -> PerImage:
    r"""Return the penalty R1, unweighted: the squared norm of the critic's gradient at real images.

    $$\|\nabla_x l(x)\|_2^2$$

    Once samples match the data, a non-zero gradient no longer lowers the loss but is still penalised; the critic's gradient
    therefore goes to zero. The penalty can be differentiated in the critic's parameters, not in the images.

    Args:
        critic: `(x, y) -> (b,)`, scores; without batch norm, with which a score depends on the whole batch.
        real: images `(b, c, h, w)` in [0, 1].
        fake: not used; all penalties have the same arguments.
        y: labels of the real images, `(b,)`, or None.
        eps: not used.

    Returns:
        The penalty at each real image, `(b,)`, at least 0. Mescheder et al. add gamma / 2 times its mean.

    Source: Mescheder, Geiger & Nowozin 2018, section 4.1.
    """
    x = real.detach().requires_grad_()
    scores = critic(x, y)
    require_shape("b", scores=scores)
    # each score depends on one image, so the gradient of the sum of scores is the gradient of each score in its image
    (gradient,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(1)
