"""One-hot labels beside a vector and as channels of an image."""

import pytest
import torch

from gmlib.conditioning import append_label

Y = torch.tensor([2, 0, 1])
ONE_HOT = torch.tensor([[0.0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]])


def test_vectors_get_columns():
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = append_label(x, Y, 4)
    assert found.dtype == torch.float64
    assert append_label(x.bfloat16(), Y, 4).dtype == torch.bfloat16
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


@pytest.mark.parametrize(
    ("y", "num_classes", "word"),
    [
        (Y, 0, "unconditional"),
        (None, 4, "got no labels"),
        (Y.int(), 4, "torch.int32"),
        (torch.tensor([0, 4, 1]), 4, "from 0 to 4"),
        (torch.tensor([0, -1, 1]), 4, "from -1 to 1"),
    ],
)
def test_labels_of_another_model(refused, y, num_classes, word):
    with refused(word):
        append_label(torch.ones(3, 5), y, num_classes)


@pytest.mark.parametrize("y", [Y[:2], Y[:1], Y[:, None]])
def test_torch_refuses_labels_of_another_shape(y):
    for x in (torch.ones(3, 5), torch.ones(3, 2, 6, 7)):
        with pytest.raises(RuntimeError):
            append_label(x, y, 4)
