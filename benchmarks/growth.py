"""Speed of training and sampling by batch size, depth and number of digits."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import cast

from benchmarks.loops import begin, digits, ours
from benchmarks.sampling import PIXELS, compare
from benchmarks.timing import Advance, Effort, median
from benchmarks.usual import usual, usual_loader
from gmlib import recipes
from gmlib.data import Batches
from gmlib.experiments.recipe import Recipe
from gmlib.models import GatedPixelCNN, PixelDecoder

Lines = dict[str, tuple[list[float], list[float]]]  # name of each line to x and y, as `figures.lines` takes them
BATCHES = (16, 32, 64, 128, 256, 512)
LAYERS = (1, 2, 4, 8)
MAPS = (3, 5, 7, 9)
DIGITS = (500, 1000, 2000, 4000, 8000, 16_000)


def point(effort: Effort, x: int, loops: Mapping[str, Advance], batch_size: int, steps: int = 1) -> dict[str, float]:
    """Return images per second of several loops at one place x of an axis."""
    rates = effort.rates(loops, batch_size, multiple=steps)
    return {"x": x, **{name: median(values) for name, values in rates.items()}}


def lines(points: list[dict[str, float]]) -> Lines:
    """Return x and y of each line of a plot, from its points."""
    columns = {name: [each[name] for each in points] for name in points[0]}
    xs = columns.pop("x")
    return {name: (xs, ys) for name, ys in columns.items()}


def by_recipe(effort: Effort, at: Mapping[int, Recipe]) -> Lines:
    """Return the speed of variants of a recipe, in gmlib and in a tutorial loop."""
    return lines(
        [
            point(effort, x, {"here": ours(recipe), "usual loop": usual(recipe)}, recipe.batch_size)
            for x, recipe in at.items()
        ]
    )


def by_digits(effort: Effort, recipe: Recipe, sizes: tuple[int, ...] = DIGITS) -> Lines:
    """Return the speed of whole epochs by number of digits."""
    points = []
    for size in sizes:
        train, batch_size = digits()[:size], recipe.batch_size
        loops = {
            "here": ours(recipe, loop=begin(recipe, train)),
            "usual loop": usual(recipe, usual_loader(train, batch_size)),
        }
        points.append(point(effort, size, loops, batch_size, len(Batches(train, batch_size, binarised=True))))
    return lines(points)


def by_maps(effort: Effort, depths: tuple[int, ...] = MAPS) -> Lines:
    """Return the seconds of drawing 16 images by depth of a PixelCNN, with the fast sampler and with full passes."""
    points = []
    for depth in depths:
        recipe = replace(recipes.PIXEL_CNN, pixelcnn=partial(GatedPixelCNN, channels=32, layers=depth))
        row = compare(effort, cast(PixelDecoder, recipe.build().eval().decoder), 16, 10)
        points.append({"x": float(depth), "front": row["seconds"], "full passes": row[f"{PIXELS} passes"]})
    return lines(points)


def measure(effort: Effort) -> dict[str, Lines]:
    """Return the lines of all plots, from at most three rounds."""
    effort = replace(effort, rounds=min(effort.rounds, 3))
    vae, dcgan = recipes.VAE, recipes.DCGAN_PLAIN
    return {
        "vae by batch": by_recipe(effort, {size: replace(vae, batch_size=size) for size in BATCHES}),
        "dcgan_plain by batch": by_recipe(effort, {size: replace(dcgan, batch_size=size) for size in BATCHES[:-1]}),
        "vae by hidden layers": by_recipe(effort, {depth: replace(vae, hidden=(100,) * depth) for depth in LAYERS}),
        "vae by digits": by_digits(effort, vae),
        "drawing by maps": by_maps(effort),
    }
