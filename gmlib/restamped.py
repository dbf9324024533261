"""Hashes of recipes that were made by an earlier rule, and the hashes that stand for the same settings today."""

import json
from functools import cache
from importlib.resources import files


@cache
def _table() -> dict[str, str]:
    """Read the table, earlier hash to hash of today."""
    return json.loads((files("gmlib") / "restamped.json").read_text(encoding="utf-8"))


def current_hash(recorded: str | None) -> str | None:
    """Return the hash that the settings of a record have today.

    gmlib 1.0 made hashes from names in the code; `gmlib.identity` makes them from ids. A run that was trained with a
    recipe of 1.0 belongs to the same settings as before.

    Args:
        recorded: the hash in a record or a checkpoint, or None if it has none.

    Returns:
        Today's hash where the table has the recorded one, otherwise the recorded one.
    """
    return recorded if recorded is None else _table().get(recorded, recorded)
