"""Diagrams read back from their SVG: what is written, what the arrows join, and that nothing overlaps."""

import base64
import re
import xml.etree.ElementTree as ET
from itertools import combinations
from math import hypot
from pathlib import Path
from typing import NamedTuple

import pytest
from bs4 import BeautifulSoup
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from gmlib.figures import Schematic, gan_schematic, mask_schematic, vae_schematic
from gmlib.figures.schematic import GRADIENT

SVG = "{http://www.w3.org/2000/svg}"
PHONE = 341  # pixels for a diagram on a page 390 wide, in the book's theme
# one of the widest fonts in use: what fits with it fits with the others
WIDE = FontProperties(family="DejaVu Sans")
MAINTAINING = Path(__file__).resolve().parents[3] / "MAINTAINING.md"


def example() -> Schematic:
    """Run the example for authors."""
    (code,) = re.findall(r"```python\n(from gmlib import figures\n.*?)```", MAINTAINING.read_text(), re.S)
    names: dict[str, Schematic] = {}
    exec(code, names)
    return names["s"]


DISCRIMINATOR, GENERATOR = gan_schematic().panels
CASES = {
    "vae": vae_schematic(),
    "discriminator": DISCRIMINATOR,
    "generator": GENERATOR,
    "masks": mask_schematic(),
    "example": example(),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


class Area(NamedTuple):
    """A rectangle with rounded corners, and the text that it is for."""

    left: float
    top: float
    right: float
    bottom: float
    radius: float = 0
    text: str = ""

    def overlaps(self, other: "Area") -> bool:
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)

    def contains(self, other: "Area") -> bool:
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.right <= self.right
            and other.bottom <= self.bottom
        )

    def distance(self, x: float, y: float) -> float:
        """The signed distance of a point from the outline, negative inside."""
        dx = abs(x - (self.left + self.right) / 2) - (self.right - self.left) / 2 + self.radius
        dy = abs(y - (self.top + self.bottom) / 2) - (self.bottom - self.top) / 2 + self.radius
        return hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - self.radius


class Arrow(NamedTuple):
    """An arrow: its first and last point, or for a stopped gradient the last point of its line; and what its ink covers."""

    kind: str
    tail: tuple[float, float]
    head: tuple[float, float]
    ink: Area


class Drawn(NamedTuple):
    """What an SVG draws; the key below the diagram is apart from the arrows."""

    root: ET.Element
    view: Area
    texts: list[Area]
    boxes: list[Area]
    frames: list[Area]
    arrows: list[Arrow]
    key: list[Arrow]


def read(case: Schematic) -> Drawn:
    root = ET.fromstring(case.svg())
    x, y, width, height = map(float, root.get("viewBox").split())
    texts = [area_of_text(element) for element in root.iter(f"{SVG}text")]
    areas = [(element.get("class"), area_of_rect(element, texts)) for element in root.iter(f"{SVG}rect")]
    boxes = [area for kind, area in areas if kind in ("gm-block", "gm-network", "gm-draw", "gm-sign", "gm-cell")]
    bottom = max(box.bottom for box in boxes)
    arrows = [arrow(element) for element in root.iter(f"{SVG}g")]
    return Drawn(
        root=root,
        view=Area(x, y, x + width, y + height),
        texts=texts,
        boxes=boxes,
        frames=[area for kind, area in areas if kind == "gm-frame"],
        arrows=[each for each in arrows if each.tail[1] < bottom],
        key=[each for each in arrows if each.tail[1] > bottom],
    )


def area_of_text(element: ET.Element) -> Area:
    text, size = "".join(element.itertext()), float(element.get("font-size"))
    width = text_to_path.get_text_width_height_descent(text, WIDE, ismath=False)[0] * size / WIDE.get_size()
    x, y = float(element.get("x")), float(element.get("y"))
    left = x - width / 2 if element.get("text-anchor") == "middle" else x
    return Area(left, y - size / 2, left + width, y + size / 2, text=text)


def area_of_rect(element: ET.Element, texts: list[Area]) -> Area:
    x, y, width, height, radius = (float(element.get(name)) for name in ("x", "y", "width", "height", "rx"))
    area = Area(x, y, x + width, y + height, radius)
    inside = sorted((text for text in texts if area.contains(text)), key=lambda text: text.top)
    return area._replace(text=inside[0].text if inside else "")


def arrow(element: ET.Element) -> Arrow:
    line, end = ([float(number) for number in re.findall(r"[-\d.]+", path.get("d"))] for path in element)
    kind = element.get("class").removeprefix("gm-")
    xs, ys = line[::2] + end[::2], line[1::2] + end[1::2]
    head = (line[2], line[3]) if kind == "stop" else (end[0], end[1])
    return Arrow(kind, (line[0], line[1]), head, Area(min(xs), min(ys), max(xs), max(ys)))


def edges(drawn: Drawn, kind: str) -> set[tuple[str, str]]:
    """The texts of the elements that arrows of a kind join."""

    def at(point: tuple[float, float]) -> str:
        return min(drawn.boxes + drawn.frames, key=lambda box: abs(box.distance(*point))).text

    return {(at(arrow.tail), at(arrow.head)) for arrow in drawn.arrows if arrow.kind == kind}


# every diagram


@every_case
def test_svg_needs_nothing_from_the_page(case):
    root = read(case).root
    assert root.tag == f"{SVG}svg"
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {"svg", "g", "path", "rect", "text", "tspan"}
    # an id would occur twice where a diagram is shown twice
    assert not any({"id", "href", "onload"}.intersection(element.keys()) for element in root.iter())
    colours = {element.get(name) for element in root.iter() for name in ("fill", "stroke")}
    assert colours <= {None, "none", "currentColor", GRADIENT}


@every_case
def test_the_alternative_text_is_that_of_the_svg_of_the_image_and_of_a_terminal(case):
    root = read(case).root
    assert root.get("role") == "img"
    assert root.get("aria-label") == repr(case) == case.alt
    assert BeautifulSoup(case._repr_html_(), "html.parser").img["alt"] == case.alt


@every_case
def test_nothing_overlaps(case):
    drawn = read(case)
    assert [(a.text, b.text) for a, b in combinations(drawn.boxes, 2) if a.overlaps(b)] == []
    assert [(a.text, b.text) for a, b in combinations(drawn.texts, 2) if a.overlaps(b)] == []
    # a text is in one box, or in none
    for text in drawn.texts:
        touched = [box for box in drawn.boxes if box.overlaps(text)]
        assert len(touched) <= 1, text
        assert all(box.contains(text) for box in touched), text
    for frame in drawn.frames:
        for area in drawn.boxes + drawn.texts:
            assert frame.contains(area) or not frame.overlaps(area), area


@every_case
def test_arrows_cross_neither_text_nor_boxes_nor_each_other(case):
    drawn = read(case)
    for kind, (x, y), (to_x, to_y), ink in drawn.arrows:
        assert [text.text for text in drawn.texts if ink.overlaps(text)] == []
        between = [(x + t * (to_x - x), y + t * (to_y - y)) for t in (0.1, 0.3, 0.5, 0.7, 0.9)]
        assert [box.text for box in drawn.boxes for point in between if box.distance(*point) < 1] == [], kind
    assert [(a, b) for a, b in combinations(drawn.arrows, 2) if a.ink.overlaps(b.ink)] == []


@every_case
def test_everything_is_inside_the_view_box(case):
    drawn = read(case)
    for area in drawn.texts + drawn.boxes + drawn.frames:
        assert drawn.view.contains(area._replace(left=area.left - 1, right=area.right + 1)), area
    assert all(drawn.view.contains(each.ink) for each in drawn.arrows + drawn.key)


@every_case
def test_arrows_start_and_end_at_outlines(case):
    drawn = read(case)
    for each in drawn.arrows:
        ends = [each.tail] if each.kind == "stop" else [each.tail, each.head]
        for point in ends:
            assert min(abs(box.distance(*point)) for box in drawn.boxes + drawn.frames) < 0.1, each
        assert each.tail[0] == each.head[0] or each.tail[1] == each.head[1]
        assert hypot(each.head[0] - each.tail[0], each.head[1] - each.tail[1]) > 12, f"too short to be seen: {each}"


@every_case
def test_letters_are_readable_on_a_phone(case):
    root = read(case).root
    scale = min(PHONE / float(root.get("viewBox").split()[2]), 1)
    assert min(float(text.get("font-size")) for text in root.iter(f"{SVG}text")) * scale >= 11


@every_case
def test_a_gradient_is_dashed_and_visible_in_both_themes(case):
    for group in case_groups(case, "gradient", "stop"):
        assert group[0].get("stroke-dasharray")
    for group in case_groups(case, "values"):
        assert not group[0].get("stroke-dasharray")
    for background in ("#ffffff", "#15171a", "#1f1f1f"):  # pages, and notebooks in dark themes
        light, dark = sorted((luminance(GRADIENT), luminance(background)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3


def case_groups(case: Schematic, *kinds: str) -> list[ET.Element]:
    return [group for group in read(case).root.iter(f"{SVG}g") if group.get("class")[3:] in kinds]


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour))
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


# the models


def test_the_vae():
    drawn = read(vae_schematic())
    mu, logvar, posterior, kl, log_px = "μ", "log σ²", "q(z|x)", "KL", "log p(x|z)"
    z, eps = "z = μ + σ · ε", "ε ~ N(0, I)"
    gradients = {("encoder", mu), ("encoder", logvar), (posterior, kl), (mu, "+"), (logvar, "×"), ("×", "+")}
    gradients |= {("+", z), (z, "decoder"), ("decoder", "logits of pixels"), ("logits of pixels", log_px)}
    assert edges(drawn, "values") == gradients | {("image x", "encoder"), (eps, "×"), ("the same x", log_px)}
    assert edges(drawn, "gradient") == {(end, start) for start, end in gradients}
    assert edges(drawn, "stop") == set()
    assert {text.text for text in drawn.texts} == {
        *(
            "image x",
            "(b, 784)",
            "encoder",
            mu,
            logvar,
            "(b, d)",
            posterior,
            kl,
            "q(z|x) ‖ p(z)",
            "(b,)",
            "+",
            "×",
            eps,
            z,
        ),
        *("decoder", "logits of pixels", "the same x", log_px, "+ in the ELBO", "− in the ELBO", "σ = exp(½ log σ²)"),
        *("no gradient", "values", "gradients"),
    }
    (frame,) = drawn.frames
    assert {box.text for box in drawn.boxes if frame.contains(box)} == {mu, logvar}
    in_order(vae_schematic().alt, "encoder", "mu", "KL", "epsilon", "z", "decoder", "logits", "log p(x|z)", "gradients")


def test_the_step_of_the_discriminator():
    drawn = read(DISCRIMINATOR)
    discriminator, fake, real, loss = "discriminator D", "fake scores", "real scores", "loss of D"
    learning = {(discriminator, fake), (discriminator, real), (fake, loss), (real, loss)}
    before = {("z ~ N(0, I)", "generator G"), ("generator G", "fake images")}
    images = {("fake images", discriminator), ("real images", discriminator)}
    assert edges(drawn, "values") == learning | before | images
    assert edges(drawn, "gradient") == {(end, start) for start, end in learning}
    # the gradient leaves the discriminator, and does not reach the images
    (stop,) = (each for each in drawn.arrows if each.kind == "stop")
    boxes = {box.text: box for box in drawn.boxes}
    assert stop.tail[1] == boxes[discriminator].top
    assert boxes["fake images"].bottom + 8 < stop.head[1] < stop.tail[1] - 8
    assert [each.kind for each in drawn.key] == ["values", "gradient", "stop"]
    assert {"weights frozen", "weights updated", "detach", "gradient stops"} <= {text.text for text in drawn.texts}
    assert weights(drawn) == {"generator G": "frozen", discriminator: "updated"}
    in_order(
        DISCRIMINATOR.alt, "frozen", "fake images", "updated", "real images", "scores", "loss", "gradients", "stops"
    )


def test_the_step_of_the_generator():
    drawn = read(GENERATOR)
    learning = {("generator G", "fake images"), ("fake images", "discriminator D"), ("discriminator D", "fake scores")}
    learning |= {("fake scores", "loss of G")}
    assert edges(drawn, "values") == learning | {("z ~ N(0, I)", "generator G")}
    assert edges(drawn, "gradient") == {(end, start) for start, end in learning}
    assert [each.kind for each in drawn.key] == ["values", "gradient"]
    assert "gm-stop" not in GENERATOR.svg()
    assert weights(drawn) == {"generator G": "updated", "discriminator D": "frozen"}
    in_order(GENERATOR.alt, "updated", "fake images", "frozen", "scores", "loss", "gradients", "through D", "into G")


def weights(drawn: Drawn) -> dict[str, str]:
    """Whether the weights of each network are updated (a thick outline) or frozen (a dotted one); its text agrees."""
    found = {}
    for rect in drawn.root.iter(f"{SVG}rect"):
        if rect.get("class") == "gm-network":
            area = area_of_rect(rect, drawn.texts)
            found[area.text] = "frozen" if rect.get("stroke-dasharray") else "updated"
            assert (rect.get("stroke-width") == "3") == (found[area.text] == "updated")
            assert f"weights {found[area.text]}" in [text.text for text in drawn.texts if area.contains(text)]
    return found


def in_order(text: str, *parts: str) -> None:
    assert re.search(".*".join(map(re.escape, parts)), text), text


def test_masks():
    drawn = read(mask_schematic())
    cells = sorted((box for box in drawn.boxes), key=lambda box: (box.left > 180, box.top, box.left))
    read_off = "".join(cell.text for cell in cells)
    assert read_off == "11111 11111 11000 00000 00000 11111 11111 11100 00000 00000".replace(" ", "")
    kept = [rect for rect in drawn.root.iter(f"{SVG}rect") if float(rect.get("fill-opacity", 0)) > 0]
    assert {area_of_rect(rect, drawn.texts) for rect in kept} == {cell for cell in cells if cell.text == "1"}
    centres = [rect for rect in drawn.root.iter(f"{SVG}rect") if rect.get("class") == "gm-centre"]
    assert [area_of_rect(rect, drawn.texts) for rect in centres] == [cells[12], cells[37]]
    assert {"mask A", "first layer", "mask B", "later layers"} <= {text.text for text in drawn.texts}
    in_order(mask_schematic().alt, "5 by 5", "above", "kept", "below", "masked", "0 in mask A and 1 in mask B")


# elements, and where they are shown


def test_a_text_is_escaped_and_has_italic_letters():
    s = Schematic('"a" & b')
    s.block("*x* < 3 & *y*", at=(0, 0))
    (text,) = read(s).root.iter(f"{SVG}text")
    assert "".join(text.itertext()) == "x < 3 & y"
    assert [(part.text, part.get("font-style")) for part in text] == [("x", "italic"), ("y", "italic")]
    assert read(s).root.get("aria-label") == '"a" & b'


def test_a_horizontal_arrow_has_its_label_above_both_of_its_lines():
    s = Schematic("a to b")
    a, b = s.block("a", at=(0, 0)), s.block("b", "", "", at=(2, 0.2))
    s.arrow(a, b, "label", gradient="passes")
    drawn = read(s)
    (label,) = (text for text in drawn.texts if text.text == "label")
    assert label.bottom < min(arrow.tail[1] for arrow in drawn.arrows)
    assert edges(drawn, "values") == {("a", "b")}
    assert edges(drawn, "gradient") == {("b", "a")}


def test_an_arrow_ends_at_a_circle_and_at_a_round_end():
    s = Schematic("two draws and a sum")
    left, plus = s.draw("a", "", "", at=(0, 0)), s.sign("+", at=(1, 0.3))
    s.arrow(left, plus, gradient="passes")
    drawn = read(s)
    assert [(box.text, box.radius) for box in drawn.boxes] == [("a", 30), ("+", 13)]  # half of the height
    for each in drawn.arrows:
        assert [min(abs(box.distance(*end)) for box in drawn.boxes) < 0.1 for end in (each.tail, each.head)] == [
            True,
            True,
        ]


def test_a_notebook_that_drops_style_and_svg_shows_an_image():
    both = gan_schematic()
    page = BeautifulSoup(both._repr_html_(), "html.parser")
    assert [str(svg.get("aria-label")) for svg in page("svg")] == [panel.alt for panel in both.panels]
    assert page.div["style"] == "display: none"
    assert page.style.string.count("!important") == 2  # the div is shown, the images are not
    for image, panel in zip(page("img"), both.panels, strict=True):
        assert base64.b64decode(image["src"].removeprefix("data:image/svg+xml;base64,")).decode() == panel.svg()
        assert image["style"] == "background: #fff"  # its ink is black
    assert repr(both).splitlines() == [panel.alt for panel in both.panels]
    assert not page("script")


def test_what_does_not_fit_is_refused(refused):
    with refused("got 4 columns, expected at most 3"):
        Schematic("wide", columns=4)
    s = Schematic("two blocks")
    a = s.block("a", at=(0, 0))
    with refused("got an element at (0.5, 0.2)", "overlaps an earlier one"):
        s.block("b", at=(0.5, 0.2))
    for at in ((-0.5, 1), (2.5, 1), (1, -0.4)):
        with refused(f"got an element at {at}", "leaves the grid"):
            s.block("b", at=at)
    b = s.block("b", at=(1, 1))
    with refused("no straight arrow joins"):
        s.arrow(a, b)
