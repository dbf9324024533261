"""One ES module for two hosts: a widget in a notebook, and a piece of a page that lives by itself."""

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
    """A picture that answers: drag a point or a slider, and it changes.

    Where a kernel runs, it is a widget: `chosen` is what the reader has set, and setting it moves the picture. In a page
    without one, the same module runs on its own. Where no script runs, and on paper, the poster stands for it.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    chosen = traitlets.Dict().tag(sync=True)

    def __init__(self, *files: str, state: dict[str, Any], chosen: dict[str, Any], poster: Figure, alt: str) -> None:
        """Gather what the picture needs.

        Args:
            *files: of this folder, which make up the module beside what all explorers share; the last one exports `render`.
            state: what does not change, as JSON: weights, points, and the "version" of this layout, which the module checks.
            chosen: where the picture begins, as JSON: what sliders change.
            poster: the picture at its beginning.
            alt: what the poster shows, in words.
        """
        super().__init__(_esm=source(*SHARED, *files), _css=source("explorer.css"), state=state, chosen=chosen)
        self.name = Path(files[-1]).stem
        self.poster = png(poster)
        self.alt = alt

    def __repr__(self) -> str:
        return f"Explorer({self.name!r})"

    def html(self) -> str:
        """Write the explorer for a page: style, poster, state and module, with nothing to fetch.

        Returns:
            A `figure`; its id is a hash of all that is in it.
        """
        # a "<" in a string of JSON may be written so, and then nothing in it can end the script
        stored = json.dumps({"state": self.state, "chosen": self.chosen}, separators=(",", ":")).replace("<", "\\u003c")
        module = _in_script(f"{self._esm}\n{source('page.js')}")
        poster = image(self.poster, self.alt)
        digest = hashlib.sha256("\n".join((self._css, poster, stored, module)).encode()).hexdigest()[:12]
        return (
            f'<figure class="gm-explorer" id="explorer-{digest}">\n<style>\n{self._css}</style>\n{poster}\n'
            f'<script type="application/json">{stored}</script>\n'
            f'<script type="module">\n{module}\nattach("explorer-{digest}", render);\n</script>\n</figure>'
        )


def source(*names: str) -> str:
    """Read files of this folder, one after the other: functions of the earlier ones are known in the later ones.

    Args:
        *names: of the files.

    Returns:
        Their text.
    """
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)


def _in_script(code: str) -> str:
    """Write JavaScript so that it can stand in a page: what would end the script there, in a string say, no longer does."""
    return re.sub("</(?=script)", r"<\\/", code, flags=re.IGNORECASE)
