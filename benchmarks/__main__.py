"""Time training against the usual loop, A and B in turn, and start-up; print one table and write json."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Generator
from torch.utils.data import DataLoader

from gmlib import mnist, recipes, table
from gmlib.data import Batches, Digits
from gmlib.models.vae import VAE
from gmlib.objectives import elbo
from gmlib.run import versions
from gmlib.train import State, fit_vae

STEPS = 300
ROUNDS = 7


def usual_loader(digits: Digits, folder: Path, batch_size: int) -> DataLoader:
    """Load the digits as tutorials do: torchvision's MNIST, ToTensor for each image, a DataLoader.

    Args:
        digits: what to load.
        folder: where to write them as torchvision expects them.
        batch_size: images a batch.

    Returns:
        The loader.
    """
    from torchvision.datasets import MNIST
    from torchvision.transforms import ToTensor

    class Ours(MNIST):
        """torchvision's dataset over digits that are in memory: the same work an image, without the files."""

        def __init__(self) -> None:
            """Take the digits in place of the files."""
            super(MNIST, self).__init__(str(folder), transform=ToTensor())
            self.data, self.targets = digits.images[:, 0], digits.labels

    return DataLoader(Ours(), batch_size, shuffle=True, drop_last=True)


def usual_loop(vae: VAE, loader: DataLoader) -> Iterator[None]:
    """Train as tutorials do: DataLoader, torch.bernoulli, default Adam, `.item()` at each step.

    Args:
        vae: the network.
        loader: the digits.

    Yields:
        After each step.
    """
    optimiser = torch.optim.Adam(vae.parameters(), lr=1e-3)
    vae.train()
    total = 0.0
    while True:
        for x, _ in loader:
            x = torch.bernoulli(x)
            optimiser.zero_grad()
            log_px, kl = vae(x)
            loss = -elbo(log_px, kl).mean()
            loss.backward()
            optimiser.step()
            total += loss.item()
            yield


def our_speed(recipe: recipes.VAERecipe, digits: Digits) -> float:
    """Train with `fit_vae` for one epoch of `STEPS` batches.

    Args:
        recipe: what to train.
        digits: the training digits.

    Returns:
        Images per second.
    """
    vae = recipe.build()["vae"]
    optimiser = recipe.optimiser(vae.parameters(), lr=recipe.lr, fused=True)
    batches = Batches(digits[: STEPS * recipe.batch_size], recipe.batch_size, binarised=True)
    state = State({"vae": vae}, {"vae": optimiser}, batches, Generator().manual_seed(0))
    fit_vae(state, epochs=1, lr=recipe.lr, decay=recipe.decay)
    return STEPS * recipe.batch_size / state.seconds


def usual_speed(recipe: recipes.VAERecipe, loader: DataLoader) -> float:
    """Train with the usual loop for `STEPS` batches.

    Args:
        recipe: whose network to train.
        loader: the training digits.

    Returns:
        Images per second.
    """
    vae = recipe.build()["vae"]
    assert isinstance(vae, VAE)
    steps = usual_loop(vae, loader)
    started = time.perf_counter()
    for _ in range(STEPS):
        next(steps)
    return STEPS * recipe.batch_size / (time.perf_counter() - started)


def in_turn(a: Callable[[], float], b: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Measure two things alternately, so that a machine whose speed drifts is fair to both.

    Args:
        a: one measurement.
        b: the other.

    Returns:
        `ROUNDS` values of each, after one round that warms up.
    """
    a(), b()
    pairs = [(a(), b()) for _ in range(ROUNDS)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def import_seconds(statement: str, after: str = "pass") -> float:
    """Time a statement in a fresh Python.

    Args:
        statement: such as "import gmlib".
        after: what ran before it, untimed.

    Returns:
        Median of five, in seconds, with the files warm on disk.
    """
    code = f"import time; {after}; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    runs = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(6)]
    return statistics.median(runs[1:])


def main() -> None:
    """Measure, print, write `runs/bench.json`."""
    torch.set_num_threads(os.cpu_count() or 1)
    digits = mnist("train")
    digits = Digits(digits.images.repeat(10, 1, 1, 1), digits.labels.repeat(10), digits.name)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for recipe in recipes.ALL.values():
            loader = usual_loader(digits, Path(folder), recipe.batch_size)
            ours, usual = in_turn(partial(our_speed, recipe, digits), partial(usual_speed, recipe, loader))
            ratios = [a / b for a, b in zip(ours, usual, strict=True)]
            rows.append(
                {
                    "training": recipe.name,
                    "images/s": round(statistics.median(ours)),
                    "usual loop": round(statistics.median(usual)),
                    "ratio": round(statistics.median(ratios), 2),
                    "lowest ratio": round(min(ratios), 2),
                }
            )
    start = {
        "import torch": round(import_seconds("import torch"), 2),
        "import gmlib beyond it": round(import_seconds("import gmlib", after="import torch"), 3),
    }
    print(table(rows))
    print("\n".join(f"{name}: {seconds} s" for name, seconds in start.items()))
    machine = {"system": f"{platform.system()} {platform.machine()}", "cores": os.cpu_count(), "versions": versions()}
    out = Path("runs/bench.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"machine": machine, "training": rows, "seconds": start}, indent=1) + "\n")


if __name__ == "__main__":
    main()
