"""Interactive figures: explorers and quizzes also run in a page, without a kernel or network; training panels need a kernel."""

from gmlib.widgets.critics import critics_on_a_line
from gmlib.widgets.distributions import two_distributions
from gmlib.widgets.explorer import Explorer
from gmlib.widgets.grids import latent_grids
from gmlib.widgets.interpolation import latent_interpolation
from gmlib.widgets.panel import TrainingPanel
from gmlib.widgets.pixels import pixel_by_pixel
from gmlib.widgets.plane import latent_plane
from gmlib.widgets.quiz import Quiz, quiz
from gmlib.widgets.ring import ring_playback
from gmlib.widgets.styles import class_and_style

__all__ = [
    "Explorer",
    "Quiz",
    "TrainingPanel",
    "class_and_style",
    "critics_on_a_line",
    "latent_grids",
    "latent_interpolation",
    "latent_plane",
    "pixel_by_pixel",
    "quiz",
    "ring_playback",
    "two_distributions",
]
