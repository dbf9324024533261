"""One look for all figures: quiet axes, colours that stay apart for every eye, a white ground that prints."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

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


@contextmanager
def drawing(rows: int = 1, columns: int = 1, *, width: float = 7.0, height: float = 3.2, **kwargs: Any) -> Iterator:
    """Open a figure in this style, and close it in pyplot when it is drawn, so that it shows once and leaks nothing.

    Args:
        rows: rows of axes.
        columns: columns of axes.
        width: inches.
        height: inches.
        **kwargs: for `plt.subplots`.

    Yields:
        The figure, and its axes as an array of shape (rows, columns).
    """
    with plt.rc_context(RC):
        figure, axes = plt.subplots(
            rows,
            columns,
            figsize=(width, height),
            squeeze=False,
            layout="constrained",
            **kwargs,
        )
        try:
            yield figure, axes
        finally:
            plt.close(figure)


def png(figure: Figure) -> bytes:
    """Render a figure.

    Args:
        figure: what to render.

    Returns:
        A PNG file's bytes.
    """
    from io import BytesIO

    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()
