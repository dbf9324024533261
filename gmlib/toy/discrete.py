"""Distributions on a few points or a fine grid: divergences, the best discriminator, the best critic. Compute in float64."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gmlib.errors import InputError
from gmlib.shapes import PerImage, require_alike

Masses = Float[Tensor, "*#b n"]  # probabilities of n points; leading axes hold several distributions
Scores = Float[Tensor, "*#b n"]  # one number a point
Each = Float[Tensor, "..."]  # one number a pair of distributions
Line = Float[Tensor, " n"]  # where the points are


def kl_divergence(p: Masses, q: Masses) -> Each:
    r"""How many nats a point of p is less probable under q, on average.

    $$\mathrm{KL}(p \,\|\, q) = \sum_i p_i \log \frac{p_i}{q_i}$$

    Args:
        p: probabilities of n points `(…, n)`; what may be 0 adds nothing where it is.
        q: probabilities of the same points.

    Returns:
        Nats, `(…)`: at least 0, and infinite where p has a point that q has not.

    Raises:
        InputError: if p or q is no distribution, or they are not on the same points.

    Source: Kullback & Leibler 1951.
    """
    require_masses(p, q)
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


def jensen_shannon(p: Masses, q: Masses) -> Each:
    r"""The Jensen-Shannon divergence: what a point tells about the fair coin that chose p or q to draw it from.

    $$\mathrm{JS}(p, q) = \tfrac12 \mathrm{KL}(p \,\|\, m) + \tfrac12 \mathrm{KL}(q \,\|\, m), \qquad m = \tfrac12 (p + q)$$

    Args:
        p: probabilities of n points `(…, n)`.
        q: probabilities of the same points.

    Returns:
        Nats, `(…)`: 0 where p = q, and ln 2 where they have no point in common.

    Raises:
        InputError: if p or q is no distribution, or they are not on the same points.

    Source: Lin 1991, with equal weights.
    """
    require_masses(p, q)
    m = (p + q) / 2
    return (kl_divergence(p, m) + kl_divergence(q, m)) / 2


def optimal_discriminator(p: Masses, q: Masses) -> Scores:
    r"""The scores of the discriminator that nobody beats: log-odds that a point came from p.

    $$l^*(x) = \log \frac{p(x)}{q(x)}, \qquad D^* = \sigma(l^*) = \frac{p}{p + q}$$

    Args:
        p: probabilities of n points `(…, n)`: of images.
        q: probabilities of the same points: of samples.

    Returns:
        Scores `(…, n)`: infinite where only p has the point, minus infinite where only q has it, and 0 where neither
        has, for there any score is as good.

    Raises:
        InputError: if p or q is no distribution, or they are not on the same points.

    Source: Goodfellow et al. 2014, proposition 1: the derivative of p log D + q log(1 - D) in D is zero there.
    """
    require_masses(p, q)
    return torch.where((p > 0) | (q > 0), p.log() - q.log(), 0)


def wasserstein_1d(p: Masses, q: Masses, points: Line) -> Each:
    r"""The Wasserstein-1 distance on the line: mass times way, if p is moved into q as cheaply as possible.

    $$W_1(p, q) = \int |F_p(x) - F_q(x)| \, dx$$

    F is the probability of lying at x or to the left of it: what has to cross x.

    Args:
        p: probabilities of n points `(…, n)`.
        q: probabilities of the same points.
        points: where they are `(n,)`, in any order.

    Returns:
        The distance `(…)`, in the unit of the points.

    Raises:
        InputError: if p or q is no distribution, or there is not one place a point.

    Source: Vallender 1974.
    """
    require_masses(p, q, points)
    order = points.argsort()
    crossing = (p - q)[..., order].cumsum(-1)[..., :-1]  # F_p - F_q, between a point and the next
    return (crossing.abs() * points[order].diff()).sum(-1)


def optimal_critic(p: Masses, q: Masses, points: Line) -> Scores:
    r"""The critic of slope at most 1 that sets p and q furthest apart: it rises towards p.

    $$f' = \mathrm{sign}(F_q - F_p), \qquad \mathbb{E}_p[f] - \mathbb{E}_q[f] = W_1(p, q)$$

    Args:
        p: probabilities of n points `(…, n)`: of images.
        q: probabilities of the same points: of samples.
        points: where they are `(n,)`, in any order.

    Returns:
        Scores `(…, n)`. Their height is free; here they average to 0 over an image and a sample.

    Raises:
        InputError: if p or q is no distribution, or there is not one place a point.

    Source: Arjovsky, Chintala & Bottou 2017, equation 2, solved on the line.
    """
    require_masses(p, q, points)
    order = points.argsort()
    crossing = (p - q)[..., order].cumsum(-1)[..., :-1]
    slope = -crossing.round(decimals=12).sign()  # a rounding error is no slope
    f = F.pad(slope * points[order].diff(), (1, 0)).cumsum(-1)[..., order.argsort()]
    return f - ((p + q) / 2 * f).sum(-1, keepdim=True)


def expected_loss(loss: Callable[[PerImage, PerImage], PerImage], scores: Line, p: Line, q: Line) -> Each:
    r"""What a discriminator or critic pays on average, over all pairs of an image and a sample.

    $$\mathbb{E}_{x \sim p, \, \tilde{x} \sim q}[L(l(x), l(\tilde{x}))]$$

    Args:
        loss: of real and of fake scores, such as `discriminator_bce`.
        scores: of the n points `(n,)`; infinite ones are fine where they cost nothing.
        p: probabilities of the points `(n,)`: of images.
        q: probabilities of the points `(n,)`: of samples.

    Returns:
        The mean, without a draw, in the unit of the loss.

    Raises:
        InputError: if p or q is no distribution, there is not one score per point, or the loss gives not one number per pair.
    """
    require_alike("n", scores=scores, p=p, q=q)
    require_masses(p, q)
    pairs = torch.outer(p, q).flatten()
    real, fake = torch.cartesian_prod(scores, scores).T
    seen = pairs > 0  # what never happens costs nothing, even where its loss is infinite
    paid = loss(real[seen], fake[seen])
    require_alike("pairs", pairs=pairs[seen], losses=paid)
    return (pairs[seen] * paid).sum()


def gaussian_masses(points: Line, mean: Float[Tensor, "*b"] | float, sd: float) -> Float[Tensor, "*b n"]:
    r"""A Gaussian on a fine, even grid: sums over it are its integrals, to many digits.

    $$p_i \propto e^{-(x_i - \mu)^2 / 2 \sigma^2}$$

    Args:
        points: the grid `(n,)`, evenly spaced by at most sd, and at least 6 sd wide on both sides of the mean.
        mean: mu, one or several `(…)`.
        sd: sigma, above 0, in the unit of the points.

    Returns:
        Probabilities `(…, n)`, differentiable in the mean.

    Raises:
        InputError: if sd is not positive, or the grid too coarse, uneven or too short.

    Source: Trefethen & Weideman 2014: of smooth functions that die out, such sums are exact but for an exponentially small rest.
    """
    if not sd > 0:
        raise InputError(f"got sd {sd}, expected a standard deviation above 0; `torch.eye(n)[i]` is a point mass")
    if points.ndim != 1 or len(points) < 2 or not points.is_floating_point():
        raise InputError(
            f"got points of shape {tuple(points.shape)} and {points.dtype}, expected floats of shape (n,) with n at least 2: "
            "use torch.linspace"
        )
    mean = torch.as_tensor(mean, dtype=points.dtype)
    steps = points.diff()
    widest = steps.max().item()
    if steps.min() <= 0 or widest - steps.min() > 1e-6 * widest or widest > sd:
        raise InputError(
            f"got points spaced by {steps.min():.3g} to {widest:.3g}, expected even steps of at most sd = {sd:g}: use torch.linspace"
        )
    if not (mean.min() - 6 * sd >= points[0] and mean.max() + 6 * sd <= points[-1]):  # so that NaN is refused too
        raise InputError(
            f"got points from {points[0]:g} to {points[-1]:g} for means from {mean.min():g} to {mean.max():g}, "
            f"expected 6 sd = {6 * sd:g} more on both sides: the tails belong to the integral"
        )
    return torch.softmax(-0.5 * ((points - mean.unsqueeze(-1)) / sd) ** 2, -1)


def require_masses(p: Tensor, q: Tensor, points: Tensor | None = None) -> None:
    """Refuse what is no distribution, distributions on different points, and points without a place.

    Args:
        p: probabilities.
        q: probabilities of the same points.
        points: where they are, or None if that does not matter.

    Raises:
        InputError: if they do not fit.
    """
    for name, masses in (("p", p), ("q", q)):
        if not masses.ndim or not masses.numel():
            raise InputError(f"got {name} of shape {tuple(masses.shape)}, expected probabilities of at least one point")
        if not (masses >= 0).all():  # so that NaN is refused too
            raise InputError(f"got a probability of {masses.min():.3g} in {name}, expected none below 0")
        furthest = (masses.sum(-1) - 1).abs().max()
        if furthest > 1e-6:
            raise InputError(
                f"got probabilities in {name} whose sum is off by {furthest:.3g}, expected a sum of 1: divide by the sum"
            )
    if p.shape[-1] != q.shape[-1]:
        raise InputError(
            f"got p on {p.shape[-1]} points and q on {q.shape[-1]}, expected the same points: 0 where one has none"
        )
    pairs = zip(reversed(p.shape[:-1]), reversed(q.shape[:-1]), strict=False)
    if any(a != b and 1 not in (a, b) for a, b in pairs):
        raise InputError(
            f"got p of shape {tuple(p.shape)} and q of shape {tuple(q.shape)}, expected equally many distributions, or one"
        )
    if points is not None and points.shape != p.shape[-1:]:
        raise InputError(
            f"got {points.numel()} places for {p.shape[-1]} points, expected the shape ({p.shape[-1]},): one per point"
        )
