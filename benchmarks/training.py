"""Speed of training every recipe, against a tutorial loop on the same networks and against the machine's peak."""

import statistics
from collections.abc import Sequence

import torch
from tqdm import tqdm

from benchmarks.loops import critic_steps, ours
from benchmarks.machine import flops_per_image, product_rate
from benchmarks.timing import Effort, Row, clock, median, spread
from benchmarks.usual import usual
from gmlib import recipes


def measure(effort: Effort, names: Sequence[str] = tuple(recipes.ALL)) -> list[Row]:
    """Return the speed of each recipe here (float32 and bfloat16) and in the tutorial loop, and its share of the peak."""
    return [measure_one(effort, name) for name in tqdm(names, unit="recipe", leave=False, disable=None)]


def measure_one(effort: Effort, name: str) -> Row:
    """Return the row of one recipe."""
    recipe = recipes.by_name(name)
    loops = {"here": ours(recipe), "usual": usual(recipe), "bfloat16": ours(recipe, bfloat16=True)}
    steps = effort.steps(loops["here"], critic_steps(recipe))
    found = effort.in_turn(
        {
            "here": lambda: steps * recipe.batch_size / clock(lambda: loops["here"](steps)),
            "float32 peak": lambda: product_rate(torch.float32),
            "usual": lambda: steps * recipe.batch_size / clock(lambda: loops["usual"](steps)),
            "bfloat16": lambda: steps * recipe.batch_size / clock(lambda: loops["bfloat16"](steps)),
            "bfloat16 peak": lambda: product_rate(torch.bfloat16),
        }
    )
    flops = flops_per_image(recipe)
    shares = {
        kind: round(
            statistics.median(
                flops * rate / peak for rate, peak in zip(found[way], found[f"{kind} peak"], strict=True)
            ),
            3,
        )
        for kind, way in (("float32", "here"), ("bfloat16", "bfloat16"))
    }
    return {
        "recipe": name,
        "images/s": median(found["here"]),
        "usual loop": median(found["usual"]),
        **spread(found["here"], found["usual"]),
        "in bfloat16": median(found["bfloat16"]),
        "bfloat16 ratio": spread(found["bfloat16"], found["here"])["ratio"],
        "MFLOP an image": round(flops / 1e6, 2),
        "of float32 peak": shares["float32"],
        "of bfloat16 peak": shares["bfloat16"],
    }
