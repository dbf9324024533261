"""Distributions on n points of a line: divergences, and the optimal discriminator and critic.

Everywhere p is the distribution of images and q that of samples: tensors of probabilities `(…, n)` of the same n points, in
float64. Leading axes hold several distributions. Tensors that are not distributions on the same points raise InputError.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gmlib.errors import InputError
from gmlib.shapes import PerImage, require_shape

Masses = Float[Tensor, "*#b n"]  # probabilities of n points
Scores = Float[Tensor, "*#b n"]  # one score per point
PerPair = Float[Tensor, "..."]  # one number per pair of distributions p and q
Line = Float[Tensor, " n"]  # one number per point, such as its position


def kl_divergence(p: Masses, q: Masses) -> PerPair:
    r"""Return the Kullback-Leibler divergence, in nats; it is infinite where p has a point that q does not have.

    $$\mathrm{KL}(p \,\|\, q) = \sum_i p_i \log \frac{p_i}{q_i}$$

    Source: Kullback & Leibler 1951.
    """
    require_distributions(p, q)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


def jensen_shannon(p: Masses, q: Masses) -> PerPair:
    r"""Return the Jensen-Shannon divergence, in nats: 0 where p = q, and ln 2 where p and q have no point in common.

    $$\mathrm{JS}(p, q) = \tfrac12 \mathrm{KL}(p \,\|\, m) + \tfrac12 \mathrm{KL}(q \,\|\, m), \qquad m = \tfrac12 (p + q)$$

    Source: Lin 1991, with equal weights.
    """
    require_distributions(p, q)
    m = (p + q) / 2
    return (kl_divergence(p, m) + kl_divergence(q, m)) / 2


def optimal_discriminator(p: Masses, q: Masses) -> Scores:
    r"""Return the scores of the optimal discriminator, `(…, n)`: the log-odds that a point was drawn from p.

    $$l^*(x) = \log \frac{p(x)}{q(x)}, \qquad D^* = \sigma(l^*) = \frac{p}{p + q}$$

    The score is infinite where only p has the point, minus infinite where only q has it. Where neither has it, the loss does
    not depend on the score, and 0 is returned.

    Source: Goodfellow et al. 2014, proposition 1: the derivative of p log D + q log(1 - D) in D is zero there.
    """
    require_distributions(p, q)
    return torch.where((p > 0) | (q > 0), p.log() - q.log(), 0)


def wasserstein_1d(p: Masses, q: Masses, points: Line) -> PerPair:
    r"""Return the Wasserstein-1 distance, in the unit of the points: the least mass times distance that turns p into q.

    $$W_1(p, q) = \int |F_p(x) - F_q(x)| \, dx$$

    F is the cumulative distribution function; the difference is the mass that has to cross x. The points are the n positions,
    in any order.

    Source: Vallender 1974.
    """
    require_distributions(p, q, points)
    order = points.argsort()
    crossing = (p - q)[..., order].cumsum(-1)[..., :-1]  # F_p - F_q, between a point and the next
    return (crossing.abs() * points[order].diff()).sum(-1)


def optimal_critic(p: Masses, q: Masses, points: Line) -> Scores:
    r"""Return the scores of the optimal critic, `(…, n)`: of slope at most 1, with the largest difference of means.

    $$f' = \mathrm{sign}(F_q - F_p), \qquad \mathbb{E}_p[f] - \mathbb{E}_q[f] = W_1(p, q)$$

    The points are the n positions, in any order. A constant that is added to f has no effect; f is returned with a mean of 0
    under (p + q) / 2.

    Source: Arjovsky, Chintala & Bottou 2017, equation 2, solved on the line.
    """
    require_distributions(p, q, points)
    order = points.argsort()
    crossing = (p - q)[..., order].cumsum(-1)[..., :-1]
    slope = -crossing.round(decimals=12).sign()  # rounded, so that the slope is 0 where F_p - F_q is a rounding error
    f = F.pad(slope * points[order].diff(), (1, 0)).cumsum(-1)[..., order.argsort()]
    return f - ((p + q) / 2 * f).sum(-1, keepdim=True)


def expected_loss(loss: Callable[[PerImage, PerImage], PerImage], scores: Line, p: Line, q: Line) -> PerPair:
    r"""Return the expected loss of a discriminator or critic, as a sum over all pairs of an image and a sample.

    $$\mathbb{E}_{x \sim p, \, \tilde{x} \sim q}[L(l(x), l(\tilde{x}))]$$

    The loss is a function of the scores of real and of generated images, such as `discriminator_bce`. The scores are those of
    the n points; they may be infinite where the loss is finite.
    """
    require_distributions(p, q, scores)
    probabilities = torch.outer(p, q).flatten()
    real, fake = torch.cartesian_prod(scores, scores).T
    possible = probabilities > 0  # the loss of an impossible pair may be infinite
    losses = loss(real[possible], fake[possible])
    require_shape("pairs", probabilities=probabilities[possible], losses=losses)
    return (probabilities[possible] * losses).sum()


def gaussian_masses(points: Line, mean: Float[Tensor, "*b"] | float, sd: float) -> Float[Tensor, "*b n"]:
    r"""Return a Gaussian as probabilities on a fine, even grid, on which sums equal integrals to many digits.

    $$p_i \propto e^{-(x_i - \mu)^2 / 2 \sigma^2}$$

    Args:
        points: the grid `(n,)`: rising, with a constant step of at most sd, and 6 sd or more on both sides of each mean.
        mean: mu, one number or a tensor `(…)`.
        sd: sigma, above 0, in the unit of the points.

    Returns:
        Probabilities `(…, n)`, differentiable in the mean.

    Raises:
        InputError: if the grid is too coarse, uneven or too short for the means and sd.

    Source: Trefethen & Weideman 2014: the error of such sums of smooth, decaying functions is exponentially small.
    """
    mean = torch.as_tensor(mean, dtype=points.dtype)
    steps = points.diff()
    even = 0 < steps.max() <= sd and steps.max() - steps.min() <= 1e-6 * steps.max()
    long_enough = mean.min() - 6 * sd >= points[0] and mean.max() + 6 * sd <= points[-1]
    if not (points.is_floating_point() and even and long_enough):
        raise InputError(
            f"got a grid of {points.dtype} from {points[0]:g} to {points[-1]:g}, expected floats in even steps of at most "
            f"sd = {sd:g}, with 6 sd on both sides of each mean: use torch.linspace"
        )
    return torch.softmax(-0.5 * ((points - mean.unsqueeze(-1)) / sd) ** 2, -1)


def require_distributions(p: Tensor, q: Tensor, points: Tensor | None = None) -> None:
    """Raise InputError unless p and q are distributions on the same points, with one position or score per point."""
    for name, probabilities in (("p", p), ("q", q)):
        if not ((probabilities >= 0).all() and ((probabilities.sum(-1) - 1).abs() <= 1e-6).all()):
            raise InputError(
                f"got {name} that is not a distribution, expected probabilities of at least 0 with a sum of 1"
            )
    if p.shape[-1] != q.shape[-1] or (points is not None and points.shape != p.shape[-1:]):
        shapes = [tuple(tensor.shape) for tensor in (p, q, points) if tensor is not None]
        raise InputError(f"got shapes {shapes}, expected one number per point in each")
