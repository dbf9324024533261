"""How nbval runs the chapters: which outputs it does not compare, and in which order the chapters run."""

import json
import math
from pathlib import Path

import pytest

STATUS = Path(__file__).parent / "book" / "status.json"


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Let nbval ignore warnings and progress on stderr, and SVG images; it ignores other images by itself."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr", "image/svg+xml")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the chapters that take longest first, and before them new ones, so that two workers finish together."""
    seconds = {name: chapter.get("seconds", 0) for name, chapter in json.loads(STATUS.read_text())["chapters"].items()}
    items.sort(key=lambda item: -seconds.get(item.path.stem, math.inf) if item.path.suffix == ".ipynb" else 0)
