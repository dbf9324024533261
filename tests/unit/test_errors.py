"""Suggestions of what was meant."""

from gmlib.errors import InputError, nearest


def test_nearest_suggests_only_what_is_near():
    assert nearest("vea", ["gan", "vae"]) == "; did you mean 'vae'?"
    assert nearest("xyz", ["gan", "vae"]) == ""
    assert issubclass(InputError, ValueError)
