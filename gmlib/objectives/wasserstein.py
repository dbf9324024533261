"""The Wasserstein GAN: losses of critic and generator, and two ways to bound the critic's gradient."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gmlib.errors import InputError
from gmlib.shapes import Image, Labels, PerImage, require_alike


def critic_wasserstein(real: PerImage, fake: PerImage) -> PerImage:
    r"""Return the critic's loss, which is minimised: its negative estimates the Wasserstein distance.

    $$L_f = f(\tilde{x}) - f(x), \qquad W_1(p, q) = \max_{\|f\|_L \le 1} \mathbb{E}_{x \sim p}[f(x)] - \mathbb{E}_{\tilde{x} \sim q}[f(\tilde{x})] = \max_{\|f\|_L \le 1} \mathbb{E}[-L_f]$$

    For any critic with Lipschitz constant 1, the expectation of $-L_f$ is at most the distance.

    Args:
        real: scores f(x) of real images `(b,)`, unbounded.
        fake: scores of the same number of generated images `(b,)`.

    Returns:
        fake - real, one number per pair of images, `(b,)`.

    Raises:
        InputError: if real and fake are not of one shape `(b,)`.

    Source: Arjovsky, Chintala & Bottou 2017, equation 2 with the opposite sign; Gulrajani et al. 2017, equation 3.
    """
    require_alike("b", real=real, fake=fake)
    return fake - real


def generator_wasserstein(fake: PerImage) -> PerImage:
    r"""Return the generator's loss, which is minimised: the generator raises the critic's score.

    $$L_g = -f(\tilde{x})$$

    Args:
        fake: scores of generated images `(b,)`, unbounded.

    Returns:
        -fake, one number per image, `(b,)`. The hinge loss of a generator is the same.

    Raises:
        InputError: if fake is not of shape `(b,)`.

    Source: Arjovsky, Chintala & Bottou 2017, algorithm 1, line 10.
    """
    require_alike("b", fake=fake)
    return -fake


def gradient_penalty(
    critic: Callable[..., Tensor],
    real: Image,
    fake: Image,
    y: Labels | None = None,
    eps: Float[Tensor, "b 1 1 1"] | None = None,
) -> PerImage:
    r"""Return the penalty on a gradient norm other than 1, between real and generated images, not yet weighted.

    $$\big( \|\nabla_{\hat{x}} f(\hat{x})\|_2 - 1 \big)^2, \qquad \hat{x} = \epsilon x + (1 - \epsilon)\, \tilde{x}, \quad \epsilon \sim U[0, 1]$$

    The norm is over all pixels and channels. Gradients are per unit of [0, 1]; published values are per unit of [-1, 1], where
    the same critic's gradient is half as large. Gradients reach the critic's parameters, and not the images.

    Args:
        critic: `(x, y) -> (b,)`, unbounded scores; without batch norm, with which an image has no gradient of its own.
        real: images `(b, c, h, w)`.
        fake: generated images of the same shape.
        y: labels of both, `(b,)`, or None.
        eps: share of the real image in each mixture, `(b, 1, 1, 1)` in [0, 1]; None draws it from the global generator.

    Returns:
        The penalty at one point per image, `(b,)`, at least 0; training adds 10 times its mean to the critic's loss.

    Raises:
        InputError: if real and fake differ in shape, or eps or the scores are not one number per image.

    Source: Gulrajani et al. 2017, equation 3 and algorithm 1.
    """
    require_alike("b c h w", real=real, fake=fake)
    one_per_image = (len(real), 1, 1, 1)
    if eps is None:
        eps = torch.rand(one_per_image, device=real.device, dtype=real.dtype)
    if eps.shape != one_per_image:
        raise InputError(f"got eps of shape {tuple(eps.shape)}, expected {one_per_image}: one number per image")
    between = (eps * real.detach() + (1 - eps) * fake.detach()).requires_grad_()
    scores = critic(between, y)
    require_alike("b", scores=scores)
    # as in `r1_penalty`, the gradient of the sum holds each image's own gradient
    (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1) ** 2


@torch.no_grad()
def clip_weights_(module: nn.Module, bound: float | tuple[float, ...]) -> None:
    r"""Clamp every parameter, in place; after each step of the critic, this bounds its gradient.

    $$w \leftarrow \max(-c, \min(c, w))$$

    Buffers stay as they are. The gain of a normalisation is a parameter, so it is clamped too.

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
    layer = 0
    for parameter in parameters:
        layer += parameter.ndim > 1
        own = bounds[max(layer - 1, 0)]
        parameter.clamp_(-own, own)
