"""The latent plane: each label has its place and its colour, each image is at its coordinates."""

import numpy as np
import pytest
import torch

from gmlib import InputError
from gmlib.figures import decoded_plane, latent_planes
from gmlib.figures.grids import tile
from gmlib.figures.style import DIGIT_COLOURS
from tests.unit.figures.drawn import images, sheet_of


def test_latent_planes_colour_each_digit_and_write_it_at_its_median():
    labels = torch.arange(27) % 9  # three points of each digit, none of the digit 9
    mu = torch.stack([labels - 4.5, 0.1 * torch.arange(27)], 1).requires_grad_()
    figure = latent_planes({"plane": (mu, labels)}, extent=6.0)
    (ax,) = figure.axes
    assert (ax.get_title(), ax.get_xlim(), ax.get_ylim()) == ("plane", (-6, 6), (-6, 6))
    assert [text.get_text() for text in ax.texts] == list("012345678")
    for digit, (scatter, text) in enumerate(zip(ax.collections, ax.texts, strict=False)):
        np.testing.assert_allclose(scatter.get_offsets(), mu[labels == digit].detach(), rtol=1e-6)
        np.testing.assert_allclose(scatter.get_facecolor()[0][:3], DIGIT_COLOURS[digit][:3])
        np.testing.assert_allclose(text.get_position(), (digit - 4.5, 0.1 * (9 + digit)), rtol=1e-5)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list("0123456789")
    assert [handle.get_color() for handle in legend.legend_handles] == list(DIGIT_COLOURS)


def test_images_of_a_decoded_plane_are_at_their_coordinates():
    ticks = [-1.0, -0.5, 0.0, 0.5]
    figure = decoded_plane(images(16), ticks)
    np.testing.assert_array_equal(sheet_of(figure), tile(images(16), 4, gap=0))
    (ax,) = figure.axes
    assert ax.images[0].get_extent() == [0, 4, 0, 4]
    assert ax.get_ylim() == (0, 4)  # upwards: the first row of images has the largest z_2
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$z_1$", "$z_2$")
    for axis in (ax.xaxis, ax.yaxis):
        written = dict(zip(axis.get_ticklocs(), [text.get_text() for text in axis.get_ticklabels()], strict=True))
        assert written == {1.5: "-0.5", 2.5: "0.0", 3.5: "0.5"}
    with pytest.raises(InputError, match="16"):
        decoded_plane(images(15), ticks)
