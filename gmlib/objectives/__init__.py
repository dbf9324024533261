"""Objectives: pure functions of tensors, one number an image. The name tells the sign; the mean is taken where it is seen."""

from gmlib.objectives.variational import bernoulli_log_prob, elbo, gaussian_kl, gaussian_log_prob, iwae_bound

__all__ = ["bernoulli_log_prob", "elbo", "gaussian_kl", "gaussian_log_prob", "iwae_bound"]
