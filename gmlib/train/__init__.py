"""Training: one visible loop a family, and the state that it leaves between two steps."""

from gmlib.train.history import History
from gmlib.train.state import State
from gmlib.train.vae import cosine_decay, fit_vae

__all__ = ["History", "State", "cosine_decay", "fit_vae"]
