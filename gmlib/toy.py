"""What is known in closed form: models small enough that every integral can be done by hand."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import MultivariateNormal

from gmlib.objectives.variational import gaussian_log_prob

Points = Float[Tensor, "n d"]
Observed = Float[Tensor, "n p"]
PerPoint = Float[Tensor, " n"]


class Posterior(NamedTuple):
    """p(z|x) of the linear-Gaussian model: one mean a point, one covariance for all."""

    mean: Points
    covariance: Float[Tensor, "d d"]


class LinearGaussian:
    r"""The VAE whose likelihood is known: a linear decoder with Gaussian noise.

    $$z \sim \mathcal{N}(0, I), \qquad x \mid z \sim \mathcal{N}(W z + b, s^2 I)$$

    Then $p(x)$ and $p(z \mid x)$ are Gaussian too, and the ELBO of any Gaussian q has a closed form. Compute in float64.

    Source: Tipping & Bishop 1999, equations 2 to 8.
    """

    def __init__(self, weight: Float[Tensor, "p d"], bias: Float[Tensor, " p"], noise: float) -> None:
        """Fix the model's parameters.

        Args:
            weight: W `(p, d)`, from d latents to p observed numbers.
            bias: b `(p,)`.
            noise: s, the standard deviation of the noise.
        """
        self.weight = weight
        self.bias = bias
        self.noise = noise

    def sample(self, n: int, generator: torch.Generator | None = None) -> Observed:
        """Draw points.

        Args:
            n: how many.
            generator: source of randomness.

        Returns:
            x `(n, p)`.
        """
        p, d = self.weight.shape
        z, eps = (torch.randn(n, size, generator=generator, dtype=self.weight.dtype) for size in (d, p))
        return z @ self.weight.T + self.bias + self.noise * eps

    def log_prob(self, x: Observed) -> PerPoint:
        r"""The exact log-likelihood.

        $$p(x) = \mathcal{N}(x;\, b,\, W W^\top + s^2 I)$$

        Args:
            x: points `(n, p)`.

        Returns:
            log p(x), nats per point, `(n,)`.
        """
        noise = self.noise**2 * torch.eye(len(self.bias), dtype=x.dtype)
        return MultivariateNormal(self.bias, self.weight @ self.weight.T + noise).log_prob(x)

    def posterior(self, x: Observed) -> Posterior:
        r"""The exact posterior of the latent.

        $$p(z \mid x) = \mathcal{N}(M^{-1} W^\top (x - b),\, s^2 M^{-1}), \qquad M = W^\top W + s^2 I$$

        Args:
            x: points `(n, p)`.

        Returns:
            Means `(n, d)` and the covariance `(d, d)`.
        """
        m = self.weight.T @ self.weight + self.noise**2 * torch.eye(self.weight.shape[1], dtype=x.dtype)
        inverse = torch.linalg.inv(m)
        return Posterior((x - self.bias) @ self.weight @ inverse, self.noise**2 * inverse)

    def expected_log_px(self, x: Observed, mu: Points, logvar: Points) -> PerPoint:
        r"""The reconstruction term of the ELBO, with its expectation done by hand.

        $$\mathbb{E}_{q}[\log p(x \mid z)] = \log \mathcal{N}(x;\, W\mu + b,\, s^2 I) - \frac{1}{2 s^2} \sum_j \sigma_j^2 \, \|W_{\cdot j}\|^2$$

        Args:
            x: points `(n, p)`.
            mu: means of q `(n, d)`.
            logvar: log-variances of q `(n, d)`.

        Returns:
            Nats per point, `(n,)`.
        """
        error = ((x - mu @ self.weight.T - self.bias) ** 2).sum(1)
        spread = logvar.exp() @ (self.weight**2).sum(0)
        variance = self.noise**2
        return -0.5 * (x.shape[1] * math.log(2 * math.pi * variance) + (error + spread) / variance)

    def log_weights(
        self, x: Observed, mu: Points, logvar: Points, samples: int, generator: torch.Generator
    ) -> Float[Tensor, "k n"]:
        """Importance weights log p(x, z) - log q(z|x) for draws of z from a Gaussian q: the argument of `iwae_bound`.

        Args:
            x: points `(n, p)`.
            mu: means of q `(n, d)`.
            logvar: log-variances of q `(n, d)`.
            samples: k, draws a point.
            generator: source of randomness.

        Returns:
            `(k, n)`, in nats.
        """
        eps = torch.randn(samples, *mu.shape, generator=generator, dtype=mu.dtype)
        z = mu + (0.5 * logvar).exp() * eps
        noise = torch.full_like(x, 2 * math.log(self.noise))
        log_px = torch.stack([gaussian_log_prob(x, draw @ self.weight.T + self.bias, noise) for draw in z])
        zero = torch.zeros_like(mu)
        return log_px + gaussian_log_prob(z, zero, zero) - gaussian_log_prob(z, mu, logvar)
