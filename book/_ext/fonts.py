"""Fonts of the book: Source Serif for text, STIX Two Math for formulas, the theme's icons; only the characters that pages use.

The fonts come from installed packages. One stylesheet contains them as data, since a browser does not let a page that is
opened from disk read a font file.
"""

import base64
from collections.abc import Iterable
from importlib.metadata import files
from io import BytesIO
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx

SERIF = (  # file of the package font-source-serif-pro, style, weight
    ("SourceSerifPro-Regular.ttf", "normal", 400),
    ("SourceSerifPro-It.ttf", "italic", 400),
    ("SourceSerifPro-Semibold.ttf", "normal", 600),
)
# code points in prose: Latin, punctuation, a few signs; any other comes from a font of the system
PROSE = (
    *range(0x20, 0x7F),
    *range(0xA0, 0x180),
    *range(0x2010, 0x2027),
    *map(ord, "−×≤≥≈→←√∞"),
)
# code points that formulas show and that are not in their text: italic letters, and the root
ADDED_BY_BROWSERS = (
    0x210E,
    *range(0x1D434, 0x1D468),
    *range(0x1D6E2, 0x1D71C),
    ord("√"),
)
# icons of buttons, exercises, hints and launch buttons; any other comes from the theme's own font
ICONS = (0xF002, 0xF019, 0xF03A, 0xF042, 0xF062, 0xF06A, 0xF0C9, 0xF0EB, 0xF104, 0xF105)
ICONS += (0xF121, 0xF135, 0xF15B, 0xF185, 0xF186, 0xF1C1, 0xF303)
SHEET = "fonts.css"


def face(
    family: str,
    file: Path,
    code_points: Iterable[int],
    style: str = "normal",
    weight: int = 400,
) -> str:
    """Return a CSS rule with a font that has only these code points."""
    # ssty: signs made for superscripts
    options = Options(
        layout_features=["kern", "liga", "mark", "mkmk", "ssty"], hinting=False
    )
    font = TTFont(file)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=code_points)
    subsetter.subset(font)
    font.flavor = "woff"
    written = BytesIO()
    font.save(written)
    data = base64.b64encode(written.getvalue()).decode()
    return (
        f'@font-face {{ font-family: "{family}"; font-style: {style}; font-weight: {weight}; '
        f"src: url(data:font/woff;base64,{data}) }}\n"
    )


def fonts_of(package: str) -> dict[str, Path]:
    """Return the font files of an installed package, by name."""
    return {
        path.name: Path(str(path.locate()))
        for path in files(package) or ()
        if path.suffix == ".ttf"
    }


def write(app: Sphinx, error: Exception | None) -> None:
    """Write the stylesheet of fonts into the site."""
    if error:
        return
    used = {ord(sign) for sign in vars(app.builder).get("signs", ())}
    serif, stix = fonts_of("font-source-serif-pro"), fonts_of("ziamath")
    faces = [
        face("Source Serif", serif[name], PROSE, style, weight)
        for name, style, weight in SERIF
    ]
    faces.append(
        face(
            "STIX Two Math",
            stix["STIXTwoMath-Regular.ttf"],
            used | {*ADDED_BY_BROWSERS},
        )
    )
    icons = fonts_of("pydata-sphinx-theme")["fa-solid-900.ttf"]
    faces.append(face("Font Awesome 6 Free", icons, ICONS, weight=900))
    (Path(app.outdir) / "_static" / SHEET).write_text("".join(faces))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("build-finished", write)
    app.add_css_file(SHEET)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
