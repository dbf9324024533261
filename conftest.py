"""How nbval runs the chapters: what it leaves out when it compares outputs (images it never compares), and in which order."""

import json
import math
from pathlib import Path

import pytest

STATUS = Path(__file__).parent / "book" / "status.json"


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Widen a notebook's list of kinds of output to skip.

    Args:
        collector: of any file.
    """
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr", "image/svg+xml")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the chapters that take longest first, and before them those never run, so that two workers finish together.

    Args:
        items: all that was collected; what is no cell of a chapter stays where it is.
    """
    seconds = {name: chapter.get("seconds", 0) for name, chapter in json.loads(STATUS.read_text())["chapters"].items()}
    items.sort(key=lambda item: -seconds.get(item.path.stem, math.inf) if item.path.suffix == ".ipynb" else 0)
