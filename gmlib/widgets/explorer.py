"""One ES module for two hosts: a widget in a notebook, and a figure in a page that runs without a kernel."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import traitlets
from matplotlib.figure import Figure

from gmlib.figures.style import png
from gmlib.widgets.poster import WithPoster, image

try:
    import anywidget
except ImportError as error:
    raise ImportError("gmlib.widgets needs anywidget, which is not installed: pip install 'gmlib[book]'") from error

FOLDER = Path(__file__).parent
SHARED = ("explorer.js", "canvas.js", "packing.js")


class Explorer(WithPoster, anywidget.AnyWidget):
    """An interactive figure: drag a point or a slider, and the picture changes.

    Where a kernel runs, it is a widget: `chosen` holds what the reader has set, and assigning it changes the picture. In a
    page the same module runs without a kernel. Where no script runs, and on paper, the poster is shown.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    chosen = traitlets.Dict().tag(sync=True)

    def __init__(self, *files: str, state: dict[str, Any], chosen: dict[str, Any], poster: Figure, alt: str) -> None:
        """Read the module's files and render the poster.

        Args:
            *files: JavaScript files of this folder, after those that all explorers share; the last one exports `render`.
            state: constants as JSON, such as weights and points, and the "version" of their layout, which the module checks.
            chosen: the initial values of the controls, as JSON.
            poster: the picture at these values.
            alt: alternative text of the poster.
        """
        super().__init__(_esm=source(*SHARED, *files), _css=source("explorer.css"), state=state, chosen=chosen)
        self.name = Path(files[-1]).stem
        self.poster = png(poster)
        self.alt = alt

    def __repr__(self) -> str:
        return f"Explorer({self.name!r})"

    def html(self) -> str:
        """Return the explorer for a page: style, poster, state and module, with nothing to fetch.

        Returns:
            A `figure` element; its id is a hash of its content.
        """
        # "<" is escaped, so that no string in the JSON can end the script element
        stored = json.dumps({"state": self.state, "chosen": self.chosen}, separators=(",", ":")).replace("<", "\\u003c")
        module = re.sub("</(?=script)", r"<\\/", f"{self._esm}\n{source('page.js')}", flags=re.IGNORECASE)
        poster = image(self.poster, self.alt)
        digest = hashlib.sha256("\n".join((self._css, poster, stored, module)).encode()).hexdigest()[:12]
        return (
            f'<figure class="gm-explorer" id="explorer-{digest}">\n<style>\n{self._css}</style>\n{poster}\n'
            f'<script type="application/json">{stored}</script>\n'
            f'<script type="module">\n{module}\nattach("explorer-{digest}", render);\n</script>\n</figure>'
        )


def source(*names: str) -> str:
    """Return the text of files of this folder, joined in order."""
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)
