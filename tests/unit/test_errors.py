"""Suggestions for a misspelt name, and other libraries' messages."""

from gmlib.errors import nearest, one_line


def test_nearest_suggests_only_what_is_near():
    assert nearest("vea", ["gan", "vae"]) == "; did you mean 'vae'?"
    assert nearest("xyz", ["gan", "vae"]) == ""
    assert nearest("foo", ["pool"]) == ""


def test_a_message_in_one_line():
    assert one_line(ValueError("a\n  b" + 300 * "c")) == "a b" + 297 * "c"
