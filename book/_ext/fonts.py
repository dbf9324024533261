"""The letters of the book: Source Serif, cut down to the signs that the pages use, within one stylesheet.

The font comes from an installed package. It stands in the stylesheet as data, since a page that is opened from disk may
not read a font that lies beside it.
"""

import base64
from importlib.metadata import files
from io import BytesIO
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx

PACKAGE = "font-source-serif-pro"
FACES = (  # file, style, weight
    ("SourceSerifPro-Regular.ttf", "normal", 400),
    ("SourceSerifPro-It.ttf", "italic", 400),
    ("SourceSerifPro-Semibold.ttf", "normal", 600),
)
# Latin, punctuation, and the few signs that stand in prose; any other comes from a font of the system
SIGNS = (
    *range(0x20, 0x7F),
    *range(0xA0, 0x180),
    *range(0x2010, 0x2027),
    *map(ord, "−×≤≥≈→←√∞"),
)
SHEET = "fonts.css"


def face(file: Path, style: str, weight: int) -> str:
    """Write a face of the font as CSS.

    Args:
        file: the font.
        style: "normal" or "italic".
        weight: 400 for a regular one.

    Returns:
        An `@font-face` rule with the font in it.
    """
    options = Options(layout_features=["kern", "liga", "mark", "mkmk"], hinting=False)
    font = TTFont(file)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=SIGNS)
    subsetter.subset(font)
    font.flavor = "woff"
    written = BytesIO()
    font.save(written)
    data = base64.b64encode(written.getvalue()).decode()
    return (
        f'@font-face {{ font-family: "Source Serif"; font-style: {style}; font-weight: {weight}; '
        f"src: url(data:font/woff;base64,{data}) }}\n"
    )


def write(app: Sphinx) -> None:
    """Write the stylesheet beside the site's other ones.

    Args:
        app: the running Sphinx.
    """
    found = {path.name: Path(str(path.locate())) for path in files(PACKAGE) or ()}
    sheet = Path(app.outdir) / "_static" / SHEET
    sheet.parent.mkdir(parents=True, exist_ok=True)
    sheet.write_text("".join(face(found[name], *rest) for name, *rest in FACES))


def setup(app: Sphinx) -> dict[str, bool]:
    """Have the stylesheet written and linked.

    Args:
        app: the running Sphinx.

    Returns:
        That pages may be read and written in parallel.
    """
    app.connect("builder-inited", write)
    app.add_css_file(SHEET)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
