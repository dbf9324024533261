"""Training: one visible loop per family of models, and the state of a run between two steps."""

from gmlib.training.classifier import fit_classifier
from gmlib.training.gan import critic_step, critic_steps, fit_gan, generate, generator_step
from gmlib.training.gradients import layer_gradients
from gmlib.training.history import History
from gmlib.training.schedule import cooldown_decay, cosine_decay
from gmlib.training.state import State, StopTraining
from gmlib.training.vae import fit_vae

__all__ = [
    "History",
    "State",
    "StopTraining",
    "cooldown_decay",
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
