"""Speed of sampling from each model; and of PixelCNNs by the fast sampler and by a full pass per pixel, for the same images."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Generator

from benchmarks.factors import PLAIN
from benchmarks.timing import Effort, Row, clock, median
from gmlib import recipes, zoo
from gmlib.experiments.run import Run
from gmlib.models import PixelDecoder

PIXELS = 784
IMAGES = 256  # at once, of every model
PASSES = {16: 20, 256: 3}  # images to the number of full passes that are timed, for all take equally long


def decoders() -> dict[str, PixelDecoder]:
    """Return the decoders to sample from."""
    shipped = {name: cast(PixelDecoder, zoo.pretrained(name).model.decoder) for name in ("pixel_vae", "pixel_cnn")}
    return {"plain_stack": cast(PixelDecoder, PLAIN.build().eval().decoder), **shipped}


def compare(effort: Effort, decoder: PixelDecoder, count: int, passes: int) -> dict[str, float]:
    """Return the seconds of the fast sampler and of full passes, and their ratio."""
    z, u = torch.randn(count, decoder.latent_dim), torch.rand(count, 1, 28, 28)

    @torch.no_grad()
    def full() -> None:
        for _ in range(passes):
            decoder(u.round(), z)

    found = effort.in_turn(
        {
            "front": lambda: clock(lambda: decoder.sample(z, uniforms=u)),
            "passes": lambda: clock(full) * PIXELS / passes,
        }
    )
    ratios = sorted(naive / front for front, naive in zip(found["front"], found["passes"], strict=True))
    middle = len(ratios) // 2
    return {
        "seconds": round(sorted(found["front"])[middle], 3),
        f"{PIXELS} passes": round(sorted(found["passes"])[middle], 1),
        "ratio": round(ratios[middle]),
        "lowest": round(ratios[0]),
        "highest": round(ratios[-1]),
    }


def measure(effort: Effort) -> list[Row]:
    """Return the speed of both samplers for every network, with few images and with many."""
    return [
        {"network": name, "images": count, **compare(effort, decoder, count, passes)}
        for name, decoder in decoders().items()
        for count, passes in PASSES.items()
    ]


def agreement(seeds: int = 8) -> Row:
    """Return how many images of the two samplers differ, and how many uniform numbers are within rounding error of a probability."""
    decoder = decoders()["pixel_vae"]
    generators = [Generator().manual_seed(seed) for seed in range(seeds)]
    z = torch.cat([torch.randn(1, decoder.latent_dim, generator=each) for each in generators])
    u = torch.cat([torch.rand(1, 1, 28, 28, generator=each) for each in generators])
    front, naive = decoder.sample(z, uniforms=u), decoder.sample_sequentially(z, uniforms=u)
    with torch.no_grad():
        likely = decoder(naive, z).sigmoid()
        exact = decoder.double()(naive.double(), z.double()).sigmoid()
    error = (likely - exact).abs().max()
    return {
        "pixels": naive.numel(),
        "images that differ": int((front != naive).flatten(1).any(1).sum()),
        "largest error of a probability": float(error),
        "uniforms as near": int(((u - exact).abs() <= error).sum()),
    }


def speed(effort: Effort, names: Sequence[str] = tuple(recipes.ALL)) -> list[Row]:
    """Return the images per second of each shipped model."""
    labels, rows = torch.arange(IMAGES) % 10, list[Row]()
    for name in names:
        if not zoo.is_shipped(name):
            rows.append({"recipe": name, "images/s": None, "why": "not trained in full: no weights ship"})
            continue
        run = zoo.pretrained(name)

        def draw(run: Run = run) -> float:
            return IMAGES / clock(lambda: run.model.sample(IMAGES, labels if run.model.num_classes else None))

        rows.append({"recipe": name, "images/s": median(effort.in_turn({name: draw})[name])})
    return rows
