"""Objectives: pure functions of tensors, one number an image. The name tells the sign; the mean is taken where it is seen."""

from gmlib.objectives.variational import bernoulli_log_prob, elbo, gaussian_kl, gaussian_log_prob, iwae_bound
from gmlib.objectives.wasserstein import clip_weights_, critic_wasserstein, generator_wasserstein, gradient_penalty

__all__ = [
    "bernoulli_log_prob",
    "clip_weights_",
    "critic_wasserstein",
    "elbo",
    "gaussian_kl",
    "gaussian_log_prob",
    "generator_wasserstein",
    "gradient_penalty",
    "iwae_bound",
]
