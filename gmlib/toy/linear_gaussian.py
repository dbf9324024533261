"""The linear-Gaussian model: a VAE whose likelihood is known, and gradient ascent on its ELBO."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import MultivariateNormal

from gmlib.errors import InputError
from gmlib.objectives.variational import elbo, gaussian_kl, gaussian_log_prob

Points = Float[Tensor, "n d"]
Observed = Float[Tensor, "n p"]
OneOrAll = Float[Tensor, "#n _"]  # one row per point, or one for all points
PerPoint = Float[Tensor, " n"]


class Posterior(NamedTuple):
    """p(z|x) of the linear-Gaussian model: one mean per point, and the covariance, which all points share."""

    mean: Points
    covariance: Float[Tensor, "d d"]


class LinearGaussian:
    r"""A VAE with a linear decoder and Gaussian noise, whose likelihood is known.

    $$z \sim \mathcal{N}(0, I), \qquad x \mid z \sim \mathcal{N}(W z + b, s^2 I)$$

    Then $p(x)$ and $p(z \mid x)$ are Gaussian too, and the ELBO of any Gaussian q has a closed form. Compute in float64.

    Source: Tipping & Bishop 1999, equations 2 to 8.
    """

    def __init__(self, weight: Float[Tensor, "p d"], bias: Float[Tensor, " p"], noise: float) -> None:
        """Set the model's parameters.

        Args:
            weight: W `(p, d)`, from d latents to p observed numbers.
            bias: b `(p,)`.
            noise: s, the standard deviation of the noise, above 0.

        Raises:
            InputError: if bias and weight do not fit each other.
        """
        if bias.shape != weight.shape[:1]:
            raise InputError(
                f"got a bias of shape {tuple(bias.shape)}, expected ({len(weight)},): one per observed number"
            )
        self.weight = weight
        self.bias = bias
        self.noise = noise

    @classmethod
    def maximum_likelihood(cls, points: Observed, latent_dim: int, noise: float) -> "LinearGaussian":
        r"""Return the model of the largest likelihood, for a given noise.

        $$b = \bar{x}, \qquad W = U (\Lambda - s^2 I)^{1/2}$$

        The columns of U are the first d eigenvectors of the points' covariance (divided by n), the diagonal of $\Lambda$ their
        eigenvalues. Where an eigenvalue is below $s^2$, the column of W is zero. Any rotation of the latents has the same
        likelihood; here the largest entry of each column is positive.

        Args:
            points: x `(n, p)`.
            latent_dim: d, at most p.
            noise: s, the standard deviation of the noise.

        Returns:
            The model, its weight `(p, d)`.

        Source: Tipping & Bishop 1999, equation 7.
        """
        bias = points.mean(0)
        values, vectors = torch.linalg.eigh((points - bias).T @ (points - bias) / len(points))
        values, vectors = values.flip(0)[:latent_dim], vectors.flip(1)[:, :latent_dim]
        sign = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
        return cls(sign * vectors * (values - noise**2).clamp(min=0).sqrt(), bias, noise)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Observed:
        """Draw n points x `(n, p)`."""
        p, d = self.weight.shape
        z, eps = (torch.randn(n, size, generator=generator, dtype=self.weight.dtype) for size in (d, p))
        return z @ self.weight.T + self.bias + self.noise * eps

    def log_prob(self, x: Observed) -> PerPoint:
        r"""Return the exact log-likelihood.

        $$p(x) = \mathcal{N}(x;\, b,\, W W^\top + s^2 I)$$

        Args:
            x: points `(n, p)`.

        Returns:
            log p(x), nats per point, `(n,)`.

        Raises:
            InputError: if the points have another number of columns.
        """
        self._require(x=x)
        noise = self.noise**2 * torch.eye(len(self.bias), dtype=x.dtype)
        return MultivariateNormal(self.bias, self.weight @ self.weight.T + noise).log_prob(x)

    def posterior(self, x: Observed) -> Posterior:
        r"""Return the exact posterior of the latent.

        $$p(z \mid x) = \mathcal{N}(M^{-1} W^\top (x - b),\, s^2 M^{-1}), \qquad M = W^\top W + s^2 I$$

        Args:
            x: points `(n, p)`.

        Returns:
            Means `(n, d)` and the covariance `(d, d)`.

        Raises:
            InputError: if the points have another number of columns.
        """
        self._require(x=x)
        m = self.weight.T @ self.weight + self.noise**2 * torch.eye(self.weight.shape[1], dtype=x.dtype)
        inverse = torch.linalg.inv(m)
        return Posterior((x - self.bias) @ self.weight @ inverse, self.noise**2 * inverse)

    def expected_log_px(self, x: OneOrAll, mu: OneOrAll, logvar: OneOrAll) -> PerPoint:
        r"""Return the reconstruction term of the ELBO in closed form.

        $$\mathbb{E}_{q}[\log p(x \mid z)] = \log \mathcal{N}(x;\, W\mu + b,\, s^2 I) - \frac{1}{2 s^2} \sum_j \sigma_j^2 \, \|W_{\cdot j}\|^2$$

        Args:
            x: points `(n, p)`, or `(1, p)` for all.
            mu: means of q `(n, d)`, or `(1, d)` for all.
            logvar: log-variances of q `(n, d)`, or `(1, d)` for all.

        Returns:
            Nats per point, `(n,)`.

        Raises:
            InputError: if the tensors do not fit the model or each other.
        """
        self._require(x=x, mu=mu, logvar=logvar)
        error = ((x - mu @ self.weight.T - self.bias) ** 2).sum(1)
        spread = logvar.exp() @ (self.weight**2).sum(0)
        variance = self.noise**2
        return -0.5 * (x.shape[1] * math.log(2 * math.pi * variance) + (error + spread) / variance)

    def elbo(self, x: OneOrAll, mu: OneOrAll, logvar: OneOrAll) -> PerPoint:
        r"""Return the ELBO of a Gaussian q in closed form.

        $$\mathrm{ELBO}(x) = \mathbb{E}_{q}[\log p(x \mid z)] - \mathrm{KL}(q(z) \,\|\, p(z)) \le \log p(x)$$

        Args:
            x: points `(n, p)`, or `(1, p)` for all.
            mu: means of q `(n, d)`, or `(1, d)` for all.
            logvar: log-variances of q `(n, d)`, or `(1, d)` for all.

        Returns:
            Nats per point, `(n,)`.

        Raises:
            InputError: if the tensors do not fit the model or each other.
        """
        self._require(x=x, mu=mu, logvar=logvar)
        x, mu, logvar = _same_length(x, mu, logvar)
        return elbo(self.expected_log_px(x, mu, logvar), gaussian_kl(mu, logvar))

    def log_weights(
        self, x: OneOrAll, mu: OneOrAll, logvar: OneOrAll, samples: int, generator: torch.Generator
    ) -> Float[Tensor, "k n"]:
        """Return log-weights log p(x, z) - log q(z|x) for draws of z from a Gaussian q: the argument of `iwae_bound`.

        Args:
            x: points `(n, p)`, or `(1, p)` for all.
            mu: means of q `(n, d)`, or `(1, d)` for all.
            logvar: log-variances of q `(n, d)`, or `(1, d)` for all.
            samples: k, draws per point.
            generator: source of randomness.

        Returns:
            `(k, n)`, in nats.

        Raises:
            InputError: if the tensors do not fit the model or each other.
        """
        self._require(x=x, mu=mu, logvar=logvar)
        x, mu, logvar = _same_length(x, mu, logvar)
        eps = torch.randn(samples, *mu.shape, generator=generator, dtype=mu.dtype)
        z = mu + (0.5 * logvar).exp() * eps
        noise = torch.full_like(x, 2 * math.log(self.noise))
        log_px = torch.stack([gaussian_log_prob(x, draw @ self.weight.T + self.bias, noise) for draw in z])
        # log p(z) - log q(z) by the draw's own eps, as in `VAE.log_weights`
        return log_px + 0.5 * (eps**2 + logvar - z**2).sum(-1)

    def _require(self, **given: Tensor) -> None:
        """Raise an error for tensors that would broadcast: x has p columns, moments d, and all n rows or one for all."""
        p, d = self.weight.shape
        n = max(len(tensor) for tensor in given.values())
        for name, tensor in given.items():
            width = p if name == "x" else d
            if tensor.ndim != 2 or tensor.shape[1] != width or len(tensor) not in (1, n):
                raise InputError(
                    f"got {name} of shape {tuple(tensor.shape)}, expected ({n}, {width}), or (1, {width}) for all"
                )


class Climb(NamedTuple):
    """The result of gradient ascent on the ELBO: the model, q, and the values of both bounds at each step."""

    model: LinearGaussian
    mu: Points
    logvar: Float[Tensor, "1 d"]
    elbo: list[float]
    log_px: list[float]


def climb(
    points: Observed,
    latent_dim: int,
    noise: float,
    *,
    beta: float = 1.0,
    steps: int = 400,
    lr: float = 0.05,
) -> Climb:
    r"""Fit the model and a linear encoder by gradient ascent on the ELBO: the smallest VAE.

    $$\max_{W, b, A, c, \sigma} \; \tfrac1n \sum_i \mathbb{E}_{q}[\log p(x_i \mid z)] - \beta \, \mathrm{KL}(q(z \mid x_i) \,\|\, p(z)), \qquad q(z \mid x) = \mathcal{N}(A^\top x + c,\, \mathrm{diag}(\sigma^2))$$

    Args:
        points: x `(n, p)`.
        latent_dim: d.
        noise: s, which is known.
        beta: weight of the KL divergence; 1 for the ELBO.
        steps: number of gradient steps.
        lr: Adam's learning rate.

    Returns:
        The model, means `(n, d)` and log-variances `(1, d)` of q, and for each step the objective (the ELBO, if beta
        is 1) and the likelihood, in nats per point.
    """
    p, d = points.shape[1], latent_dim
    weight = 0.1 * torch.eye(p, d, dtype=points.dtype)  # at zero it has no gradient
    sizes = p, (p, d), d, (1, d)
    bias, a, c, logvar = (torch.zeros(size, dtype=points.dtype) for size in sizes)
    parameters = [each.requires_grad_() for each in (weight, bias, a, c, logvar)]
    optimiser = torch.optim.Adam(parameters, lr=lr)
    model = LinearGaussian(weight, bias, noise)
    objectives, log_px = [], []
    for _ in range(steps):
        mu = points @ a + c
        kl = gaussian_kl(mu, logvar.expand_as(mu))
        value = elbo(model.expected_log_px(points, mu, logvar), beta * kl).mean()
        objectives.append(value.item())
        log_px.append(model.log_prob(points).mean().item())  # recorded only
        optimiser.zero_grad()
        (-value).backward()  # an optimiser minimises
        optimiser.step()
    model = LinearGaussian(weight.detach(), bias.detach(), noise)
    return Climb(model, (points @ a + c).detach(), logvar.detach(), objectives, log_px)


def _same_length(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return tensors with the same number of rows: single rows are repeated."""
    n = max(map(len, tensors))
    return tuple(tensor.expand(n, -1) for tensor in tensors)
