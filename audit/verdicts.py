"""All claims in one place: the chapters that discuss them, and the results."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gmlib.display import Shown
from gmlib.errors import InputError, one_line

RESULTS = Path(__file__).with_name("claims.json")  # what `python -m audit` writes

ALL_CLAIMS = "12-claims"  # the chapter that shows them all
# S01 and S02 are claims of our own
CHAPTERS: dict[str, tuple[str, ...]] = {
    "02-vae": ("C02", "C05", "C06", "C07"),
    "03-conv-vae": ("C01",),
    "04-conditional-vae": ("C03", "C04"),
    "05-pixel-vae": ("C08", "C09", "S02"),
    "06-minimax": ("T1", "T2", "T4"),
    "07-gan": ("C10", "C11", "C13", "C14", "C15", "C16", "C17", "C18"),
    "08-dcgan": ("C12", "C19", "C20"),
    "09-wgan": ("C21", "C22", "C23", "C25", "C26", "C27"),
    "10-mode-collapse": ("T3", "C15", "C24"),
    "11-comparison": ("S01",),
    ALL_CLAIMS: ("C28", "C29", "T4"),
}
PARTS = {
    "I Likelihood": ("02-vae", "03-conv-vae", "04-conditional-vae", "05-pixel-vae"),
    "II Games": ("06-minimax", "07-gan", "08-dcgan"),
    "II Critics, collapse": ("09-wgan", "10-mode-collapse"),
    "III Evidence": ("11-comparison", ALL_CLAIMS),
}


def claim(number: str) -> dict[str, Any]:
    """Return the result of one claim.

    Args:
        number: such as "C02".

    Returns:
        Its entry of `claims.json`: claim, experiment, effect, interval, unit, verdict, because, details.

    Raises:
        InputError: if the claim was not tested yet, or the file is missing or damaged.
    """
    try:
        tested = {entry["id"]: entry for entry in json.loads(RESULTS.read_text())}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"cannot read {RESULTS} ({one_line(error)}), expected the claims that were tested: test them again with make claims"
        ) from error
    if number not in tested:
        raise InputError(f"got claim {number!r}, expected one that was tested ({', '.join(tested)}): run make claims")
    return tested[number]


def verdict(number: str) -> Shown:
    """Return the verdict on a claim with its evidence, for a notebook.

    Args:
        number: such as "C02".

    Returns:
        Markdown: the claim, the experiment, the effect with its interval, the verdict and its reason.
    """
    entry = claim(number)
    low, high = entry["interval"]
    interval = f"95% interval {low:.2f} to {high:.2f} over {len(entry['values'])} {entry['over']}"
    source = "ours, beside" if number.startswith("S") else "report,"
    return Shown(
        f"**{number}** ({source} {entry['section']}): *{entry['claim']}*\n\n{entry['experiment']}\n\n"
        f"{entry['effect']:.2f} {entry['unit']}, {'computed' if entry['over'] == 'derivation' else interval}.\n\n"
        f"**{entry['verdict'].capitalize()}**: {entry['because']}."
    )


def chapters_of(number: str) -> list[str]:
    """Return the chapters that discuss a claim.

    Args:
        number: such as "C15".

    Returns:
        Names of chapters, such as "07-gan".
    """
    return [chapter for chapter, numbers in CHAPTERS.items() if number in numbers]


def parts() -> dict[str, list[str]]:
    """Return the claims by the part of the book that discusses them first.

    Returns:
        Title to numbers, in the order of the chapters.
    """
    by_part: dict[str, list[str]] = {}
    earlier: set[str] = set()
    for title, chapters in PARTS.items():
        numbers = [number for chapter in chapters for number in CHAPTERS[chapter] if number not in earlier]
        by_part[title] = list(dict.fromkeys(numbers))
        earlier |= set(numbers)
    return by_part


def effects(numbers: Iterable[str]) -> dict[str, Any]:
    """Return the effects of claims, for `audit.forest` and `audit.margins`.

    Args:
        numbers: such as "C02".

    Returns:
        Number to `audit.Effect`.
    """
    from audit.forest import Effect  # matplotlib takes half a second

    entries = {number: claim(number) for number in numbers}
    return {
        number: Effect(**{name: _fixed(entry[name]) for name in Effect._fields}) for number, entry in entries.items()
    }


def listed(numbers: Iterable[str]) -> Shown:
    """Return claims as text: statement, experiment, effect, verdict, and the chapters that discuss them.

    Args:
        numbers: such as "C02".

    Returns:
        Markdown, with links to chapters.
    """
    pieces = []
    for number in numbers:
        links = [f"[chapter {int(name[:2])}]({name}.ipynb)" for name in chapters_of(number) if name != ALL_CLAIMS]
        pieces.append(verdict(number).markdown + (f" Discussed in {' and '.join(links)}." if links else ""))
    return Shown("\n\n---\n\n".join(pieces))


def _fixed(value: Any) -> Any:
    """Return a list as a tuple."""
    return tuple(value) if isinstance(value, list) else value
