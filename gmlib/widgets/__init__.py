"""Explorers: pictures that answer to a slider, live in a notebook and, with no kernel and no network, in the rendered page."""

from gmlib.widgets.distributions import two_distributions
from gmlib.widgets.explorer import Explorer
from gmlib.widgets.plane import latent_plane
from gmlib.widgets.styles import class_and_style
from gmlib.widgets.ways import ways_between

__all__ = ["Explorer", "class_and_style", "latent_plane", "two_distributions", "ways_between"]
