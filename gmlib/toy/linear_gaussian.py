"""The linear-Gaussian model: a VAE whose likelihood is known, and gradient ascent on its ELBO.

Observed numbers x are tensors `(n, p)`. A Gaussian q(z|x) has means mu and log-variances logvar, both `(n, d)`. Any of the three
may have a single row, which is used for all points. Tensors of other shapes, which would broadcast, raise InputError.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import MultivariateNormal

from gmlib.errors import InputError
from gmlib.objectives.variational import elbo, gaussian_kl, gaussian_log_prob

Latents = Float[Tensor, "n d"]
Observed = Float[Tensor, "n p"]
Rows = Float[Tensor, "#n _"]  # one row per point, or a single row for all points
PerPoint = Float[Tensor, " n"]


class Posterior(NamedTuple):
    """p(z|x) of the linear-Gaussian model: one mean per point, and the covariance, which is the same for all points."""

    mean: Latents
    covariance: Float[Tensor, "d d"]


class LinearGaussian:
    r"""A VAE with a linear decoder and Gaussian noise, whose likelihood is known.

    $$z \sim \mathcal{N}(0, I), \qquad x \mid z \sim \mathcal{N}(W z + b, s^2 I)$$

    `weight` is W `(p, d)`, `bias` is b `(p,)`, and `noise_sd` is s, the standard deviation of the noise. $p(x)$ and $p(z \mid x)$
    are Gaussian too, and the ELBO of every Gaussian q has a closed form. Use tensors of float64.

    Source: Tipping & Bishop 1999, equations 2 to 8.
    """

    def __init__(self, weight: Float[Tensor, "p d"], bias: Float[Tensor, " p"], noise_sd: float) -> None:
        """Set the model's parameters."""
        if bias.shape != weight.shape[:1]:
            raise InputError(
                f"got a bias of shape {tuple(bias.shape)}, expected ({len(weight)},): one per observed number"
            )
        self.weight = weight
        self.bias = bias
        self.noise_sd = noise_sd

    @classmethod
    def maximum_likelihood(cls, points: Observed, latent_dim: int, noise_sd: float) -> "LinearGaussian":
        r"""Return the model of the largest likelihood with d latents, at most p, and this standard deviation of the noise.

        $$b = \bar{x}, \qquad W = U (\Lambda - s^2 I)^{1/2}$$

        The columns of U are the eigenvectors of the points' covariance (divided by n) with the d largest eigenvalues, which are
        the diagonal of $\Lambda$. Where an eigenvalue is below $s^2$, the column of W is zero. W is unique up to a rotation of
        the latents; here the entry of each column with the largest absolute value is positive.

        Source: Tipping & Bishop 1999, equation 7.
        """
        bias = points.mean(0)
        eigenvalues, vectors = torch.linalg.eigh((points - bias).T @ (points - bias) / len(points))  # in rising order
        eigenvalues, vectors = eigenvalues.flip(0)[:latent_dim], vectors.flip(1)[:, :latent_dim]
        sign = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
        return cls(sign * vectors * (eigenvalues - noise_sd**2).clamp(min=0).sqrt(), bias, noise_sd)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Observed:
        """Draw n points x `(n, p)`."""
        p, d = self.weight.shape
        z, eps = (torch.randn(n, size, generator=generator, dtype=self.weight.dtype) for size in (d, p))
        return z @ self.weight.T + self.bias + self.noise_sd * eps

    def log_prob(self, x: Observed) -> PerPoint:
        r"""Return the exact log-likelihood, in nats per point.

        $$p(x) = \mathcal{N}(x;\, b,\, W W^\top + s^2 I)$$
        """
        self._require_fit(x=x)
        covariance = self.weight @ self.weight.T + self.noise_sd**2 * torch.eye(len(self.bias), dtype=x.dtype)
        return MultivariateNormal(self.bias, covariance).log_prob(x)

    def posterior(self, x: Observed) -> Posterior:
        r"""Return the exact posterior of the latent.

        $$p(z \mid x) = \mathcal{N}(M^{-1} W^\top (x - b),\, s^2 M^{-1}), \qquad M = W^\top W + s^2 I$$
        """
        self._require_fit(x=x)
        m = self.weight.T @ self.weight + self.noise_sd**2 * torch.eye(self.weight.shape[1], dtype=x.dtype)
        inverse = torch.linalg.inv(m)
        return Posterior((x - self.bias) @ self.weight @ inverse, self.noise_sd**2 * inverse)

    def expected_log_px(self, x: Rows, mu: Rows, logvar: Rows) -> PerPoint:
        r"""Return the reconstruction term of the ELBO in closed form, in nats per point.

        $$\mathbb{E}_{q}[\log p(x \mid z)] = \log \mathcal{N}(x;\, W\mu + b,\, s^2 I) - \frac{1}{2 s^2} \sum_j \sigma_j^2 \, \|W_{\cdot j}\|^2$$
        """
        self._require_fit(x=x, mu=mu, logvar=logvar)
        error = ((x - mu @ self.weight.T - self.bias) ** 2).sum(1)
        spread = logvar.exp() @ (self.weight**2).sum(0)  # the expectation of ||W (z - mu)||²
        noise_variance = self.noise_sd**2
        return -0.5 * (x.shape[1] * math.log(2 * math.pi * noise_variance) + (error + spread) / noise_variance)

    def elbo(self, x: Rows, mu: Rows, logvar: Rows) -> PerPoint:
        r"""Return the ELBO of a Gaussian q in closed form, in nats per point.

        $$\mathrm{ELBO}(x) = \mathbb{E}_{q}[\log p(x \mid z)] - \mathrm{KL}(q(z) \,\|\, p(z)) \le \log p(x)$$
        """
        x, mu, logvar = self._expanded(x, mu, logvar)
        return elbo(self.expected_log_px(x, mu, logvar), gaussian_kl(mu, logvar))

    def log_weights(
        self, x: Rows, mu: Rows, logvar: Rows, samples: int, generator: torch.Generator
    ) -> Float[Tensor, "k n"]:
        """Return log p(x, z) - log q(z|x), in nats, of k = `samples` draws of z per point from a Gaussian q, `(k, n)`."""
        x, mu, logvar = self._expanded(x, mu, logvar)
        eps = torch.randn(samples, *mu.shape, generator=generator, dtype=mu.dtype)
        z = mu + (0.5 * logvar).exp() * eps
        noise_logvar = torch.full_like(x, 2 * math.log(self.noise_sd))
        log_px = torch.stack([gaussian_log_prob(x, draw @ self.weight.T + self.bias, noise_logvar) for draw in z])
        # log p(z) - log q(z|x), where (z - mu) / sigma is eps
        return log_px + 0.5 * (eps**2 + logvar - z**2).sum(-1)

    def _expanded(self, x: Tensor, mu: Tensor, logvar: Tensor) -> list[Tensor]:
        """Return the three tensors with one row per point: single rows are repeated."""
        self._require_fit(x=x, mu=mu, logvar=logvar)
        n = max(len(x), len(mu), len(logvar))
        return [tensor.expand(n, -1) for tensor in (x, mu, logvar)]

    def _require_fit(self, **tensors: Tensor) -> None:
        """Raise InputError unless x has p columns, mu and logvar have d, and each has n rows or one."""
        p, d = self.weight.shape
        n = max(map(len, tensors.values()))
        for name, tensor in tensors.items():
            width = p if name == "x" else d
            if tensor.ndim != 2 or tensor.shape[1] != width or len(tensor) not in (1, n):
                raise InputError(
                    f"got {name} of shape {tuple(tensor.shape)}, expected ({n}, {width}), or (1, {width}) for all"
                )


class Climb(NamedTuple):
    """The result of `climb`: the model, mu and logvar of q, and for each step the objective and the log-likelihood.

    Both are means over the points, in nats. The objective is the ELBO if beta is 1.
    """

    model: LinearGaussian
    mu: Latents
    logvar: Float[Tensor, "1 d"]
    objective: list[float]
    log_px: list[float]


def climb(
    points: Observed,
    latent_dim: int,
    noise_sd: float,
    *,
    beta: float = 1.0,
    steps: int = 400,
    lr: float = 0.05,
) -> Climb:
    r"""Fit the model and a linear encoder by gradient ascent on the ELBO: the smallest VAE.

    $$\max_{W, b, A, c, \sigma} \; \tfrac1n \sum_i \mathbb{E}_{q}[\log p(x_i \mid z)] - \beta \, \mathrm{KL}(q(z \mid x_i) \,\|\, p(z)), \qquad q(z \mid x) = \mathcal{N}(A^\top x + c,\, \mathrm{diag}(\sigma^2))$$

    Args:
        points: x `(n, p)`.
        latent_dim: d, the number of latents.
        noise_sd: s, the standard deviation of the noise, which is not trained.
        beta: weight of the KL divergence; 1 for the ELBO.
        steps: number of gradient steps.
        lr: learning rate of Adam.

    Returns:
        The trained model and q, and the values of each step.
    """
    p, d = points.shape[1], latent_dim
    weight = 0.1 * torch.eye(p, d, dtype=points.dtype)  # if W and A are both 0, so are their gradients
    sizes = p, (p, d), d, (1, d)
    bias, a, c, logvar = (torch.zeros(size, dtype=points.dtype) for size in sizes)
    parameters = [parameter.requires_grad_() for parameter in (weight, bias, a, c, logvar)]
    optimiser = torch.optim.Adam(parameters, lr=lr)
    model = LinearGaussian(weight, bias, noise_sd)
    objectives, log_px = [], []
    for _ in range(steps):
        mu = points @ a + c
        kl = gaussian_kl(mu, logvar.expand_as(mu))
        objective = elbo(model.expected_log_px(points, mu, logvar), beta * kl).mean()
        objectives.append(objective.item())
        log_px.append(model.log_prob(points).mean().item())  # recorded, not maximised
        optimiser.zero_grad()
        (-objective).backward()  # an optimiser minimises
        optimiser.step()
    model = LinearGaussian(weight.detach(), bias.detach(), noise_sd)
    return Climb(model, (points @ a + c).detach(), logvar.detach(), objectives, log_px)
