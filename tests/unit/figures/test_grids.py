"""Each image is at its place, and tensors that are not images in [0, 1] are refused."""

import numpy as np
import pytest
import torch

from gmlib import InputError
from gmlib.figures import image_grid, image_grids, rows_of_images
from gmlib.figures.grids import tile
from tests.unit.figures.drawn import images, sheet_of


@pytest.mark.parametrize(("n", "columns", "gap"), [(7, 3, 2), (1, 1, 2), (5, 8, 0), (4, 2, 0)])
def test_tile_puts_each_image_in_its_place(n, columns, gap):
    found = tile(images(n), columns, gap)
    rows = (n + columns - 1) // columns
    expected = torch.zeros(rows * (3 + gap) - gap, columns * (4 + gap) - gap)
    for i in range(n):
        top, left = (i // columns) * (3 + gap), (i % columns) * (4 + gap)
        expected[top : top + 3, left : left + 4] = images(n)[i, 0]
    assert torch.equal(found, expected)


def test_channels_are_side_by_side():
    one, two, three = images(3)
    stacks = torch.stack([torch.cat([one, two, three]), torch.cat([three, one, two])])
    expected = torch.cat([torch.cat([one, two, three], 2), torch.cat([three, one, two], 2)], 1)
    assert torch.equal(tile(stacks, 1, gap=0), expected[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_images_of_other_float_dtypes_are_drawn_without_gradients(dtype):
    found = tile(images(4).to(dtype).requires_grad_(), 2)
    assert (found.dtype, found.requires_grad) == (torch.float32, False)
    torch.testing.assert_close(found, tile(images(4), 2), atol=4e-3, rtol=0)


def test_an_image_grid_is_one_sheet_with_a_title():
    figure = image_grid(images(7), columns=3, title="Seven")
    np.testing.assert_array_equal(sheet_of(figure), tile(images(7), 3))
    assert figure.axes[0].get_title() == "Seven"
    assert not figure.axes[0].axison
    assert figure.get_size_inches().tolist() == pytest.approx([7, 7 * 13 / 16 + 0.35])
    assert image_grid(images(30)).get_size_inches()[1] == pytest.approx(7 * 13 / 58 + 0.1)  # ten columns, no title


def test_image_grids_are_side_by_side():
    figure = image_grids({"left": images(4), "right": images(6)}, columns=2)
    assert [ax.get_title() for ax in figure.axes] == ["left", "right"]
    for panel, n in enumerate((4, 6)):
        np.testing.assert_array_equal(sheet_of(figure, panel), tile(images(n), 2))
    assert figure.get_size_inches()[1] == pytest.approx(3.5 * 13 / 10 + 0.35)  # the height of the higher sheet


def test_rows_of_images_have_names():
    rows = {"originals": images(5), "reconstructions": images(5) / 2}
    figure = rows_of_images(rows)
    np.testing.assert_array_equal(sheet_of(figure), tile(torch.cat([*rows.values()]), 5))
    (ax,) = figure.axes
    names = dict(zip([label.get_text() for label in ax.get_yticklabels()], ax.get_yticks(), strict=True))
    assert names == {"originals": 2, "reconstructions": 6}  # of 8 pixels
    assert not len(ax.get_xticks())
    assert figure.get_size_inches().tolist() == pytest.approx([7, 6 * 8 / 28 + 0.1])


@pytest.mark.usefixtures("unchecked")
def test_other_tensors_than_images_are_refused():
    for wrong in (
        torch.zeros(4, 28, 28),
        torch.zeros(4, 1, 28, 28, dtype=torch.uint8),
        torch.full((4, 1, 2, 2), 255.0),
    ):
        with pytest.raises(InputError, match="got images"):
            tile(wrong, 2)
    with pytest.raises(InputError, match="same number"):
        rows_of_images({"originals": images(5), "reconstructions": images(4)})
