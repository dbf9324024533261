"""A set of images: what it takes and refuses, and how its pixels are drawn."""

import hashlib

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from gmlib import Batches, ImageDataset, binarise, mnist
from gmlib.data import require_classes

LABELS = torch.tensor([3, 1, 0, 2, 2])


def bytes_of(n: int) -> torch.Tensor:
    return torch.arange(n * 784).reshape(n, 1, 28, 28).to(torch.uint8)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"images": bytes_of(5) / 255}, "torch.float32"),
        ({"images": bytes_of(5).long()}, "torch.int64"),
        ({"images": torch.zeros(5, 1, 32, 32, dtype=torch.uint8)}, "(5, 1, 32, 32)"),
        ({"labels": LABELS.float()}, "integers"),
        ({"labels": LABELS.bool()}, "torch.bool"),
        ({"labels": LABELS[:2]}, "(2,)"),
        ({"labels": LABELS - 1}, "from -1"),
        ({"classes": list("abc")}, "3 class names"),
        ({"classes": "abcd"}, "list of names"),
        ({"classes": [0, 1, 2, 3]}, "list of names"),
        ({"labels": None, "classes": list("abcd")}, "without labels"),
    ],
)
def test_wrong_images_labels_and_classes_are_refused(unchecked, refused, wrong, word):
    with refused(word):
        ImageDataset(**{"images": bytes_of(5), "labels": LABELS} | wrong)


def test_class_names_are_the_numbers_up_to_the_largest_label():
    dataset = ImageDataset(bytes_of(4), torch.tensor([2, 0, 0, 4]))
    assert dataset.classes == ("0", "1", "2", "3", "4")
    assert (dataset.num_classes, dataset.name) == (5, "own images")
    assert ImageDataset(bytes_of(4), torch.tensor([1, 0, 0, 1]), ["a", "b", "c"]).classes == ("a", "b", "c")
    assert ImageDataset(bytes_of(0), torch.tensor([], dtype=torch.int64)).classes == ()


def test_images_without_a_channel_arrays_and_other_integers_are_taken():
    images = bytes_of(5)
    read_only = images[:, 0].numpy().copy()
    read_only.flags.writeable = False
    for given in (
        ImageDataset(images[:, 0], LABELS.to(torch.uint8)),
        ImageDataset(read_only, LABELS.numpy().astype(np.int16)),
        ImageDataset(images.flip(0).numpy()[::-1], LABELS.flip(0).numpy()[::-1]),
    ):
        assert torch.equal(given.images, images)
        assert torch.equal(given.labels, LABELS)
        assert given.labels.dtype == torch.int64
    array = np.zeros((2, 28, 28), dtype=np.uint8)
    dataset = ImageDataset(array)
    array[:] = 255
    assert dataset.images.max() == 0  # an array is copied


def test_one_image_and_its_label():
    dataset = ImageDataset(bytes_of(3), LABELS[:3], name="x")
    image, label = dataset[1]
    assert torch.equal(image, dataset.images[1].float() / 255)
    assert (image.shape, image.dtype, label, type(label)) == ((1, 28, 28), torch.float32, 1, int)
    assert dataset[-1][1] == dataset[np.int64(2)][1] == dataset[torch.tensor(2)][1] == 0
    assert [label for _, label in dataset] == [3, 1, 0]
    with pytest.raises(IndexError):
        dataset[3]


def test_a_loader_of_pytorch_batches_it():
    dataset = ImageDataset(bytes_of(5), LABELS)
    batches = [*DataLoader(dataset, batch_size=3)]
    assert torch.equal(torch.cat([images for images, _ in batches]), dataset.grey())
    assert torch.equal(torch.cat([labels for _, labels in batches]), LABELS)


def test_some_of_the_images_keep_names():
    dataset = ImageDataset(bytes_of(5), torch.tensor([1, 1, 0, 2, 2]), list("abcd"), "letters/test")
    for some in (dataset[1:3], dataset[[1, 2]], dataset[torch.tensor([1, 2])], dataset[torch.arange(5) % 3 > 0][:2]):
        assert torch.equal(some.images, dataset.images[[1, 2]])
        assert some.labels.tolist() == [1, 0]
        assert (some.classes, some.name) == (dataset.classes, dataset.name)
    moved = dataset.to("cpu")
    assert (moved.classes, moved.name, moved.digest) == (dataset.classes, dataset.name, dataset.digest)


def test_a_set_without_labels(refused):
    dataset = ImageDataset(bytes_of(4), name="clouds/train")
    assert (dataset.labels, dataset.classes, dataset.num_classes) == (None, (), 0)
    assert torch.equal(dataset[1], dataset.grey()[1])
    assert dataset[:2].labels is dataset.to("cpu").labels is None
    for call in (dataset.require_labels, lambda: require_classes(dataset)):
        with refused("clouds/train without labels"):
            call()


def test_the_digest_depends_on_images_and_labels_only():
    images, labels = bytes_of(4), torch.tensor([1, 1, 0, 2])
    digest = ImageDataset(images, labels).digest
    content = b"(4, 1, 28, 28)" + images.numpy().tobytes() + labels.numpy().tobytes()
    assert digest == hashlib.sha256(content).hexdigest()[:16]
    assert ImageDataset(images, labels, list("abc"), "x").digest == digest
    assert ImageDataset(images.transpose(2, 3).contiguous().transpose(2, 3), labels.byte()).digest == digest
    other = images.clone()
    other[3, 0, 27, 27] ^= 1
    for dataset in (ImageDataset(other, labels), ImageDataset(images, labels.flip(0)), ImageDataset(images)):
        assert dataset.digest != digest


def test_a_set_cannot_be_changed_and_describes_itself():
    dataset = ImageDataset(bytes_of(4), torch.tensor([1, 1, 0, 2]), name="x")
    with pytest.raises(AttributeError):
        dataset.labels = torch.zeros(4)
    assert repr(dataset) == "ImageDataset('x': 4 images, 3 classes)"
    assert repr(ImageDataset(bytes_of(1))) == "ImageDataset('own images': 1 images, no labels)"


def test_classes_without_images_are_named(refused):
    require_classes(ImageDataset(bytes_of(3), torch.tensor([0, 1, 2]), list("abc")))
    with refused("letters/test without an image of class 'b',"):
        require_classes(ImageDataset(bytes_of(3), torch.tensor([0, 2, 2]), list("abc"), "letters/test"))


def test_grey_is_the_byte_over_255():
    images = torch.arange(256, dtype=torch.uint8).repeat(49).reshape(16, 1, 28, 28)
    assert torch.equal(ImageDataset(images).grey(), images.float() / 255)


def test_binarise_draws_each_byte_with_probability_value_over_255(made_up, unchecked, refused):
    n = 40_000
    images = torch.arange(256, dtype=torch.uint8).expand(n, 256)
    images = torch.cat([images, torch.zeros(n, 784 - 256, dtype=torch.uint8)], 1).reshape(n, 1, 28, 28)
    drawn = binarise(images, torch.Generator().manual_seed(1))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    frequency = drawn.flatten(1)[:, :256].double().mean(0)
    p = torch.arange(256).double() / 255
    assert (frequency[0], frequency[255]) == (0, 1)
    z = ((frequency - p) / (p * (1 - p) / n).sqrt())[1:255]
    assert z.abs().max() < 5
    for other in (made_up.grey(), made_up.images.long()):
        with refused("torch.uint8"):
            binarise(other, torch.Generator())


def test_the_order_in_memory_does_not_change_a_draw(made_up):
    images = torch.randint(256, made_up.images.shape, generator=torch.Generator().manual_seed(2)).to(torch.uint8)
    contiguous = ImageDataset(images, made_up.labels)
    transposed = ImageDataset(images.transpose(2, 3).contiguous().transpose(2, 3), made_up.labels)
    assert torch.equal(transposed.binarised(), contiguous.binarised())
    pairs = zip(Batches(transposed, 16, binarised=True), Batches(contiguous, 16, binarised=True), strict=True)
    assert all(torch.equal(x, expected) for (x, _), (expected, _) in pairs)


def test_draws_are_those_of_every_earlier_version(made_up):
    """Shipped ELBOs were measured on them."""
    found = mnist("test").binarised().flatten(1).to(torch.uint8).numpy().tobytes()
    assert hashlib.sha256(found).hexdigest() == "07fddc24c235e4c696642e81e34a9fb2c2a787455f6425b82690c915d813d482"
    assert torch.equal(made_up.binarised(3), made_up.binarised(3))
    assert not torch.equal(made_up.binarised(3), made_up.binarised(4))
