"""Objectives: pure functions of tensors, one number per image; and the bundles of them that a training loop takes.

The name of a function says whether its value is a loss, which is minimised, or a bound, which is maximised.
"""

from gmlib.objectives.adversarial import (
    MINIMAX,
    NON_SATURATING,
    NON_SATURATING_R1,
    WASSERSTEIN_CLIPPED,
    WASSERSTEIN_PENALTY,
    Adversarial,
)
from gmlib.objectives.bounds import ELBO, IWAE, Variational
from gmlib.objectives.gan import discriminator_bce, generator_minimax, generator_non_saturating, r1_penalty
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
    "WASSERSTEIN_CLIPPED",
    "WASSERSTEIN_PENALTY",
    "Adversarial",
    "Variational",
    "bernoulli_log_prob",
    "clip_weights_",
    "critic_wasserstein",
    "discriminator_bce",
    "elbo",
    "gaussian_kl",
    "gaussian_log_prob",
    "generator_minimax",
    "generator_non_saturating",
    "generator_wasserstein",
    "gradient_penalty",
    "iwae_bound",
    "r1_penalty",
    "relaxed_elbo",
]
