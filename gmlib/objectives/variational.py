"""Likelihoods, the KL divergence and the bounds of variational inference: one number per image, in nats.

Arguments whose shapes differ raise InputError, since they would broadcast.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from gmlib.errors import InputError
from gmlib.shapes import Image, Latent, LogWeights, PerImage, require_image, require_shape


def bernoulli_log_prob(x: Image, logits: Image) -> PerImage:
    r"""Return the log-likelihood of binary images under independent Bernoulli pixels: nats per image `(b,)`, at most 0.

    $$\log p(x \mid l) = \sum_i \big[ x_i l_i - \log(1 + e^{l_i}) \big]$$

    The sum is over all pixels and channels. x and the logits l are `(b, c, h, w)`; x outside [0, 1] raises InputError.

    Source: Kingma & Welling 2014, appendix C.1.
    """
    require_image(x)
    require_shape("b c h w", x=x, logits=logits)
    # log(1 + e^l) is below 1e-12 nats where l < -28; such l become -200, since subnormal floats are four times slower
    return (x * logits - F.softplus(F.threshold(logits, -28.0, -200.0))).flatten(1).sum(1)


def gaussian_log_prob(z: Float[Tensor, "*k b d"], mu: Latent, logvar: Latent) -> Float[Tensor, "*k b"]:
    r"""Return the log-density of a Gaussian with diagonal covariance: nats per point, `(b,)` or `(k, b)`.

    $$\log \mathcal{N}(z; \mu, \sigma^2) = -\tfrac12 \sum_j \big[ \log 2\pi + \log\sigma_j^2 + (z_j - \mu_j)^2 / \sigma_j^2 \big]$$

    Means mu and log-variances logvar are `(b, d)`. The points z are `(b, d)`, or `(k, b, d)` for k points per image.
    """
    require_shape("b d", mu=mu, logvar=logvar)
    if z.ndim < 2 or z.shape[-2:] != mu.shape:
        raise InputError(
            f"got z of shape {tuple(z.shape)} and mu of shape {tuple(mu.shape)}, expected (b, d) or (k, b, d)"
        )
    # one factor 1 / sigma at a time: 1 / sigma² overflows float32 where a log-variance is below -88
    return -0.5 * (math.log(2 * math.pi) + logvar + ((z - mu) * (-0.5 * logvar).exp()) ** 2).sum(-1)


def gaussian_kl(mu: Latent, logvar: Latent) -> PerImage:
    r"""Return the KL divergence from a Gaussian with diagonal covariance to the standard Gaussian: nats per image `(b,)`.

    $$\mathrm{KL}(\mathcal{N}(\mu, \sigma^2) \,\|\, \mathcal{N}(0, I)) = \tfrac12 \sum_j \big[ \mu_j^2 + \sigma_j^2 - 1 - \log\sigma_j^2 \big]$$

    It is at least 0, and 0 only where mu = 0 and logvar = 0. Means mu and log-variances logvar are `(b, d)`.

    Source: Kingma & Welling 2014, appendix B.
    """
    require_shape("b d", mu=mu, logvar=logvar)
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)


def elbo(log_px: PerImage, kl: PerImage) -> PerImage:
    r"""Return the evidence lower bound, which is maximised: nats per image `(b,)`.

    $$\mathrm{ELBO}(x) = \mathbb{E}_{q(z \mid x)}[\log p(x \mid z)] - \mathrm{KL}(q(z \mid x) \,\|\, p(z)) \le \log p(x)$$

    Each term is the expectation under q, or an estimate of it by one draw of z.

    Source: Kingma & Welling 2014, equation 3.
    """
    require_shape("b", log_px=log_px, kl=kl)
    return log_px - kl


def relaxed_elbo(log_px: PerImage, kl: PerImage, weight: float = 1.0, free_nats: float = 0.0) -> PerImage:
    r"""Return the ELBO with a weighted KL divergence and free nats, which is maximised to prevent posterior collapse.

    $$\mathcal{L}(x) = \log p(x \mid z) - \beta \max\big(\lambda,\; \overline{\mathrm{KL}}\big)$$

    $\overline{\mathrm{KL}}$ is the mean over the batch. While it is below lambda, it has no gradient. With weight 1 and no free
    nats, the mean of the result equals the mean ELBO of the batch. With a weight below 1, the result is not a bound on log p(x).

    Args:
        log_px: log p(x|z), `(b,)`.
        kl: KL(q(z|x) || p(z)), `(b,)`.
        weight: beta, at least 0.
        free_nats: lambda, nats per image, over all dimensions of z.

    Returns:
        Nats per image, `(b,)`.

    Source: Bowman et al. 2016, section 3.1 (warm-up of the weight); Kingma et al. 2016, appendix C.8 (free bits, there per group
    of latents).
    """
    require_shape("b", log_px=log_px, kl=kl)
    return log_px - weight * kl.mean().clamp(min=free_nats)


def iwae_bound(log_w: LogWeights) -> PerImage:
    r"""Return the importance-weighted bound, which is maximised: nats per image `(b,)`.

    $$\mathcal{L}_k(x) = \log \tfrac1k \sum_{i=1}^k w_i, \qquad w_i = p(x, z_i) / q(z_i \mid x), \quad z_i \sim q(z \mid x)$$

    The argument holds the log-weights `(k, b)` of k draws. The expectation of the bound is the ELBO for k = 1, and does not
    decrease with k.

    Source: Burda, Grosse & Salakhutdinov 2016, equation 8.
    """
    require_shape("k b", log_w=log_w)
    return torch.logsumexp(log_w, dim=0) - math.log(len(log_w))
