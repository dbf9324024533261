"""Training: one visible loop per family of models, and the state of a run between two steps."""

from gmlib.train.classifier import fit_classifier
from gmlib.train.decay import cosine_decay
from gmlib.train.gan import critic_step, critic_steps, fit_gan, generate, generator_step
from gmlib.train.gradients import layer_gradients
from gmlib.train.history import History
from gmlib.train.state import State, StopTraining
from gmlib.train.vae import fit_vae

__all__ = [
    "History",
    "State",
    "StopTraining",
    "cosine_decay",
    "critic_step",
    "critic_steps",
    "fit_classifier",
    "fit_gan",
    "fit_vae",
    "generate",
    "generator_step",
    "layer_gradients",
]
