"""What every chapter of the book begins with: its settings checked, and its measured costs at hand wherever it is started."""

import json
import operator
from pathlib import Path
from typing import Any

from gmlib.errors import InputError, nearest
from gmlib.experiments.recipe import PROFILES
from gmlib.seeds import require_seed

MEASURED = Path("benchmarks") / "results.json"


def require_settings(profile: object, seed: object) -> int:
    """Check the two settings of a chapter, which may come from a command line.

    Args:
        profile: expected to be "quick" or "full".
        seed: expected to be a whole number from 0 to 2,147,483,647; papermill passes `1e3` as the float 1000.0.

    Returns:
        The seed as a Python integer.

    Raises:
        InputError: if either is anything else.
    """
    if profile not in list(PROFILES):
        known = " or ".join(map(repr, PROFILES))
        raise InputError(f"got profile {profile!r}, expected {known}{nearest(str(profile), PROFILES)}")
    try:
        whole = operator.index(int(seed) if isinstance(seed, float) and seed.is_integer() else seed)  # type: ignore[arg-type]
    except TypeError:
        whole = None
    if whole is None or isinstance(seed, bool):
        raise InputError(f"got seed {seed!r}, expected a whole number from 0 to 2,147,483,647: choose another")
    require_seed(whole)
    return whole


def measured_costs() -> dict[str, Any]:
    """Read what `make bench` measured, from the clone that holds the library or that the chapter was started in.

    Returns:
        The content of `benchmarks/results.json`.

    Raises:
        InputError: if neither is a clone.
    """
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).parents[1]):
        if (folder / MEASURED).is_file():
            return json.loads((folder / MEASURED).read_text(encoding="utf-8"))
    raise InputError(f"found no {MEASURED} in {here} or above it: start this chapter in a clone of the repository")
