"""Formulas in gmlib's docstrings: `$z$` and `$$...$$` become the notation of Sphinx."""

import re
from typing import Any

from sphinx.application import Sphinx


def translate(
    app: Sphinx, what: str, name: str, obj: object, options: Any, lines: list[str]
) -> None:
    """Change one docstring in place, before the extension napoleon reads it."""
    text = "\n".join(lines)
    text = re.sub(
        r"(?ms)^( *)\$\$(.+?)\$\$",
        lambda m: f"{m[1]}.. math:: {' '.join(m[2].split())}\n",
        text,
    )
    text = re.sub(r"(?<![\w$\\])\$([^$\n]+?)\$(?!\w)", r":math:`\1`", text)
    lines[:] = text.split("\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect(
        "autodoc-process-docstring", translate, priority=400
    )  # napoleon has 500
    return {"parallel_read_safe": True}
