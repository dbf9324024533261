"""The exceptions that gmlib raises; their text says what was given, what is expected and what to do."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A wrong argument, file or setting. The command line prints the text and ends with status 2."""


class DivergedError(InputError):
    """Training diverged: a loss, a weight or an image is NaN or infinite."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" with the known name that is spelt most like an unknown one, or "" if none is similar."""
    similar = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {similar[0]!r}?" if similar else ""


def one_line(error: BaseException) -> str:
    """Return the first 300 characters of another library's message, without its line breaks."""
    return " ".join(str(error).split())[:300]
