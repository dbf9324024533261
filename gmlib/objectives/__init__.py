"""Objectives: pure functions that return one number per image, and the objects made of them that training loops take.

Losses and penalties are minimised; the ELBO and the other bounds are maximised.

To add a loss for a GAN: write the function; combine it with a critic's loss in an `Adversarial`, in `adversarial.py`; export
both here; add an id of the function to `PARTS` in `gmlib/identity.py`; write a recipe in `gmlib/recipes.py`, and add it to
`ALL` there. A bound for a VAE is a frozen dataclass in `bounds.py`, and needs an id too. No training loop changes.
"""

from gmlib.objectives.adversarial import (
    MINIMAX,
    NON_SATURATING,
    NON_SATURATING_R1,
    RELATIVISTIC,
    WASSERSTEIN_CLIPPED,
    WASSERSTEIN_PENALTY,
    Adversarial,
)
from gmlib.objectives.bounds import ELBO, IWAE, Variational
from gmlib.objectives.gan import discriminator_bce, generator_minimax, generator_non_saturating, r1_penalty
from gmlib.objectives.relativistic import critic_relativistic, generator_relativistic, r1_r2_penalty
from gmlib.objectives.variational import (
    bernoulli_log_prob,
    elbo,
    gaussian_kl,
    gaussian_log_prob,
    iwae_bound,
    relaxed_elbo,
)
from gmlib.objectives.wasserstein import clip_weights_, critic_wasserstein, generator_wasserstein, gradient_penalty

__all__ = [
    "ELBO",
    "IWAE",
    "MINIMAX",
    "NON_SATURATING",
    "NON_SATURATING_R1",
    "RELATIVISTIC",
    "WASSERSTEIN_CLIPPED",
    "WASSERSTEIN_PENALTY",
    "Adversarial",
    "Variational",
    "bernoulli_log_prob",
    "clip_weights_",
    "critic_relativistic",
    "critic_wasserstein",
    "discriminator_bce",
    "elbo",
    "gaussian_kl",
    "gaussian_log_prob",
    "generator_minimax",
    "generator_non_saturating",
    "generator_relativistic",
    "generator_wasserstein",
    "gradient_penalty",
    "iwae_bound",
    "r1_penalty",
    "r1_r2_penalty",
    "relaxed_elbo",
]
