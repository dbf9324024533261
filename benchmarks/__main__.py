"""Measure speed, print tables, and write `benchmarks/results.json`.

python -m benchmarks                    everything, about a quarter of an hour: make bench
python -m benchmarks sampling growth    these sections; printed, not written
python -m benchmarks vae dcgan          training of these recipes
python -m benchmarks --seconds 0.02 --rounds 1 …    quick, with large errors
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import against_jax, factors, growth, machine, sampling, seconds, training
from benchmarks.report import report
from benchmarks.timing import Effort
from gmlib import recipes
from gmlib.files import write_whole

RESULTS = Path(__file__).with_name("results.json")
SECTIONS: dict[str, Callable[[Effort], object]] = {
    "peak": machine.measure,
    "training": training.measure,
    "jax": against_jax.measure,
    "factors": factors.measure,
    "sampling": sampling.measure,
    "drawing": sampling.speed,
    "agreement": lambda effort: sampling.agreement(),
    "seconds": seconds.measure,
    "growth": growth.measure,
    "chapters": lambda effort: seconds.chapters(),
}


def chosen(names: list[str]) -> dict[str, Callable[[Effort], object]]:
    """Return the measurements of the named sections and recipes; of all sections if there are no names."""
    if unknown := [name for name in names if name not in {*SECTIONS, *recipes.ALL}]:
        sys.exit(f"got {', '.join(unknown)}, expected some of {', '.join([*SECTIONS, *recipes.ALL])}")
    found = {name: measure for name, measure in SECTIONS.items() if name in names or not names}
    if trained := [name for name in names if name in recipes.ALL]:
        found["training"] = lambda effort: training.measure(effort, trained)
    return found


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="sections or recipes")
    parser.add_argument("--seconds", type=float, default=Effort.seconds, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=Effort.rounds, help="number of repeated measurements")
    options = parser.parse_args(arguments)
    about, results, started = machine.about(), {}, time.perf_counter()
    for name, measure in chosen(options.names).items():
        print(f"{time.perf_counter() - started:4.0f} s: {name}", file=sys.stderr)
        results[name] = measure(Effort(options.seconds, options.rounds))
    if not options.names:
        about["minutes"] = round((time.perf_counter() - started) / 60, 1)
        results = {"about": about, **results}
        write_whole(RESULTS, json.dumps(results, indent=1) + "\n")
    print(report(results))


if __name__ == "__main__":
    main()
