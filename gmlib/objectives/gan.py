"""The GAN: loss of the discriminator, and two losses of the generator, as functions of scores (log-odds)."""

import torch.nn.functional as F

from gmlib.shapes import PerImage


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

    Source: Goodfellow et al. 2014, equation 1 with the sign turned.
    """
    return F.softplus(-real) + F.softplus(fake)


def generator_minimax(fake: PerImage) -> PerImage:
    r"""The generator's loss in the minimax game, which is minimised. It saturates: a sure discriminator leaves no slope.

    $$L_G = \log(1 - D(\tilde{x})), \qquad \frac{\partial L_G}{\partial l} = -\sigma(l)$$

    Args:
        fake: scores of generated images `(b,)`, log-odds that they are real.

    Returns:
        Nats an image, `(b,)`, below 0.

    Source: Goodfellow et al. 2014, equation 1.
    """
    return -F.softplus(fake)


def generator_non_saturating(fake: PerImage) -> PerImage:
    r"""The generator's loss that does not saturate, which is minimised: the samples are to be taken for real.

    $$L_G = -\log D(\tilde{x}), \qquad \frac{\partial L_G}{\partial l} = -(1 - \sigma(l))$$

    Args:
        fake: scores of generated images `(b,)`, log-odds that they are real.

    Returns:
        Nats an image, `(b,)`, above 0.

    Source: Goodfellow et al. 2014, section 3.
    """
    return F.softplus(-fake)
