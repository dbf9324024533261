"""Figures: functions that take data and return a matplotlib figure.

A dictionary of panels has the title of each panel as its key. Labels of axes include the unit.
"""

from gmlib.figures.curves import Bounds, bounds_below, compare, gaps, history_curves, lines
from gmlib.figures.grids import image_grid, image_grids, rows_of_images
from gmlib.figures.latent import decoded_plane, latent_planes
from gmlib.figures.network import layer_shapes, network_drawing
from gmlib.figures.spreads import clouds, histograms, layer_spreads
from gmlib.figures.training import samples_and_curves

__all__ = [
    "Bounds",
    "bounds_below",
    "clouds",
    "compare",
    "decoded_plane",
    "gaps",
    "histograms",
    "history_curves",
    "image_grid",
    "image_grids",
    "latent_planes",
    "layer_shapes",
    "layer_spreads",
    "lines",
    "network_drawing",
    "rows_of_images",
    "samples_and_curves",
]
