"""One look for all figures: quiet axes, colours that stay apart for every eye, a white ground that prints."""

from collections.abc import Iterator, Sized
from contextlib import contextmanager
from threading import RLock
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from gmlib.errors import InputError

# Okabe & Ito 2008: told apart with any kind of colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8A8A8A")
INK = "#22303c"

# ten digits need ten colours; each is also written out where it is used
DIGIT_COLOURS = tuple(plt.get_cmap("tab10")(range(10)))

RC: Any = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.size": 10,
    "axes.prop_cycle": plt.cycler(color=COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e7ea",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#8795a1",
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


ALONE = RLock()  # the style is set for all of matplotlib, so that one thread draws at a time


def require_panels(panels: Sized) -> None:
    """Refuse to draw nothing.

    Args:
        panels: of a figure.

    Raises:
        InputError: if there is none.
    """
    if not len(panels):
        raise InputError("got nothing to draw, expected at least one panel: give its title and what it shows")


@contextmanager
def drawing(rows: int = 1, columns: int = 1, *, width: float = 7.0, height: float = 3.2, **kwargs: Any) -> Iterator:
    """Open a figure in this style, which pyplot forgets at once, so that it shows once and leaks nothing.

    Args:
        rows: rows of axes.
        columns: columns of axes.
        width: inches.
        height: inches.
        **kwargs: for `Figure.subplots`.

    Yields:
        The figure, and its axes as an array of shape (rows, columns).
    """
    require_panels(range(min(rows, columns)))
    with ALONE, plt.rc_context(RC):
        figure = plt.figure(figsize=(width, height), layout="constrained")
        # at once, else a notebook may show what another thread is drawing under a cell that ends meanwhile
        plt.close(figure)
        yield figure, figure.subplots(rows, columns, squeeze=False, **kwargs)


def png(figure: Figure, colours: int | None = None) -> bytes:
    """Render a figure.

    Args:
        figure: what to render.
        colours: at most so many, up to 256, which makes the file about a third as large; None keeps all.

    Returns:
        A PNG file's bytes.
    """
    from io import BytesIO

    from PIL import Image  # matplotlib needs it too

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    if colours:
        few = Image.open(buffer).convert("RGB").quantize(colours, dither=Image.Dither.NONE)
        buffer = BytesIO()
        few.save(buffer, format="png", optimize=True)
    return buffer.getvalue()
