"""What a caller's mistake meets: one exception, whose text says what was given, what is expected and what to do."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A mistake in what the caller gave. The command line prints its text and leaves with status 2."""


class DivergedError(InputError):
    """Training has left the finite numbers: its settings do not work."""


def nearest(given: str, known: Iterable[str]) -> str:
    """Suggest what was meant.

    Args:
        given: a name that is not known.
        known: the names that are.

    Returns:
        A half sentence to append, or nothing if no name is near.
    """
    close = difflib.get_close_matches(given, known, n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else ""


def one_line(error: BaseException) -> str:
    """Give another library's message without its line breaks.

    Args:
        error: any.

    Returns:
        At most 300 characters.
    """
    return " ".join(str(error).split())[:300]
