"""A label is one-hot columns beside a vector and constant one-hot planes beside an image; and never optional."""

import pytest
import torch

from gmlib.conditioning import append_label

Y = torch.tensor([2, 0, 1])
ONE_HOT = torch.tensor([[0.0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]])


def test_vectors_get_columns():
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = append_label(x, Y, 4)
    assert found.dtype == torch.float64
    assert torch.equal(found[:, :5], x)
    assert torch.equal(found[:, 5:], ONE_HOT.double())


def test_images_get_planes():
    x = torch.randn(3, 2, 6, 7, generator=torch.Generator().manual_seed(0))
    found = append_label(x, Y, 4)
    assert torch.equal(found[:, :2], x)
    assert found.shape == (3, 6, 6, 7)
    for row in range(6):
        for column in range(7):
            assert torch.equal(found[:, 2:, row, column], ONE_HOT)


def test_without_classes_nothing_changes():
    x = torch.ones(3, 5)
    assert append_label(x, None, 0) is x


def test_a_needless_label_and_a_missing_one(refused):
    with refused("got labels", "unconditional model (num_classes = 0)", "leave them out"):
        append_label(torch.ones(3, 5), Y, 0)
    with refused("got no labels", "conditional model (num_classes = 4)", "one label an image"):
        append_label(torch.ones(3, 5), None, 4)


@pytest.mark.parametrize("y", [Y.int(), Y.float(), Y[:2], Y[:, None], ONE_HOT.long()])
def test_labels_of_another_dtype_or_shape(refused, y):
    with refused(f"got labels {y.dtype} of shape {tuple(y.shape)}", "expected int64 of shape (3,)"):
        append_label(torch.ones(3, 5), y, 4)


def test_labels_that_the_model_does_not_know(refused):
    for y in (torch.tensor([0, 4, 1]), torch.tensor([0, -1, 1])):
        with refused(f"{int(y[1])}", "0 to 3"):
            append_label(torch.ones(3, 5), y, 4)


def test_labels_on_another_device(refused, unchecked):
    with refused("labels torch.int64 of shape (3,) on meta", "on cpu"):
        append_label(torch.ones(3, 5), Y.to("meta"), 4)


def test_what_is_neither_vector_nor_image(refused, unchecked):
    with refused("got x of shape (3, 4, 5)", "(b, f)"):
        append_label(torch.ones(3, 4, 5), Y, 4)
