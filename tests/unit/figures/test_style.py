"""A figure as a file, and one thread at a time."""

from io import BytesIO
from threading import Thread

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from gmlib.figures import image_grid
from gmlib.figures.style import COLOURS, DIGIT_COLOURS, drawing, png
from tests.unit.figures.drawn import images


def test_png_is_a_picture_of_the_figure():
    figure = image_grid(images(4), columns=2)
    picture = Image.open(BytesIO(png(figure)))
    assert picture.format == "PNG"
    assert picture.size == tuple(round(150 * inches) for inches in figure.get_size_inches())


def test_few_colours_make_a_smaller_file():
    figure = image_grid(torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(0)))
    whole, few = png(figure), png(figure, colours=16)
    assert len(few) < len(whole)
    assert len(Image.open(BytesIO(few)).convert("RGB").getcolors()) <= 16


def test_a_drawing_is_of_the_style_and_an_error_ends_the_style():
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
        assert other.is_alive()  # the style is one for all
    other.join(timeout=10)
    assert not other.is_alive()
    assert figure.axes
