"""gmlib: deep generative models on handwritten digits.

The figures are not imported here, since importing matplotlib takes half a second: `from gmlib import figures`.
"""

from gmlib import metrics, models, objectives, recipes, toy, training, zoo
from gmlib.data import Batches, ImageDataset, binarise, load, mnist
from gmlib.display import parameters, results, show, table
from gmlib.errors import InputError
from gmlib.exercises import check
from gmlib.experiments.fit import fit, fit_profile
from gmlib.experiments.run import Run
from gmlib.interpolation import interpolate, interpolate_spherical
from gmlib.zoo import load_run, pretrained

__all__ = [
    "Batches",
    "ImageDataset",
    "InputError",
    "Run",
    "binarise",
    "check",
    "fit",
    "fit_profile",
    "interpolate",
    "interpolate_spherical",
    "load",
    "load_run",
    "metrics",
    "mnist",
    "models",
    "objectives",
    "parameters",
    "pretrained",
    "recipes",
    "results",
    "show",
    "table",
    "toy",
    "training",
    "zoo",
]
