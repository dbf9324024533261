"""The exceptions that gmlib raises; their text says what was given, what is expected and what to do."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A wrong argument, file or setting. The command line prints the text and ends with status 2."""


class DivergedError(InputError):
    """Training diverged: a loss, a weight or an image is NaN or infinite."""


def nearest(given: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" with the known name that is nearest to an unknown one, or "" if none is near."""
    close = difflib.get_close_matches(given, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def one_line(error: BaseException) -> str:
    """Return another library's message without its line breaks, at most 300 characters of it."""
    return " ".join(str(error).split())[:300]
