"""Figures: functions that take data and return a matplotlib figure, and network diagrams as SVG.

A dictionary of panels has the title of each panel as its key. Labels of axes include the unit.
"""

from gmlib.figures.curves import Bounds, bounds_below, compare, gaps, history_curves, lines
from gmlib.figures.diagrams import gan_schematic, mask_schematic, vae_schematic
from gmlib.figures.grids import image_grid, image_grids, rows_of_images
from gmlib.figures.latent import decoded_plane, latent_planes
from gmlib.figures.network import layer_shapes, network_drawing
from gmlib.figures.schematic import Schematic, SideBySide
from gmlib.figures.spreads import clouds, histograms, layer_spreads
from gmlib.figures.training import samples_and_curves

__all__ = [
    "Bounds",
    "Schematic",
    "SideBySide",
    "bounds_below",
    "clouds",
    "compare",
    "decoded_plane",
    "gan_schematic",
    "gaps",
    "histograms",
    "history_curves",
    "image_grid",
    "image_grids",
    "latent_planes",
    "layer_shapes",
    "layer_spreads",
    "lines",
    "mask_schematic",
    "network_drawing",
    "rows_of_images",
    "samples_and_curves",
    "vae_schematic",
]
