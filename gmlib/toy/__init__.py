"""What is known in closed form: models and distributions small enough that every integral can be done by hand."""

from gmlib.toy.dirac import dirac_game
from gmlib.toy.discrete import (
    expected_loss,
    gaussian_masses,
    jensen_shannon,
    kl_divergence,
    optimal_critic,
    optimal_discriminator,
    wasserstein_1d,
)
from gmlib.toy.linear_gaussian import Climb, LinearGaussian, Posterior, climb

__all__ = [
    "Climb",
    "LinearGaussian",
    "Posterior",
    "climb",
    "dirac_game",
    "expected_loss",
    "gaussian_masses",
    "jensen_shannon",
    "kl_divergence",
    "optimal_critic",
    "optimal_discriminator",
    "wasserstein_1d",
]
