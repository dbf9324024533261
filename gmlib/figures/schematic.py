"""Network diagrams as SVG: blocks on a grid, arrows of values, and dashed arrows of gradients.

A diagram has the colour of the text around it. Gradients have one more colour, which is visible on white and on black. Text
stays text, and its letters have at least 11 pixels on a phone.
"""

import base64
import re
from collections.abc import Sequence
from html import escape
from math import sqrt
from typing import Literal, NamedTuple

from gmlib.errors import InputError
from gmlib.figures.style import COLOURS

# in units of the view box: three columns are about as many units as a phone has pixels for the text
COLUMN, ROW, COLUMNS = 120, 74, 3
GAP = 12  # between blocks in neighbouring columns
LABEL, SMALL, LINE = 14, 12, 15  # sizes of letters, and the distance between lines
BESIDE = 5  # between the middle of a pair of arrows and each of the two
CELL = 22  # of a mask grid
ENLARGED = 1.2  # pixels per unit on a wide page
GRADIENT = COLOURS[1]
KEY = {"values": "values", "gradient": "gradients", "stop": "gradient stops"}

# A notebook that is not trusted drops the style and the SVG: it shows the image, and the text of the SVG stays hidden.
STYLE = (
    ".gm-schematic > div { display: flex !important; flex-wrap: wrap; justify-content: center; align-items: flex-start; "
    "gap: 1rem 1.5rem } .gm-schematic > img { display: none !important }"
)


class Box(NamedTuple):
    """The outline of an element: centre, size, and radius of the corners."""

    x: float
    y: float
    width: float
    height: float
    radius: float = 6

    def reach(self, x: float) -> float:
        """Return the distance from the centre line to the upper outline, at a horizontal position."""
        in_corner = max(abs(x - self.x) - self.width / 2 + self.radius, 0)
        return self.height / 2 - self.radius + sqrt(max(self.radius**2 - in_corner**2, 0))

    def turned(self) -> "Box":
        """Return the box with x and y exchanged."""
        return Box(self.y, self.x, self.height, self.width, self.radius)


class Schematic:
    """A network diagram. A notebook and a page show it; its text form is the alternative text.

    Elements are placed by column and row of their centre: (0, 0) is at the top left, and fractions are allowed. Their methods
    return outlines, and arrows are drawn between outlines. In a text, `*x*` is italic.
    """

    def __init__(self, alt: str, *, title: str = "", columns: int = COLUMNS) -> None:
        """Start a diagram that has no elements.

        Args:
            alt: alternative text: what is drawn, in the order of the arrows.
            title: of the diagram, in bold above it.
            columns: width of the grid, at most 3.

        Raises:
            InputError: if there are more columns than a phone can show.
        """
        if columns > COLUMNS:
            raise InputError(f"got {columns} columns, expected at most {COLUMNS}: continue the diagram downwards")
        self.alt, self.title, self.width = alt, title, columns * COLUMN
        self._parts: list[str] = []
        self._boxes: list[Box] = []
        self._bottom = 0.0

    def __repr__(self) -> str:
        return self.alt

    def _repr_html_(self) -> str:
        return SideBySide(self)._repr_html_()

    def block(self, label: str, *lines: str, at: tuple[float, float], width: float = 1) -> Box:
        """Add a tensor or a loss: a rectangle.

        Args:
            label: its name.
            *lines: smaller lines below the name, such as the shape, `(b, 784)`.
            at: column and row of the centre.
            width: in columns.

        Returns:
            The outline.

        Raises:
            InputError: if the block leaves the grid or overlaps another element.
        """
        return self._with_text("block", [label, *lines], at, width)

    def network(
        self,
        label: str,
        *lines: str,
        at: tuple[float, float],
        width: float = 1,
        weights: Literal["", "updated", "frozen"] = "",
    ) -> Box:
        """Add a network: a grey block. Result, errors and other arguments are those of `block`.

        Args:
            label: its name.
            *lines: smaller lines below the name, such as the shape of the output.
            at: column and row of the centre.
            width: in columns.
            weights: whether the weights are updated (a thick outline) or frozen (a dotted one); a last line states it.

        Returns:
            The outline.
        """
        style = {"updated": 'stroke-width="3"', "frozen": 'stroke-width="2" stroke-dasharray="2 3"'}.get(weights, "")
        texts = [label, *lines, *([f"weights {weights}"] if weights else [])]
        return self._with_text("network", texts, at, width, f'fill="currentColor" fill-opacity="0.09" {style}')

    def draw(self, label: str, *lines: str, at: tuple[float, float], width: float = 1) -> Box:
        """Add a random draw: a block with round ends. Arguments, result and errors are those of `block`."""
        return self._with_text("draw", [label, *lines], at, width)

    def sign(self, sign: str, *, at: tuple[float, float]) -> Box:
        """Add a sum or a product: a circle around "+" or "×". Result and errors are those of `block`."""
        box = self._place(at, 26, 26, 13)
        self._outline("sign", box)
        self._parts.append(_text(box.x, box.y, sign, 18))
        return box

    def frame(self, label: str, *inside: Box) -> Box:
        """Add a frame around elements, with a label above them, and return its outline."""
        left, right = min(box.x - box.width / 2 for box in inside), max(box.x + box.width / 2 for box in inside)
        top, bottom = min(box.y - box.height / 2 for box in inside) - 20, max(box.y + box.height / 2 for box in inside)
        frame = Box((left + right) / 2, (top + bottom + 7) / 2, right - left + 14, bottom + 7 - top)
        self._outline("frame", frame, 'stroke-opacity="0.6"')
        self._parts.append(_text(frame.x, top + 11, label, SMALL))
        return frame

    def mask_grid(self, mask: Sequence[Sequence[int]], label: str, *lines: str, at: tuple[float, float]) -> Box:
        """Add a square kernel: 1 and a grey cell for each weight that is kept, 0 for one that is masked.

        Args:
            mask: rows of ones and zeros; their number is odd. The centre has a thick outline.
            label: name, above the grid.
            *lines: smaller lines below the name.
            at: column and row of the centre of grid and text together.

        Returns:
            The outline of grid and text.

        Raises:
            InputError: if the grid leaves the diagram or overlaps another element.
        """
        side, text = CELL * len(mask), LINE * (len(lines) + 1) + 6
        box = self._place(at, side, side + text, 0)
        left, top = box.x - side / 2, box.y - box.height / 2
        self._lines([label, *lines], box.x, top + (text - 6) / 2)
        for row, weights in enumerate(mask):
            for column, kept in enumerate(weights):
                x, y = left + CELL * (column + 0.5), top + text + CELL * (row + 0.5)
                grey = f'fill="currentColor" fill-opacity="{0.2 * kept}" stroke-opacity="0.6"'
                self._outline("cell", Box(x, y, CELL, CELL, 0), grey)
                self._parts.append(_text(x, y, str(kept), SMALL))
        self._outline("centre", Box(box.x, top + text + side / 2, CELL, CELL, 0), 'stroke-width="3"')
        return box

    def note(self, *lines: str, at: tuple[float, float]) -> None:
        """Add small lines of text around a column and row."""
        x, y = _point(at)
        self._lines(lines, x, y, first=SMALL)
        self._bottom = max(self._bottom, y + LINE * len(lines) / 2)

    def arrow(self, start: Box, end: Box, label: str = "", *, gradient: Literal["", "passes", "stops"] = "") -> None:
        """Add a vertical or horizontal arrow from outline to outline: values, and perhaps the gradient in the other direction.

        Args:
            start: outline of the element that computes the values.
            end: outline of the element that takes them as input.
            label: text at the right of a vertical arrow or above a horizontal one.
            gradient: "passes" adds a dashed arrow back to `start`, "stops" a dashed line that ends at two bars half-way.

        Raises:
            InputError: if the elements are neither one above the other nor side by side.
        """
        beside = BESIDE if gradient else 0
        p, q = _ends(start, end, -beside)
        self._parts.append(_arrow("values", p, q))
        if gradient:
            p, q = _ends(start, end, beside)
            self._parts.append(_arrow("gradient" if gradient == "passes" else "stop", q, p))
        if label and p.real == q.real:
            self._parts.append(_text(p.real + 10, (p + q).imag / 2, label, SMALL, "start"))
        elif label:
            self._parts.append(_text((p + q).real / 2, p.imag - 2 * beside - 11, label, SMALL))

    def svg(self) -> str:
        """Return the diagram as an SVG element; below it is a key, if it has gradients."""
        parts, top, bottom = [*self._parts], 24 if self.title else 0, self._bottom + 10
        if self.title:
            parts.append(_text(self.width / 2, -8, self.title, LABEL, weight=600))
        key = [kind for kind in KEY if any(f'class="gm-{kind}"' in part for part in parts)]
        if len(key) > 1:
            for i, kind in enumerate(key):
                x, y = 8 + i * COLUMN % self.width, bottom + 8 + 18 * (i * COLUMN // self.width)
                parts += [_arrow(kind, complex(x, y), complex(x + 28, y)), _text(x + 34, y, KEY[kind], SMALL, "start")]
            bottom = y + 14
        height = top + bottom
        opening = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {-top} {self.width} {height:g}" '
            f'width="{ENLARGED * self.width:g}" height="{ENLARGED * height:g}" role="img" aria-label="{escape(self.alt)}" '
            'fill="none" stroke="currentColor" stroke-width="1.25" '
            'style="max-width: 100%; height: auto; font-family: var(--gm-sans, system-ui, sans-serif)">'
        )
        return "\n".join([opening, *parts, "</svg>"])

    def _place(self, at: tuple[float, float], width: float, height: float, radius: float) -> Box:
        """Return the outline of a new element, after a check that there is room for it."""
        box = Box(*_point(at), width, height, radius)
        if abs(box.x - self.width / 2) + width / 2 > self.width / 2 or box.y < height / 2:
            raise InputError(
                f"got an element at {at} that leaves the grid, expected one inside: move it or make it narrower"
            )
        for other in self._boxes:
            if abs(box.x - other.x) < (width + other.width) / 2 and abs(box.y - other.y) < (height + other.height) / 2:
                raise InputError(f"got an element at {at} that overlaps an earlier one, expected room for it: move it")
        self._boxes.append(box)
        self._bottom = max(self._bottom, box.y + height / 2)
        return box

    def _with_text(
        self, kind: str, texts: Sequence[str], at: tuple[float, float], width: float, style: str = ""
    ) -> Box:
        """Add an outline around lines of text, and return it."""
        height = LINE * (len(texts) + 1)
        box = self._place(at, width * COLUMN - GAP, height, height / 2 if kind == "draw" else 6)
        self._outline(kind, box, style)
        self._lines(texts, box.x, box.y)
        return box

    def _outline(self, kind: str, box: Box, attributes: str = "") -> None:
        """Add an outline."""
        x, y = box.x - box.width / 2, box.y - box.height / 2
        size = f'x="{x:g}" y="{y:g}" width="{box.width:g}" height="{box.height:g}" rx="{box.radius:g}"'
        self._parts.append(f'<rect class="gm-{kind}" {size} {attributes}/>')

    def _lines(self, texts: Sequence[str], x: float, y: float, first: int = LABEL) -> None:
        """Add lines of text around a centre, with the size of the first one."""
        for i, text in enumerate(texts):
            self._parts.append(_text(x, y + LINE * (i - (len(texts) - 1) / 2), text, SMALL if i else first))


class SideBySide:
    """Diagrams side by side, or one below the other where the page is narrow."""

    def __init__(self, *panels: Schematic) -> None:
        """Show these diagrams, from left to right."""
        self.panels = panels

    def __repr__(self) -> str:
        return "\n".join(panel.alt for panel in self.panels)

    def _repr_html_(self) -> str:
        drawn = [panel.svg() for panel in self.panels]
        images = [
            f'<img src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}" alt="{escape(panel.alt)}" '
            'style="background: #fff">'
            for svg, panel in zip(drawn, self.panels, strict=True)
        ]
        lines = [f"<style>{STYLE}</style>", '<div style="display: none">', *drawn, "</div>", *images]
        return "\n".join(['<figure class="gm-schematic" style="margin: 0; padding: 0">', *lines, "</figure>"])


def _point(at: tuple[float, float]) -> tuple[float, float]:
    """Return the point at the middle of a column and row."""
    return (at[0] + 0.5) * COLUMN, (at[1] + 0.5) * ROW


def _ends(start: Box, end: Box, beside: float) -> tuple[complex, complex]:
    """Return where the line between two boxes leaves the first and meets the second, as x + iy; `beside` shifts it sideways."""
    for turned in (False, True):  # a horizontal line is a vertical one between turned boxes
        a, b = (start.turned(), end.turned()) if turned else (start, end)
        left, right = max(a.x - a.width / 2, b.x - b.width / 2), min(a.x + a.width / 2, b.x + b.width / 2)
        if left + 2 * BESIDE < right:
            x, down = (left + right) / 2 + beside, 1 if a.y < b.y else -1
            p, q = complex(x, a.y + down * a.reach(x)), complex(x, b.y - down * b.reach(x))
            return (complex(p.imag, p.real), complex(q.imag, q.real)) if turned else (p, q)
    raise InputError("got two elements that no straight arrow joins, expected one above or beside the other: move one")


def _arrow(kind: str, p: complex, q: complex) -> str:
    """Return an arrow from p to q, points x + iy; of kind "stop", a line from p to two bars across it half-way to q."""
    along = (q - p) / abs(q - p)
    across = 1j * along
    dashed = f'stroke="{GRADIENT}" stroke-width="1.75" stroke-dasharray="4 2.5"'
    if kind == "stop":
        middle = (p + q) / 2
        bars = "".join(_path(middle + d * along - 5.5 * across, middle + d * along + 5.5 * across) for d in (0, 4))
        line = f'<path d="{_path(p, middle)}" {dashed}/><path d="{bars}" stroke-width="2"/>'
    else:
        head = _path(q, q - 7 * along + 3.5 * across, q - 7 * along - 3.5 * across) + "Z"
        colour = GRADIENT if kind == "gradient" else "currentColor"
        line = (
            f'<path d="{_path(p, q - 6 * along)}" {dashed if kind == "gradient" else ""}/>'
            f'<path d="{head}" fill="{colour}" stroke="none"/>'
        )
    return f'<g class="gm-{kind}">{line}</g>'


def _path(*points: complex) -> str:
    """Return the data of an SVG path through points x + iy."""
    return "M" + " ".join(f"{point.real:.1f} {point.imag:.1f}" for point in points)


def _text(x: float, y: float, text: str, size: int, anchor: str = "middle", weight: int = 400) -> str:
    """Return a line of text; its middle, or its start, is at (x, y), and what is between asterisks is italic."""
    shown = re.sub(r"\*(.+?)\*", r'<tspan font-style="italic">\1</tspan>', escape(text))
    return (
        f'<text x="{x:g}" y="{y:g}" dy="0.35em" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
        f'fill="currentColor" stroke="none">{shown}</text>'
    )
