"""The two profiles of the command line and of the chapters, and the check of a chapter's settings."""

import operator

from gmlib.errors import InputError, nearest
from gmlib.seeds import require_seed

PROFILES = {"quick": "mnist5k", "full": "mnist"}  # and the dataset of each


def require_settings(profile: object, seed: object) -> int:
    """Return the seed of a chapter as an integer, after a check of both settings, which may come from a command line.

    Args:
        profile: expected to be "quick" or "full".
        seed: expected to be a whole number from 0 to 2,147,483,647; papermill passes `1e3` as the float 1000.0.

    Returns:
        The seed.

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
