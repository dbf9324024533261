"""What a caller's mistake meets: one exception, whose text says what was given, what is expected and what to do."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A mistake in what the caller gave. The command line prints its text and leaves with status 2."""


def require_seed(seed: int) -> None:
    """Refuse a seed that not every generator takes.

    Args:
        seed: a whole number.

    Raises:
        InputError: if it is negative or above 2³¹ - 1.
    """
    if not 0 <= seed < 2**31:
        raise InputError(f"got seed {seed}, expected a whole number from 0 to 2,147,483,647: choose another")


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


def one_line(error: Exception) -> str:
    """Give another library's message without its line breaks.

    Args:
        error: any.

    Returns:
        At most 300 characters.
    """
    return " ".join(str(error).split())[:300]
