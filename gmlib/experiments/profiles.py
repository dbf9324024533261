"""The two profiles of the command line and of the chapters, and the check of a chapter's settings."""

from typing import Any

from gmlib.errors import InputError, nearest
from gmlib.seeds import require_seed

PROFILES = {"quick": "mnist5k", "full": "mnist"}  # profile to the name of its dataset


def require_settings(profile: object, seed: Any) -> int:
    """Return the seed of a chapter as an int; raise InputError for an unknown profile, or a seed that is no whole number.

    Both may come from a command line: papermill passes the seed `1e3` as the float 1000.0.
    """
    if profile not in list(PROFILES):
        known = " or ".join(map(repr, PROFILES))
        raise InputError(f"got profile {profile!r}, expected {known}{nearest(str(profile), PROFILES)}")
    return require_seed(int(seed) if isinstance(seed, float) and seed.is_integer() else seed)
