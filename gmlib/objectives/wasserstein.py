"""The Wasserstein GAN: losses of critic and generator, and two ways to bound the critic's gradient.

A critic f returns one unbounded score per image. Scores that are not of shape `(b,)` raise InputError, since they would
broadcast.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gmlib.errors import InputError
from gmlib.shapes import Image, Labels, PerImage, require_shape


def critic_wasserstein(real: PerImage, fake: PerImage) -> PerImage:
    r"""Return the critic's loss, which is minimised; the negative of its mean estimates the Wasserstein distance.

    $$L_f = f(\tilde{x}) - f(x), \qquad W_1(p, q) = \max_{\|f\|_L \le 1} \mathbb{E}_{x \sim p}[f(x)] - \mathbb{E}_{\tilde{x} \sim q}[f(\tilde{x})] = \max_{\|f\|_L \le 1} \mathbb{E}[-L_f]$$

    For every critic with Lipschitz constant 1, the expectation of $-L_f$ is at most the distance. The result has one number per
    pair of a real and a generated image, `(b,)`, in the unit of the scores.

    Source: Arjovsky, Chintala & Bottou 2017, equation 2 with the opposite sign; Gulrajani et al. 2017, equation 3.
    """
    require_shape("b", real=real, fake=fake)
    return fake - real


def generator_wasserstein(fake: PerImage) -> PerImage:
    r"""Return the generator's loss, which is minimised: minus the critic's score of each generated image, `(b,)`.

    $$L_g = -f(\tilde{x})$$

    The generator's loss of a GAN with the hinge loss is the same.

    Source: Arjovsky, Chintala & Bottou 2017, algorithm 1, line 10.
    """
    require_shape("b", fake=fake)
    return -fake


def gradient_penalty(
    critic: Callable[..., Tensor],
    real: Image,
    fake: Image,
    y: Labels | None = None,
    eps: Float[Tensor, "b 1 1 1"] | None = None,
) -> PerImage:
    r"""Return the gradient penalty, unweighted, at a random point between each real and each generated image.

    $$\big( \|\nabla_{\hat{x}} f(\hat{x})\|_2 - 1 \big)^2, \qquad \hat{x} = \epsilon x + (1 - \epsilon)\, \tilde{x}, \quad \epsilon \sim U[0, 1]$$

    The norm is over all pixels and channels. Images are in [0, 1]; the paper's are 2x - 1, in [-1, 1], and for the same scores
    the gradient in these is half as large. The penalty can be differentiated in the critic's parameters, not in the images.

    Args:
        critic: `(x, y) -> (b,)`, scores; without batch norm, with which a score depends on the whole batch.
        real: images `(b, c, h, w)`.
        fake: generated images of the same shape.
        y: labels of both, `(b,)`, or None.
        eps: weight of each real image, `(b, 1, 1, 1)` in [0, 1]; None draws it from torch's global random generator.

    Returns:
        The penalty at one point per pair of images, `(b,)`, at least 0. Gulrajani et al. add 10 times its mean.

    Source: Gulrajani et al. 2017, equation 3 and algorithm 1.
    """
    require_shape("b c h w", real=real, fake=fake)
    one_per_image = (len(real), 1, 1, 1)
    if eps is None:
        eps = torch.rand(one_per_image, device=real.device, dtype=real.dtype)
    if eps.shape != one_per_image:
        raise InputError(f"got eps of shape {tuple(eps.shape)}, expected {one_per_image}: one number per image")
    x_hat = (eps * real.detach() + (1 - eps) * fake.detach()).requires_grad_()
    scores = critic(x_hat, y)
    require_shape("b", scores=scores)
    # each score depends on one image, so the gradient of the sum of scores is the gradient of each score in its image
    (gradient,) = torch.autograd.grad(scores.sum(), x_hat, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1) ** 2


@torch.no_grad()
def clip_weights_(module: nn.Module, bound: float | tuple[float, ...]) -> None:
    r"""Clip every parameter of a critic in place; after each step of the critic, this bounds the critic's gradient.

    $$w \leftarrow \max(-c, \min(c, w))$$

    Weights, biases, and the scale and shift of a normalisation are parameters; running statistics are buffers, and stay.

    Args:
        module: the critic.
        bound: c, above 0; Arjovsky et al. use 0.01. A tuple has one bound per layer, in the order in which the layers were
            built. A layer is a weight of two or more dimensions with the bias and the normalisation that follow it.

    Raises:
        InputError: if a bound is not positive, or the numbers of bounds and of layers differ.

    Source: Arjovsky, Chintala & Bottou 2017, algorithm 1, line 7.
    """
    parameters = list(module.parameters())
    layers = sum(parameter.ndim > 1 for parameter in parameters)
    bounds = bound if isinstance(bound, tuple) else (bound,) * layers
    if len(bounds) != layers or not all(each > 0 for each in bounds):
        raise InputError(f"got bound {bound} for a critic of {layers} layers, expected one above 0, or one per layer")
    layer = -1
    for parameter in parameters:
        layer += parameter.ndim > 1  # a weight begins the next layer
        c = bounds[max(layer, 0)]  # parameters before the first weight have the first layer's bound
        parameter.clamp_(-c, c)
