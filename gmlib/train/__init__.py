"""Training: one visible loop a family, and the state that it leaves between two steps."""

from gmlib.train.decay import cosine_decay
from gmlib.train.gan import critic_steps, fit_gan, generate
from gmlib.train.gradients import layer_gradients
from gmlib.train.history import History
from gmlib.train.state import State, StopTraining
from gmlib.train.vae import fit_vae

__all__ = [
    "History",
    "State",
    "StopTraining",
    "cosine_decay",
    "critic_steps",
    "fit_gan",
    "fit_vae",
    "generate",
    "layer_gradients",
]
