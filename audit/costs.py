"""The results of `make bench`, for the chapters that compare costs."""

import json
from pathlib import Path
from typing import Any

from gmlib.errors import InputError

BENCHMARKS = Path("benchmarks") / "results.json"


def measured_costs() -> dict[str, Any]:
    """Load the results of `make bench`, from the clone that holds this file or the one that a chapter was started in.

    Returns:
        The content of `benchmarks/results.json`.

    Raises:
        InputError: if neither is a clone.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).parents[1]):
        if (folder / BENCHMARKS).is_file():
            return json.loads((folder / BENCHMARKS).read_text(encoding="utf-8"))
    raise InputError(f"found no {BENCHMARKS} in {here} or above it: start this chapter in a clone of the repository")
