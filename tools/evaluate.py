"""Measure everything that ships again and compare it with the stored metrics: `python -m tools.evaluate`."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from gmlib import zoo
from gmlib.errors import InputError
from gmlib.experiments.evaluate import evaluate_digits
from gmlib.experiments.tables import compare_metrics
from gmlib.measuring import NO_OFFICIAL_DIGITS, has_mnist, watch


def reproduce(data: Path | None, *, full: bool) -> int:
    """Print each metric of all that ships, stored and measured again; return 1 if one differs, otherwise 0."""
    runs = [zoo.pretrained(name) for name in zoo.shipped()]  # a damaged file is refused before the work
    line = "{:<20} {:<40} {:>10} {:>10}  {}".format
    print(line("run", "metric", "stored", "again", "same"))
    count, differing = 0, {}
    with tqdm(runs, unit="run", disable=not sys.stderr.isatty()) as bar:
        for run in bar:
            name = run.recipe.name
            bar.set_description(name)
            rows = compare_metrics(
                run.metrics, evaluate_digits(run.recipe, run.model, full=full, root=data, watch=watch), full=full
            )
            bar.write("\n".join(line(name, *row, "yes" if row.same else "no") for row in rows))
            count += len(rows)
            if not all(row.same for row in rows):
                differing[name] = sum(not row.same for row in rows)
    if not full:
        print(NO_OFFICIAL_DIGITS)
    if differing:
        print(f"not as stored in {zoo.WEIGHTS}: " + ", ".join(f"{n} of {name}" for name, n in differing.items()))
        print(zoo.remedy("NAME", zoo.WEIGHTS))
        return 1
    print(f"all {count} metrics of {len(runs)} runs are as stored")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0, 1 if a metric differs, or 2 for a user's mistake, which prints one sentence."""
    parser = argparse.ArgumentParser(prog="python -m tools.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the four MNIST files [default: $GMLIB_DATA]")
    data = parser.parse_args(arguments).data
    try:
        return reproduce(data, full=has_mnist(data))
    except InputError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
