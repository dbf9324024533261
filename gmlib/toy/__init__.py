"""Toy models: distributions whose integrals are known in closed form, and GANs whose equilibrium is known."""

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
from gmlib.toy.line import line_critic
from gmlib.toy.linear_gaussian import Climb, LinearGaussian, Posterior, climb
from gmlib.toy.ring import modes_found, play_ring, ring_centres, ring_points

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
    "line_critic",
    "modes_found",
    "optimal_critic",
    "optimal_discriminator",
    "play_ring",
    "ring_centres",
    "ring_points",
    "wasserstein_1d",
]
