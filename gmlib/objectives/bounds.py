"""Objectives of VAEs, which `fit_vae` maximises: the ELBO, its relaxed forms, and the importance-weighted bound."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Generator

from gmlib.errors import InputError
from gmlib.objectives.variational import elbo, iwae_bound, relaxed_elbo
from gmlib.shapes import Image, Labels, PerImage, require_whole

Parts = dict[str, PerImage]  # the quantities that training records: name to one value per image
# takes a VAE, binary images, their labels, t (the fraction of the run that is done, 0 to 1) and the random generator of z
Variational = Callable[[Any, Image, Labels | None, float, Generator | None], tuple[PerImage, Parts]]


@dataclass(frozen=True)
class ELBO:
    r"""The evidence lower bound with one draw of z per image; other arguments than the defaults relax it.

    $$\mathcal{L}(x) = \log p(x \mid z) - \beta_t \max\big(\lambda,\; \overline{\mathrm{KL}}\big), \qquad \beta_t = \beta \min(1, t / w)$$

    t is the fraction of the run that is done.

    Args:
        beta: weight of the KL divergence after warm-up, at least 0.
        kl_warmup: w, the fraction of the run over which the weight rises from 0 to beta; 0 for no warm-up.
        free_nats: lambda, nats per image: a batch whose mean KL divergence is below it has no gradient of the KL divergence.

    Source: Kingma & Welling 2014, equation 3; with beta, Higgins et al. 2017, beta-VAE, equation 4; with a warm-up, Bowman
    et al. 2016, section 3.1; with free nats, Kingma et al. 2016, appendix C.8.
    """

    beta: float = 1.0
    kl_warmup: float = 0.0
    free_nats: float = 0.0

    def __post_init__(self) -> None:
        """Raise InputError if an argument is out of its range."""
        if not (self.beta >= 0 and 0 <= self.kl_warmup <= 1 and self.free_nats >= 0):
            raise InputError(f"got {self}, expected beta and free_nats of at least 0, and a kl_warmup from 0 to 1")

    def __call__(
        self, vae: Any, x: Image, y: Labels | None, progress: float, generator: Generator | None
    ) -> tuple[PerImage, Parts]:
        """Return the bound of each image `(b,)`, which is maximised; and its terms "log_px" and, unweighted, "kl"; all in nats."""
        log_px, kl = vae(x, y, generator=generator)
        parts = {"log_px": log_px, "kl": kl}
        if self == ELBO():  # each image has its own KL divergence here, not the mean of the batch
            return elbo(log_px, kl), parts
        weight = self.beta * min(1.0, progress / self.kl_warmup) if self.kl_warmup else self.beta
        return relaxed_elbo(log_px, kl, weight, self.free_nats), parts


@dataclass(frozen=True)
class IWAE:
    """The importance-weighted bound with k = `samples` draws of z per image, at least 1.

    Source: Burda, Grosse & Salakhutdinov 2016, equation 8.
    """

    samples: int = 5

    def __post_init__(self) -> None:
        """Raise InputError unless the number of draws is an integer of at least 1."""
        require_whole(1, samples=self.samples)

    def __call__(
        self, vae: Any, x: Image, y: Labels | None, progress: float, generator: Generator | None
    ) -> tuple[PerImage, Parts]:
        """Return the bound of each image `(b,)`, in nats, which is maximised; and the same values under the name "iwae"."""
        bound = iwae_bound(vae.log_weights(x, y, samples=self.samples, generator=generator))
        return bound, {"iwae": bound}
