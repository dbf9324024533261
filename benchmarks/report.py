"""The tables of `results.json`; a missing value is a dash with the reason below."""

from collections.abc import Mapping
from typing import Any

from benchmarks.sampling import IMAGES
from gmlib import recipes, table

Results = Mapping[str, Any]

SECTIONS = {
    "training": "Training, against the usual loop",
    "jax": "Training, against JAX",
    "factors": "What each decision gained",
    "sampling": "Drawing pixel by pixel",
    "drawing": f"Drawing, {IMAGES} images at once",
    "seconds": "Start-up and evaluation",
    "chapters": "Chapters, as last run for the book",
}
NOT_YET = "not measured: the recipe is newer than the results; make bench"


def training_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for every recipe, in the order of the catalogue."""
    found = {row["recipe"]: row for row in rows}
    return [found.get(name, {"recipe": name, "why": NOT_YET}) for name in recipes.ALL]


def table_with_reasons(rows: list[dict[str, Any]]) -> str:
    """Return rows as a table, and below it the reasons for missing values."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if "why" in row:
            reasons.setdefault(row["why"], []).append(str(next(iter(row.values()))))
    text = str(table([{key: value for key, value in row.items() if key != "why"} for row in rows]))
    return "\n".join([text, *(f"– {', '.join(names)}: {why}" for why, names in reasons.items())])


def report(results: Results) -> str:
    """Return all tables as Markdown."""
    parts = []
    if about := results.get("about"):
        shared = ", shared with other work" if about["shared"] else ""
        parts.append(f"{about['date']}, {about['machine']}, {about['threads']} threads{shared}")
    if peak := results.get("peak"):
        parts.append("Peak: " + ", ".join(f"{value:,} GFLOP/s in {kind}" for kind, value in peak.items()))
    for name, title in SECTIONS.items():
        if name in results:
            rows = training_rows(results[name]) if name == "training" and "about" in results else results[name]
            parts.append(f"## {title}\n\n{table_with_reasons(rows)}")
    if found := results.get("agreement"):
        parts.append("Both ways of drawing: " + ", ".join(f"{name} {value:g}" for name, value in found.items()))
    for title, lines in results.get("growth", {}).items():
        xs, _ = next(iter(lines.values()))
        columns = {title.partition(" by ")[2]: xs} | {name: ys for name, (_, ys) in lines.items()}
        parts.append(f"## Growth: {title}\n\n{table(columns)}")
    return "\n\n".join(parts)
