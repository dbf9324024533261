"""The relativistic GAN: both networks compare a real image with a generated one, and the penalties R1 and R2 together."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from gmlib.objectives.gan import r1_penalty
from gmlib.shapes import Image, Labels, PerImage, require_shape


def critic_relativistic(real: PerImage, fake: PerImage) -> PerImage:
    r"""Return the critic's relativistic loss, which is minimised: nats per pair of a real and a generated image, `(b,)`.

    $$L_f = -\log \sigma\big(f(x) - f(\tilde{x})\big)$$

    It depends on the difference of both scores alone. Where they are equal, it is ln 2.

    Source: Jolicoeur-Martineau 2019, The relativistic discriminator: the loss of its relativistic standard GAN.
    """
    require_shape("b", real=real, fake=fake)
    return F.softplus(fake - real)


def generator_relativistic(fake: PerImage, real: PerImage) -> PerImage:
    r"""Return the generator's relativistic loss, which is minimised: the critic's, with both images exchanged.

    $$L_g = -\log \sigma\big(f(\tilde{x}) - f(x)\big)$$

    Source: Jolicoeur-Martineau 2019, as for the critic.
    """
    require_shape("b", fake=fake, real=real)
    return F.softplus(real - fake)


def r1_r2_penalty(
    critic: Callable[..., Tensor], real: Image, fake: Image, y: Labels | None = None, eps: Tensor | None = None
) -> PerImage:
    r"""Return the sum of R1 and R2, unweighted: the squared norms of the critic's gradients at real and at generated images.

    $$\|\nabla_x f(x)\|_2^2 + \|\nabla_{\tilde{x}} f(\tilde{x})\|_2^2$$

    Args:
        critic: `(x, y) -> (b,)`, scores; without batch norm, with which a score depends on the whole batch.
        real: images `(b, c, h, w)` in [0, 1].
        fake: generated images of the same shape.
        y: labels of both, `(b,)`, or None.
        eps: not used.

    Returns:
        The penalty of each pair of images, `(b,)`, at least 0. Huang et al. add gamma / 2 times its mean.

    Source: Huang et al. 2024, The GAN is dead; long live the GAN!; R1 and R2 are of Mescheder, Geiger & Nowozin 2018.
    """
    return r1_penalty(critic, real, fake, y) + r1_penalty(critic, fake, real, y)
