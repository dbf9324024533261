"""Mini-batches: what is drawn, in which order, from which bytes."""

import hashlib

import pytest
import torch

from gmlib import Batches, ImageDataset
from gmlib.data import join_channels


def numbered(n: int) -> ImageDataset:
    """Images whose first two bytes are their number."""
    images = torch.zeros(n, 1, 28, 28, dtype=torch.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = torch.arange(n) // 256, torch.arange(n) % 256
    return ImageDataset(images, torch.arange(n) % 10, name="numbered")


def epoch(batches: Batches) -> list[list[int]]:
    found = []
    for x, y in batches:
        number = (x[:, 0, 0, 0] * 255 * 256 + x[:, 0, 0, 1] * 255).round().long()
        assert torch.equal(y, number % 10)  # labels stay with their images
        found.append(number.tolist())
    return found


def test_an_epoch_yields_each_image_at_most_once():
    batches = Batches(numbered(300), 64, binarised=False)
    for _ in range(3):
        numbers = epoch(batches)
        assert [len(batch) for batch in numbers] == [64] * 4
        assert len(numbers) == len(batches)
        assert len({number for batch in numbers for number in batch}) == 256


def test_order_depends_on_seed_and_epoch_only():
    def orders(seed: int) -> list[list[list[int]]]:
        batches = Batches(numbered(300), 64, binarised=False, seed=seed)
        return [epoch(batches) for _ in range(3)]

    first, second = orders(0), orders(1)
    torch.manual_seed(99)  # the global generator does not matter
    assert orders(0) == first
    assert len({str(order) for order in first + second}) == 6


def test_batches_go_on_from_the_middle_of_an_epoch(made_up):
    whole = Batches(made_up, 8, binarised=True, seed=5)
    for _ in whole:
        pass
    for i, _ in enumerate(whole):  # the second epoch
        if i == 2:
            state = whole.state_dict()
            break
    fresh = Batches(made_up, 8, binarised=True, seed=5)
    fresh.load_state_dict(state)
    expected, found = [*whole, *whole], [*fresh, *fresh]  # what is left of this epoch, and the next
    assert len(found) == len(expected) == 5 + 8
    for (x, y), (x_found, y_found) in zip(expected, found, strict=True):
        assert torch.equal(x, x_found)
        assert torch.equal(y, y_found)


@pytest.mark.parametrize(("size", "stack"), [(0, 1), (65, 1), (33, 2), (8, 0), (-8, 1)])
def test_a_batch_has_to_fit(made_up, refused, size, stack):
    with refused(f"batch size {size}"):
        Batches(made_up, size, binarised=True, stack=stack)
    assert len(Batches(made_up, 64, binarised=True)) == len(Batches(made_up, 32, stack=2, binarised=True)) == 1


def test_images_are_joined_along_their_channels(unchecked, refused):
    x = torch.arange(6 * 2 * 3 * 4.0).reshape(6, 2, 3, 4)
    joined = join_channels(x, 3)
    assert joined.shape == (2, 6, 3, 4)
    for i in range(6):
        assert torch.equal(joined[i // 3, 2 * (i % 3) : 2 * (i % 3) + 2], x[i])
    with refused("(6, 28, 28)"):
        join_channels(torch.zeros(6, 28, 28), 2)


def test_batches_without_labels(made_up):
    """The same images in the same order."""
    plain, labelled = ImageDataset(made_up.images), made_up
    for kwargs in ({"binarised": True}, {"binarised": False, "stack": 2}):
        pairs = zip(Batches(plain, 16, **kwargs), Batches(labelled, 16, **kwargs), strict=True)
        for (x, y), (expected, _) in pairs:
            assert y is None
            assert torch.equal(x, expected)


def test_batches_are_those_of_every_earlier_version(made_up):
    """Shipped runs were trained in this order, on these draws."""
    found = hashlib.sha256()
    for kwargs in ({"binarised": True}, {"binarised": False, "stack": 3}):
        batches = Batches(made_up, 8, seed=5, **kwargs)
        for x, y in [*batches, *batches]:
            found.update(x.numpy().tobytes() + y.numpy().tobytes())
    assert found.hexdigest() == "323650908c599455454e85b561876d66b6fbdd44f44204efa0abca4d0a9ff7dd"
