"""The style of all figures: colours, fonts and axes; and figures as PNG files."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

# Okabe & Ito 2008: distinguishable with any kind of colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8A8A8A")
INK = "#22303c"  # dark blue-grey, of text and of lines without a colour of their own
# ten colours cannot be distinguished with every kind of colour vision, so figures also write out the digits
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

LOCK = RLock()  # matplotlib has one style for all threads, so only one thread draws at a time


@contextmanager
def drawing(rows: int = 1, columns: int = 1, *, width: float = 7.0, height: float = 3.2, **kwargs: Any) -> Iterator:
    """Yield a figure of this style, `width` by `height` inches, and its axes as an array of shape (rows, columns)."""
    with LOCK, plt.rc_context(RC):
        figure = plt.figure(figsize=(width, height), layout="constrained")
        # closed at once, so that a notebook does not display a figure that another thread is drawing
        plt.close(figure)
        yield figure, figure.subplots(rows, columns, squeeze=False, **kwargs)


def png(figure: Figure, colours: int | None = None) -> bytes:
    """Return a figure as a PNG file; with a palette of at most 256 `colours` the file is about a third as large."""
    from io import BytesIO

    from PIL import Image  # matplotlib needs it too

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    if colours:
        image = Image.open(buffer).convert("RGB").quantize(colours, dither=Image.Dither.NONE)
        buffer = BytesIO()
        image.save(buffer, format="png", optimize=True)
    return buffer.getvalue()
