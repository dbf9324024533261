"""Speed of training the MLP VAE and GAN against JAX. Optional: `pip install 'gmlib[bench]'`."""

from typing import cast

from benchmarks.loops import digits, ours
from benchmarks.timing import Effort, Row, median, spread
from gmlib import recipes
from gmlib.experiments.recipe import GANRecipe, VAERecipe

ABSENT = "JAX is not installed here: pip install 'gmlib[bench]'"
NAMES = ("vae", "gan")


def measure(effort: Effort) -> list[Row]:
    """Return images per second of both recipes here (float32, then bfloat16) and in JAX, and their ratios."""
    try:
        from benchmarks import jax_loops
    except ImportError:
        return [{"recipe": name, "images/s": None, "JAX": None, "ratio": None, "why": ABSENT} for name in NAMES]
    rows: list[Row] = []
    for name, theirs in (
        ("vae", jax_loops.vae(cast(VAERecipe, recipes.VAE), digits())),
        ("gan", jax_loops.gan(cast(GANRecipe, recipes.GAN), digits())),
    ):
        recipe = recipes.by_name(name)
        loops = {"here": ours(recipe), "JAX": theirs, "bfloat16": ours(recipe, bfloat16=True)}
        found = effort.rates(loops, recipe.batch_size)
        row: Row = {"recipe": name, "images/s": median(found["here"]), "JAX": median(found["JAX"])}
        row |= spread(found["here"], found["JAX"])
        row |= {"in bfloat16": median(found["bfloat16"])}
        rows.append(row | {"bfloat16 ratio": spread(found["bfloat16"], found["JAX"])["ratio"]})
    return rows
