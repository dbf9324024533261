r"""Formulas as MathML, which browsers show without a script and screen readers can read.

latex2mathml converts the TeX; `polish` then sets spaces as TeX does, and repairs what browsers would show wrongly. An unknown
command is a warning, which stops the build.
"""

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

MACROS = {  # name: how many arguments, and what it stands for
    "E": (0, r"\mathbb{E}"),
    "R": (0, r"\mathbb{R}"),
    "N": (0, r"\mathcal{N}"),
    "KL": (2, r"\mathrm{KL}\left(#1 \,\middle\|\, #2\right)"),
    "JS": (2, r"\mathrm{JS}\left(#1 \,\middle\|\, #2\right)"),
}
ARGUMENT = re.compile(r"\s*(?:\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}|(.))")
THIN, NARROW, THICK = "0.167em", "0.06em", "0.278em"
PRIME = "′"
LIMITS = ("max", "min", "sup", "inf")  # in a display their subscript is below them
SCRIPTED = ("msub", "msup", "msubsup", "munder", "mover", "munderover")
TIGHT = "|‖/.,"  # no space before them, and after them only where TeX has one
OPEN, CLOSE = "([{⟨|‖", ")]}⟩|‖"

log = logging.getLogger(__name__)


def expanded(tex: str) -> str:
    """Return a formula in which our own commands are replaced by their definitions."""
    for name, (count, text) in MACROS.items():
        while found := re.search(rf"\\{name}(?![A-Za-z])", tex):
            end, meaning = found.end(), text
            for number in range(1, count + 1):
                if not (argument := ARGUMENT.match(tex, end)):
                    break
                meaning = meaning.replace(f"#{number}", argument[1] or argument[2])
                end = argument.end()
            tex = f"{tex[: found.start()]}{meaning} {tex[end:]}"
    return tex


def mathml(tex: str, display: bool) -> str:
    """Return a formula as MathML."""
    tex = re.sub(r"\{aligned\}", "{align*}", expanded(tex))
    written = convert(tex, display="block" if display else "inline")
    root = ET.fromstring(
        written.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    )
    if unknown := re.search(r"\\\w*|#\d", "".join(root.itertext())):
        raise ValueError(f"unknown command {unknown[0]} in the formula {tex}")
    polish(root, display)
    return ET.tostring(root, encoding="unicode")


def polish(element: ET.Element, display: bool) -> None:
    """Correct an element and its descendants, in place."""
    for child in element:
        polish(child, display)
    if element.tag in SCRIPTED:
        tighten(element[1:])
    if element.tag == "mover":
        element.set("accent", "true")
    elif (
        element.tag == "msup" and element[1].text == PRIME
    ):  # it is made to stand high by itself
        element.tag = "mrow"
    elif element.tag == "mtable" and "rowspacing" in element.attrib:
        element.attrib.clear()
        element.attrib.update({"class": "gm-align", "displaystyle": "true"})
    elif element.tag == "mspace" and element.get("width") == "negativethinmathspace":
        element.set("width", f"-{THIN}")
    elif element.tag == "msub" and display and word(element[0]) in LIMITS:
        element.tag = "munder"
    elif (
        element.tag == "mtd"
        and len(element) > 1
        and element[0].tag == "mi"
        and not element[0].text
    ):
        element[1].set("form", "infix")  # the sign at which lines are aligned
    elif element.tag in ("mi", "mo"):
        sign(element)
    if element.tag in ("math", "mrow", "mtd", "msqrt", "mstyle"):
        element[:] = list(with_spaces(list(with_words_joined(element))))


def sign(element: ET.Element) -> None:
    """Set the character and the spaces of a letter or an operator as TeX does."""
    text = element.text or ""
    if text == "~" and element.tag == "mi":  # an accent is an `mo`
        element.tag, element.text = "mo", "∼"
    elif text == "*":
        element.text = "∗"
    elif text == PRIME:
        element.tag = "mo"
        element.attrib.update({"lspace": "0", "rspace": "0"})
    elif (
        word(element) and element.tag == "mo"
    ):  # a function's spaces depend on what is beside it
        element.tag, element.attrib = "mi", {}
    elif text and text in TIGHT and element.get("fence") != "true":
        element.attrib.update({"lspace": "0", "rspace": THIN if text == "," else "0"})
    elif text == ":":
        element.tag = "mo"
    elif text == ";":
        element.tag = "mo"
        element.attrib.update({"lspace": "0", "rspace": THIN})


def tighten(scripts: list[ET.Element]) -> None:
    """Reduce the space around operators in sub- and superscripts, as TeX does."""
    for script in scripts:
        for element in script.iter("mo"):
            for side in ("lspace", "rspace"):
                element.attrib.setdefault(side, NARROW)


def with_words_joined(row: ET.Element) -> Iterator[ET.Element]:
    """Yield the elements of a row, with adjacent upright letters joined into one word, such as KL."""
    before = None
    for child in row:
        upright = child.tag == "mi" and child.get("mathvariant") == "normal"
        if upright and before is not None:
            before.text = f"{before.text}{child.text}"
            continue
        before = child if upright else None
        if (
            child.tag != "mi" or child.text
        ):  # an empty one stands in each second cell of an alignment
            yield child


def with_spaces(row: list[ET.Element]) -> Iterator[ET.Element]:
    """Yield the elements of a row, with a space between a function and its argument, and none between a sign and its number."""
    before = ""
    for i, child in enumerate(row):
        kind = kind_of(child)
        after = kind_of(row[i + 1]) if i + 1 < len(row) else ""
        if kind == "function" and before in ("letter", "close"):
            yield ET.Element("mspace", width=THIN)
        if (
            child.text in ("−", "+")
            and child.tag == "mo"
            and before in ("", "operator", "open")
        ):
            child.attrib.update({"form": "prefix", "lspace": "0", "rspace": "0"})
        if child.text == "," and len(row) == 1:  # {,} within a number
            child.set("rspace", "0")
        if (
            child.text == ":"
        ):  # between two things it is an operator, behind all it ends a phrase
            child.attrib.update(
                {"lspace": THICK, "rspace": THICK} if after else {"lspace": "0"}
            )
        yield child
        if kind == "function" and after in ("letter", "function"):
            yield ET.Element("mspace", width=THIN)
            kind = ""
        if kind != "space":
            before = kind


def kind_of(element: ET.Element) -> str:
    """Return the kind of an element, on which the spaces around it depend."""
    while element.tag in SCRIPTED:
        element = element[0]
    text = element.text or ""
    if element.tag == "mspace":
        return "space"
    if word(element) and "mathvariant" not in element.attrib:
        return "function"
    if element.tag != "mo" or text in ("∇", "∂", "|", "‖", "∑", "∏", "∫", "!"):
        return "letter"
    return "open" if text in OPEN else "close" if text in CLOSE else "operator"


def word(element: ET.Element) -> str:
    """Return the name of a function; empty if the element is no function."""
    text = element.text or ""
    return (
        text if element.tag in ("mi", "mo") and len(text) > 1 and text.isalpha() else ""
    )


# ---- in the page


def write(translator: Any, node: nodes.Element, display: bool) -> str:
    """Return a node's formula as MathML, and record its characters for the font."""
    try:
        written = mathml(node.astext(), display)
    except Exception as error:
        log.warning("formula: %s", error, location=node)
        return str(translator.encode(node.astext()))
    vars(translator.builder).setdefault("signs", set()).update(written)
    return written


def inline(translator: Any, node: nodes.math) -> None:
    """Write a formula within a line."""
    opened = translator.starttag(node, "span", "", CLASS="math notranslate nohighlight")
    translator.body.append(f"{opened}{write(translator, node, False)}</span>")
    raise nodes.SkipNode


def block(translator: Any, node: nodes.math_block) -> None:
    """Write a displayed formula, with its number if it has one."""
    body = translator.body
    body.append(translator.starttag(node, "div", CLASS="math notranslate nohighlight"))
    if node["number"]:
        number = get_node_equation_number(translator, node)
        body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        body.append("</span>")
    body.append(f"{write(translator, node, True)}</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer under the name mathml."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": False}
