"""The explorer: an interactive figure that is a widget in a notebook, and runs in a page without a kernel."""

import hashlib
import json
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from matplotlib.figure import Figure

from gmlib.figures.style import png
from gmlib.widgets.poster import WithPoster, image

FOLDER = Path(__file__).parent
SHARED = ("explorer.js", "canvas.js", "arrays.js")  # every explorer uses these files


class Explorer(WithPoster, anywidget.AnyWidget):
    """An interactive figure with sliders, buttons and points to drag.

    Where a kernel runs, it is a widget: `chosen` holds the values of its controls, and assigning it changes the figure. In a
    page the same JavaScript runs without a kernel. Without JavaScript, and on paper, a static image is shown: the poster.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    chosen = traitlets.Dict().tag(sync=True)

    def __init__(self, *files: str, state: dict[str, Any], chosen: dict[str, Any], poster: Figure, alt: str) -> None:
        """Read the JavaScript files and render the poster.

        Args:
            *files: JavaScript files of this folder beside the shared ones; the last one exports `render`.
            state: constants as JSON, such as weights and points.
            chosen: the initial values of the controls, as JSON.
            poster: the figure at these values.
            alt: alternative text of the poster.
        """
        super().__init__(_esm=source(*SHARED, *files), _css=source("explorer.css"), state=state, chosen=chosen)
        self.name = Path(files[-1]).stem
        self.poster = png(poster)
        self.alt = alt

    def __repr__(self) -> str:
        return f"Explorer({self.name!r})"

    def html(self) -> str:
        """Return the explorer for a page: a `figure` element that contains all that it needs."""
        values = {"state": self.state, "chosen": self.chosen}
        return figure(image(self.poster, self.alt), values, module=self._esm, css=self._css)


def figure(poster: str, values: dict[str, Any], *, module: str, css: str, kind: str = "gm-explorer") -> str:
    """Return a widget for a page without a kernel, as HTML; its id is a hash.

    Args:
        poster: HTML that stands there without JavaScript, an `img` or an element of the class "gm-poster".
        values: the initial values of the widget, as JSON.
        module: JavaScript that defines `render`.
        css: its style sheet.
        kind: the class of the element.

    Returns:
        A `figure` element that contains all that the widget needs.
    """
    data = json.dumps(values, separators=(",", ":"))
    data = data.replace("<", "\\u003c")  # no string in the JSON can end the script element
    module = f"{module}\n{source('page.js')}"
    digest = hashlib.sha256("\n".join((css, poster, data, module)).encode()).hexdigest()[:12]
    return (
        f'<figure class="{kind}" id="explorer-{digest}">\n<style>\n{css}</style>\n{poster}\n'
        f'<script type="application/json">{data}</script>\n'
        f'<script type="module">\n{module}\nattach("explorer-{digest}", render);\n</script>\n</figure>'
    )


def source(*files: str) -> str:
    """Return the text of files of this folder, joined in order."""
    return "\n".join((FOLDER / file).read_text(encoding="utf-8") for file in files)
