"""gmlib: deep generative models on handwritten digits, small enough to read and measured properly.

"The report" is a homework report of 2018 on ten such models, which the book re-examines; a `Departure` of a recipe is a place
where the recipe differs from it.

The figures are not imported here (matplotlib takes its time): `from gmlib import figures`.
"""

from gmlib import evaluate, models, objectives, recipes, toy, train, zoo
from gmlib.data import Batches, ImageDataset, binarise, load, mnist
from gmlib.display import parameters, results, show, table
from gmlib.errors import InputError
from gmlib.experiments.fit import fit, fit_profile
from gmlib.experiments.run import Run
from gmlib.interpolation import interpolate, interpolate_spherical
from gmlib.zoo import claim, load_run, pretrained

__all__ = [
    "Batches",
    "ImageDataset",
    "InputError",
    "Run",
    "binarise",
    "claim",
    "evaluate",
    "fit",
    "fit_profile",
    "interpolate",
    "interpolate_spherical",
    "load",
    "load_run",
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
    "train",
    "zoo",
]
