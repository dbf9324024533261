"""A figure as a PNG file, its style, and one thread at a time."""

from io import BytesIO
from threading import Thread

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from gmlib.figures import image_grid
from gmlib.figures.style import COLOURS, DIGIT_COLOURS, drawing, png
from tests.unit.figures.drawn import images


def test_png_is_a_picture_of_the_figure_with_few_colours_on_demand():
    figure = image_grid(torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(0)))
    full, small = png(figure), png(figure, colours=16)
    picture = Image.open(BytesIO(full))
    assert picture.format == "PNG"
    assert picture.size == pytest.approx(150 * figure.get_size_inches(), abs=1)
    assert len(small) < len(full)
    assert len(Image.open(BytesIO(small)).convert("RGB").getcolors()) <= 16


def test_the_style_holds_for_one_drawing_and_ends_after_an_error():
    with drawing(2, 3) as (figure, axes):
        assert axes.shape == (2, 3)
        assert figure.get_size_inches().tolist() == [7, 3.2]
        assert not axes[0, 0].spines["top"].get_visible()
    with pytest.raises(ZeroDivisionError), drawing():
        _ = 1 / 0


def test_colours_are_distinct():
    assert len(set(COLOURS)) == len(COLOURS)
    assert len({tuple(colour) for colour in DIGIT_COLOURS}) == 10


def test_another_thread_waits_until_a_figure_is_drawn():
    with drawing() as (figure, _):
        assert plt.get_fignums() == []
        other = Thread(target=image_grid, args=(images(4),))
        other.start()
        other.join(timeout=0.2)
        assert other.is_alive()
    other.join(timeout=10)
    assert not other.is_alive()
    assert figure.axes
