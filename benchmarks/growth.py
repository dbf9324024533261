"""How training and drawing grow: with the batch, with depth, with the amount of data."""

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
    """Train here and as usual, in turn."""
    rates = effort.rates(loops, batch_size, multiple=steps)
    return {"x": x, **{name: median(values) for name, values in rates.items()}}


def lines(points: list[dict[str, float]]) -> Lines:
    """Put the points of a plot together."""
    columns = {name: [each[name] for each in points] for name in points[0]}
    xs = columns.pop("x")
    return {name: (xs, ys) for name, ys in columns.items()}


def by_recipe(effort: Effort, at: Mapping[int, Recipe]) -> Lines:
    """Train variants of a recipe."""
    return lines(
        [
            point(effort, x, {"here": ours(recipe), "usual loop": usual(recipe)}, recipe.batch_size)
            for x, recipe in at.items()
        ]
    )


def by_digits(effort: Effort, recipe: Recipe, sizes: tuple[int, ...] = DIGITS) -> Lines:
    """Train for whole epochs of ever more digits."""
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
    """Draw 16 images from ever deeper stacks of pixels."""
    points = []
    for depth in depths:
        recipe = replace(recipes.PIXEL_CNN, pixelcnn=partial(GatedPixelCNN, channels=32, layers=depth))
        row = compare(effort, cast(PixelDecoder, recipe.build().eval().decoder), 16, 10)
        points.append({"x": float(depth), "front": row["seconds"], "full passes": row[f"{PIXELS} passes"]})
    return lines(points)


def measure(effort: Effort) -> dict[str, Lines]:
    """Measure all of it, in fewer rounds than elsewhere."""
    effort = replace(effort, rounds=min(effort.rounds, 3))
    vae, dcgan = recipes.VAE, recipes.DCGAN_PLAIN
    return {
        "vae by batch": by_recipe(effort, {size: replace(vae, batch_size=size) for size in BATCHES}),
        "dcgan_plain by batch": by_recipe(effort, {size: replace(dcgan, batch_size=size) for size in BATCHES[:-1]}),
        "vae by hidden layers": by_recipe(effort, {depth: replace(vae, hidden=(100,) * depth) for depth in LAYERS}),
        "vae by digits": by_digits(effort, vae),
        "drawing by maps": by_maps(effort),
    }
