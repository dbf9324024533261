"""Train the classifier and every recipe on all of MNIST, in order: `python -m tools.retrain`. Started again, it goes on."""

import argparse
import sys
from pathlib import Path
from typing import cast

from gmlib import parallel, recipes, zoo
from gmlib.cli import StoppedError, train_on
from gmlib.data import SPLITS, load
from gmlib.device import choose_device
from gmlib.errors import InputError
from gmlib.experiments.recipe import Recipe
from gmlib.experiments.run import Run
from gmlib.measuring import Splits


def spell(seconds: float) -> str:
    """Return a time such as "40 s", "12 min" or "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def expected(names: list[str], done: set[str]) -> str:
    """Return one line for each recipe, with the time that its shipped run took, and the sum of what is left to do."""
    lines, total, width = [], 0.0, max(map(len, [*names, "what is left"]))
    for name in names:
        if name in done:
            lines.append(f"{name:<{width}} {'done':>8}")
        elif zoo.is_shipped(name):
            about = zoo.pretrained(name).record
            total += about["seconds"]
            lines.append(f"{name:<{width}} {spell(about['seconds']):>8} on {about['device']}")
        else:
            lines.append(f"{name:<{width}} unknown: no run of it ships")
    return "\n".join([*lines, f"{'what is left':<{width}} {spell(total):>8} of training, without measuring"])


def plateau(run: Run) -> str:
    """Return a sentence on whether the FID had stopped falling before the cooldown; "" for a run without one.

    It had, if its lowest value of the last quarter before the cooldown is no more than 2 % below its lowest value until then.
    """
    constant = run.recipe.constant_epochs(len(run.history))
    if not constant or "validation_fid" not in run.history.rows[0]:
        return ""
    fids = cast(list[float], run.history.column("validation_fid"))[:constant]
    split = constant - max(constant // 4, 1)
    fall = 1 - min(fids[split:]) / min(fids[:split]) if split else 1.0
    if fall <= 0.02:
        return f"its FID had reached a plateau before the cooldown: it fell by {max(fall, 0):.1%} over the last quarter"
    return f"its FID was falling before the cooldown, by {fall:.1%} over the last quarter: it gains from more epochs"


def is_full(folder: Path, recipe: Recipe) -> bool:
    """Return whether a folder holds the run of a recipe as it ships: all of MNIST, seed 0, the recipe's number of epochs."""
    try:
        about = zoo.load_run(folder, recipe.name).record
    except InputError:  # none yet, or of an earlier recipe
        return False
    return (about.get("data"), about.get("seed"), about.get("epochs")) == ("mnist/train", 0, recipe.epochs)


def retrain(root: Path | None, folder: Path, device: str) -> None:
    """Train all recipes, each in its own folder, and leave out those that are done; `root` holds MNIST's files."""
    torch_device, run_folder = parallel.init(choose_device(device)), None
    try:
        splits = Splits(str(root or "mnist"), root, *(load("mnist", split, root) for split in SPLITS))
        names = [recipes.CLASSIFIER.name, *recipes.ALL]
        done = {name for name in names if is_full(folder / name, recipes.by_name(name))}
        print(expected(names, done))
        for name in names:
            recipe, run_folder = recipes.by_name(name), folder / name
            if name in done:
                continue
            print(f"training {name}")
            train_on(splits, recipe, run_folder, epochs=recipe.epochs, seed=0, device=torch_device, resume=True)
            if parallel.rank() == 0 and (sentence := plateau(zoo.load_run(run_folder, name))):
                print(f"{name}: {sentence}")
    except KeyboardInterrupt:
        raise StoppedError(run_folder, "the same command") from None
    finally:
        parallel.shutdown()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for a user's mistake, which prints one sentence."""
    parser = argparse.ArgumentParser(prog="python -m tools.retrain", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the four MNIST files [default: $GMLIB_DATA]")
    parser.add_argument("--out", type=Path, default=Path("runs/full"), help="folder of the runs [default: runs/full]")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps [default: auto]")
    options = parser.parse_args(arguments)
    try:
        retrain(options.data, options.out, options.device)
    except InputError as error:
        print(f"retrain: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
