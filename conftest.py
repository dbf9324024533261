"""What nbval leaves out when it compares a chapter's fresh outputs with the stored ones (images it never compares)."""

import pytest


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Widen a notebook's list of kinds of output to skip.

    Args:
        collector: of any file.
    """
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr", "image/svg+xml")
