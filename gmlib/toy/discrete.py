"""Distributions on a few points or a fine grid: divergences, the optimal discriminator and critic. Compute in float64."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gmlib.errors import InputError
from gmlib.shapes import PerImage, require_alike

Masses = Float[Tensor, "*#b n"]  # probabilities of n points; leading axes hold several distributions
Scores = Float[Tensor, "*#b n"]  # one score per point
Each = Float[Tensor, "..."]  # one number per pair of distributions
Line = Float[Tensor, " n"]  # positions of the points


def kl_divergence(p: Masses, q: Masses) -> Each:
    r"""Return the Kullback-Leibler divergence.

    $$\mathrm{KL}(p \,\|\, q) = \sum_i p_i \log \frac{p_i}{q_i}$$

    Args:
        p: probabilities of n points `(…, n)`.
        q: probabilities of the same points.

    Returns:
        Nats, `(…)`, at least 0; infinite where p has a point that q does not have.

    Raises:
        InputError: if p or q is not a distribution, or they are not on the same points.

    Source: Kullback & Leibler 1951.
    """
    require_masses(p, q)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


def jensen_shannon(p: Masses, q: Masses) -> Each:
    r"""Return the Jensen-Shannon divergence: the information of a point on whether it was drawn from p or from q.

    $$\mathrm{JS}(p, q) = \tfrac12 \mathrm{KL}(p \,\|\, m) + \tfrac12 \mathrm{KL}(q \,\|\, m), \qquad m = \tfrac12 (p + q)$$

    Args:
        p: probabilities of n points `(…, n)`.
        q: probabilities of the same points.

    Returns:
        Nats, `(…)`: 0 where p = q, and ln 2 where they have no point in common.

    Raises:
        InputError: if p or q is not a distribution, or they are not on the same points.

    Source: Lin 1991, with equal weights.
    """
    require_masses(p, q)
    m = (p + q) / 2
    return (kl_divergence(p, m) + kl_divergence(q, m)) / 2


def optimal_discriminator(p: Masses, q: Masses) -> Scores:
    r"""Return the scores of the optimal discriminator: the log-odds that a point was drawn from p.

    $$l^*(x) = \log \frac{p(x)}{q(x)}, \qquad D^* = \sigma(l^*) = \frac{p}{p + q}$$

    Args:
        p: probabilities of n points `(…, n)`, the distribution of images.
        q: probabilities of the same points, the distribution of samples.

    Returns:
        Scores `(…, n)`: infinite where only p has the point, minus infinite where only q has it, and 0 where neither has
        it, since the loss does not depend on that score.

    Raises:
        InputError: if p or q is not a distribution, or they are not on the same points.

    Source: Goodfellow et al. 2014, proposition 1: the derivative of p log D + q log(1 - D) in D is zero there.
    """
    require_masses(p, q)
    return torch.where((p > 0) | (q > 0), p.log() - q.log(), 0)


def wasserstein_1d(p: Masses, q: Masses, points: Line) -> Each:
    r"""Return the Wasserstein-1 distance on the line: the least mass times distance that turns p into q.

    $$W_1(p, q) = \int |F_p(x) - F_q(x)| \, dx$$

    F is the cumulative distribution function; the difference is the mass that has to cross x.

    Args:
        p: probabilities of n points `(…, n)`.
        q: probabilities of the same points.
        points: their positions `(n,)`, in any order.

    Returns:
        The distance `(…)`, in the unit of the points.

    Raises:
        InputError: if p or q is not a distribution, or there is not one position per point.

    Source: Vallender 1974.
    """
    require_masses(p, q, points)
    order = points.argsort()
    crossing = (p - q)[..., order].cumsum(-1)[..., :-1]  # F_p - F_q, between a point and the next
    return (crossing.abs() * points[order].diff()).sum(-1)


def optimal_critic(p: Masses, q: Masses, points: Line) -> Scores:
    r"""Return the scores of the optimal critic: of slope at most 1, with the largest difference of means.

    $$f' = \mathrm{sign}(F_q - F_p), \qquad \mathbb{E}_p[f] - \mathbb{E}_q[f] = W_1(p, q)$$

    Args:
        p: probabilities of n points `(…, n)`, the distribution of images.
        q: probabilities of the same points, the distribution of samples.
        points: their positions `(n,)`, in any order.

    Returns:
        Scores `(…, n)`. An added constant has no effect; here the mean under (p + q) / 2 is 0.

    Raises:
        InputError: if p or q is not a distribution, or there is not one position per point.

    Source: Arjovsky, Chintala & Bottou 2017, equation 2, solved on the line.
    """
    require_masses(p, q, points)
    order = points.argsort()
    crossing = (p - q)[..., order].cumsum(-1)[..., :-1]
    slope = -crossing.round(decimals=12).sign()  # so that a rounding error has no slope
    f = F.pad(slope * points[order].diff(), (1, 0)).cumsum(-1)[..., order.argsort()]
    return f - ((p + q) / 2 * f).sum(-1, keepdim=True)


def expected_loss(loss: Callable[[PerImage, PerImage], PerImage], scores: Line, p: Line, q: Line) -> Each:
    r"""Return the expected loss of a discriminator or critic, over all pairs of an image and a sample.

    $$\mathbb{E}_{x \sim p, \, \tilde{x} \sim q}[L(l(x), l(\tilde{x}))]$$

    Args:
        loss: of real and of fake scores, such as `discriminator_bce`.
        scores: of the n points `(n,)`; they may be infinite where the loss is not.
        p: probabilities of the points `(n,)`, the distribution of images.
        q: probabilities of the points `(n,)`, the distribution of samples.

    Returns:
        The expectation, computed without sampling, in the unit of the loss.

    Raises:
        InputError: if p or q is not a distribution, there is not one score per point, or not one loss per pair.
    """
    require_masses(p, q, scores)
    pairs = torch.outer(p, q).flatten()
    real, fake = torch.cartesian_prod(scores, scores).T
    possible = pairs > 0  # the loss of an impossible pair may be infinite
    losses = loss(real[possible], fake[possible])
    require_alike("pairs", probabilities=pairs[possible], losses=losses)
    return (pairs[possible] * losses).sum()


def gaussian_masses(points: Line, mean: Float[Tensor, "*b"] | float, sd: float) -> Float[Tensor, "*b n"]:
    r"""Return a Gaussian on a fine, even grid, on which sums equal integrals to many digits.

    $$p_i \propto e^{-(x_i - \mu)^2 / 2 \sigma^2}$$

    Args:
        points: the grid `(n,)`, evenly spaced by at most sd, and at least 6 sd wide on both sides of the mean.
        mean: mu, one or several `(…)`.
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
    if not (
        points.is_floating_point() and even and mean.min() - 6 * sd >= points[0] and mean.max() + 6 * sd <= points[-1]
    ):
        raise InputError(
            f"got a grid from {points[0]:g} to {points[-1]:g} in steps of {steps.min():.3g} to {steps.max():.3g}, expected floats in "
            f"even steps of at most sd = {sd:g} and 6 sd on both sides of each mean: use torch.linspace"
        )
    return torch.softmax(-0.5 * ((points - mean.unsqueeze(-1)) / sd) ** 2, -1)


def require_masses(p: Tensor, q: Tensor, points: Tensor | None = None) -> None:
    """Raise an error unless p and q are distributions on the same points, with one position or score per point."""
    for name, masses in (("p", p), ("q", q)):
        if not ((masses >= 0).all() and ((masses.sum(-1) - 1).abs() <= 1e-6).all()):
            raise InputError(
                f"got {name} that is not a distribution, expected probabilities of at least 0 with a sum of 1"
            )
    if p.shape[-1] != q.shape[-1] or (points is not None and points.shape != p.shape[-1:]):
        shapes = [tuple(each.shape) for each in (p, q, points) if each is not None]
        raise InputError(f"got shapes {shapes}, expected one number per point in each")
