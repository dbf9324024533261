"""The Wasserstein GAN: losses of critic and generator, and two ways to keep the critic's slope in bounds."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gmlib.errors import InputError
from gmlib.shapes import Image, Labels, PerImage, require_alike, require_gradients


def critic_wasserstein(real: PerImage, fake: PerImage) -> PerImage:
    r"""The critic's loss, which is minimised: its negative estimates the Wasserstein distance.

    $$L_f = f(\tilde{x}) - f(x), \qquad W_1(p, q) = \max_{\|f\|_L \le 1} \mathbb{E}_{x \sim p}[f(x)] - \mathbb{E}_{\tilde{x} \sim q}[f(\tilde{x})] = \max_{\|f\|_L \le 1} \mathbb{E}[-L_f]$$

    A good critic scores real images high and fake ones low, so that its loss is negative. Among the critics whose
    slope is nowhere above 1, the mean of -L is never above the distance, up to the chance of the draw.

    Args:
        real: scores f(x) of real images `(b,)`, unbounded.
        fake: scores of as many generated images `(b,)`.

    Returns:
        fake - real, a number a pair of images, `(b,)`.

    Raises:
        InputError: if the scores are not one number per image, or not equally many.

    Source: Arjovsky, Chintala & Bottou 2017, equation 2 with the sign turned; Gulrajani et al. 2017, equation 3.
    """
    require_alike("b", real=real, fake=fake)
    return fake - real


def generator_wasserstein(fake: PerImage) -> PerImage:
    r"""The generator's loss, which is minimised: the generator raises the critic's score.

    $$L_g = -f(\tilde{x})$$

    Args:
        fake: scores of generated images `(b,)`, unbounded.

    Returns:
        -fake, one number per image, `(b,)`. Other losses, such as the hinge loss, have the same one.

    Raises:
        InputError: if the scores are not one number per image.

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
    r"""How far the critic's slope is from 1 between real and generated images: the penalty, not yet weighted.

    $$\big( \|\nabla_{\hat{x}} f(\hat{x})\|_2 - 1 \big)^2, \qquad \hat{x} = \epsilon x + (1 - \epsilon)\, \tilde{x}, \quad \epsilon \sim U[0, 1]$$

    One epsilon an image, so that each point lies on the line between two images; the norm is over all pixels and
    channels. Slopes are per unit of [0, 1]; in [-1, 1], where published values are taken, the same critic is half as
    steep. Gradients reach the critic's parameters and stop at the images. A critic with batch norm has no slope at
    one image alone: take none.

    Args:
        critic: `(x, y) -> (b,)`, unbounded scores.
        real: images `(b, c, h, w)`.
        fake: as many generated images, of the same shape.
        y: labels `(b,)` that the critic sees with both, or None.
        eps: the part of the real image in each mixture, `(b, 1, 1, 1)` in [0, 1]; None draws it from the global generator.

    Returns:
        The penalty at one point an image, `(b,)`, at least 0; training adds 10 times its mean to the critic's loss.

    Raises:
        InputError: if real and fake are no images of one shape, eps or the scores are not one number per image, or
            gradients are off.

    Source: Gulrajani et al. 2017, equation 3 and algorithm 1.
    """
    require_gradients()
    if real.shape != fake.shape or real.ndim != 4:
        raise InputError(
            f"got real images of shape {tuple(real.shape)} and fake ones of shape {tuple(fake.shape)}, "
            "expected the same (b, c, h, w): each point lies between a real and a fake image"
        )
    if not real.is_floating_point() or real.dtype != fake.dtype:
        raise InputError(
            f"got images of {real.dtype} and {fake.dtype}, expected floats of one dtype: convert them with .to()"
        )
    one_an_image = (len(real), 1, 1, 1)
    if eps is None:
        eps = torch.rand(one_an_image, device=real.device, dtype=real.dtype)
    if eps.shape != one_an_image:
        raise InputError(f"got eps of shape {tuple(eps.shape)}, expected {one_an_image}: one number per image")
    between = (eps * real.detach() + (1 - eps) * fake.detach()).requires_grad_()
    scores = critic(between, y)
    require_alike("b", scores=scores)
    # an image's score depends on that image alone, so the gradient of the sum holds every image's own
    (slope,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1) ** 2


@torch.no_grad()
def clip_weights_(module: nn.Module, bound: float | tuple[float, ...]) -> None:
    r"""Clamp every parameter, in place: after each step of the critic, this keeps its slope bounded.

    $$w \leftarrow \max(-c, \min(c, w))$$

    Buffers stay as they are. A norm's gain is a parameter, so it is clamped too.

    Args:
        module: the critic.
        bound: c, above 0; Arjovsky et al. take 0.01. A tuple has one bound per layer, in the order in which the layers were
            built. A layer is a weight of two or more dimensions with the bias and the norm that follow it.

    Raises:
        InputError: if a bound is not positive, or the numbers of bounds and of layers differ.

    Source: Arjovsky, Chintala & Bottou 2017, algorithm 1, line 7.
    """
    require_bounds("bound", bound)
    parameters = list(module.parameters())
    if not isinstance(bound, tuple):
        for parameter in parameters:
            parameter.clamp_(-bound, bound)
        return
    layers = sum(parameter.ndim > 1 for parameter in parameters)
    if layers != len(bound):
        raise InputError(f"got {len(bound)} bounds for a critic of {layers} layers, expected one bound per layer")
    layer = 0
    for parameter in parameters:
        layer += parameter.ndim > 1
        own = bound[max(layer - 1, 0)]
        parameter.clamp_(-own, own)


def require_bounds(name: str, bound: float | tuple[float, ...]) -> None:
    """Refuse bounds of weights that are not above 0.

    Args:
        name: of the argument.
        bound: one number, or one per layer.

    Raises:
        InputError: if one of them is not above 0, or there is none.
    """
    bounds = bound if isinstance(bound, tuple) else (bound,)
    if not bounds or not all(each > 0 for each in bounds):
        raise InputError(
            f"got {name} {bound}, expected a number above 0, or a tuple of them: at 0 the critic would be constant"
        )
