"""A set of images: what it takes and refuses, and how its pixels are drawn."""

import hashlib

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from gmlib import Batches, ImageDataset, binarise, mnist
from gmlib.data import require_classes


def bytes_of(n: int) -> torch.Tensor:
    return torch.arange(n * 784).reshape(n, 1, 28, 28).to(torch.uint8)


def test_what_is_not_a_set_of_images_is_refused(unchecked, refused):
    images, labels = torch.zeros(3, 1, 28, 28, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64)
    with refused("torch.float32", "expected torch.uint8", "multiply by 255", "convert"):
        ImageDataset(images.float() / 255, labels)
    with refused("torch.int64", "expected torch.uint8", "convert"):
        ImageDataset(images.long(), labels)
    with refused("(3, 1, 32, 32)", "(n, 1, 28, 28)", "resize"):
        ImageDataset(images.new_zeros(3, 1, 32, 32), labels)
    with refused("(3, 28, 28, 3)", "(n, 1, 28, 28)"):
        ImageDataset(images.new_zeros(3, 28, 28, 3), labels)
    with refused("torch.float32", "expected integers", "one label per image"):
        ImageDataset(images, labels.float())
    with refused("torch.bool", "expected integers"):
        ImageDataset(images, labels.bool())
    with refused("(2,)", "3 images", "(3,)"):
        ImageDataset(images, labels[:2])
    with refused("label -1", "from 0"):
        ImageDataset(images, torch.tensor([0, -1, 3]))
    for name, value in (("images", list(images)), ("labels", labels.tolist())):
        with refused(f"got {name} as a list", "tensor"):
            ImageDataset(**{"images": images, "labels": labels} | {name: value})
    with refused("array of object", "integers"):
        ImageDataset(images, np.array(["a", "b", None], dtype=object))


def test_class_names_are_the_numbers_up_to_the_largest_label():
    dataset = ImageDataset(bytes_of(4), torch.tensor([2, 0, 0, 4]))
    assert dataset.classes == ("0", "1", "2", "3", "4")
    assert (dataset.num_classes, dataset.name) == (5, "own images")
    assert ImageDataset(bytes_of(4), torch.tensor([1, 0, 0, 1]), ["a", "b", "c"]).classes == ("a", "b", "c")


def test_a_label_without_a_name_is_refused(unchecked, refused):
    with refused("label 26", "26 class names", "from 0 to 25", "add the missing names"):
        ImageDataset(bytes_of(2), torch.tensor([0, 26]), list("abcdefghijklmnopqrstuvwxyz"))
    with refused("label 123456789", "class names"):
        ImageDataset(bytes_of(2), torch.tensor([0, 123456789]))
    with refused("got classes 'ab'", "list of names"):
        ImageDataset(bytes_of(2), torch.tensor([0, 1]), "ab")
    with refused("got classes [0, 1]", "list of names"):
        ImageDataset(bytes_of(2), torch.tensor([0, 1]), [0, 1])


def test_images_without_a_channel_arrays_and_other_integers_are_taken():
    images, labels = bytes_of(5), torch.tensor([3, 1, 0, 2, 2])
    expected = ImageDataset(images, labels)
    read_only = images[:, 0].numpy().copy()
    read_only.flags.writeable = False
    for given in (
        ImageDataset(images[:, 0], labels.to(torch.uint8)),
        ImageDataset(read_only, labels.numpy().astype(">i4")),
        ImageDataset(images.numpy()[::-1][::-1], labels.numpy()[::-1][::-1]),
    ):
        assert torch.equal(given.images, expected.images)
        assert torch.equal(given.labels, expected.labels)
        assert given.labels.dtype == torch.int64


def test_an_array_is_copied():
    array = np.zeros((2, 28, 28), dtype=np.uint8)
    dataset = ImageDataset(array)
    array[:] = 255
    assert dataset.images.max() == 0


def test_one_image_and_its_label():
    dataset = ImageDataset(bytes_of(3), torch.tensor([3, 1, 0]), name="x")
    image, label = dataset[1]
    assert torch.equal(image, dataset.images[1].float() / 255)
    assert (image.shape, image.dtype, label, type(label)) == ((1, 28, 28), torch.float32, 1, int)
    assert dataset[-1][1] == dataset[np.int64(2)][1] == dataset[torch.tensor(2)][1] == 0
    assert [label for _, label in dataset] == [3, 1, 0]
    with pytest.raises(IndexError):
        dataset[3]


@pytest.mark.parametrize("labelled", [True, False])
def test_a_loader_of_pytorch_batches_it(labelled):
    dataset = ImageDataset(bytes_of(5), torch.tensor([3, 1, 0, 2, 2]) if labelled else None)
    first, second = DataLoader(dataset, batch_size=3)
    if labelled:
        assert first[1].tolist() + second[1].tolist() == [3, 1, 0, 2, 2]
        first, second = first[0], second[0]
    assert torch.equal(torch.cat([first, second]), dataset.grey())


def test_some_of_the_images_keep_names():
    dataset = ImageDataset(bytes_of(5), torch.tensor([1, 1, 0, 2, 2]), list("abcd"), "letters/test")
    for some in (dataset[1:3], dataset[[1, 2]], dataset[torch.tensor([1, 2])], dataset[torch.arange(5) % 3 > 0][:2]):
        assert torch.equal(some.images, dataset.images[[1, 2]])
        assert some.labels.tolist() == [1, 0]
        assert (some.classes, some.name) == (dataset.classes, dataset.name)
    moved = dataset.to("cpu")
    assert (moved.classes, moved.name, moved.digest) == (dataset.classes, dataset.name, dataset.digest)


def test_a_set_without_labels(refused, unchecked):
    dataset = ImageDataset(bytes_of(4), name="clouds/train")
    assert (dataset.labels, dataset.classes, dataset.num_classes) == (None, (), 0)
    assert torch.equal(dataset[1], dataset.grey()[1])
    assert dataset[:2].labels is dataset.to("cpu").labels is None
    assert len(list(dataset)) == 4
    with refused("clouds/train without labels", "one label per image"):
        dataset.require_labels()
    with refused("clouds/train without labels"):
        require_classes(dataset)
    with refused("2 class names", "without labels"):
        ImageDataset(bytes_of(4), classes=["a", "b"])


def test_the_digest_depends_on_images_and_labels_only():
    images, labels = bytes_of(4), torch.tensor([1, 1, 0, 2])
    digest = ImageDataset(images, labels).digest
    assert len(digest) == 16
    assert int(digest, 16)
    assert ImageDataset(images, labels, list("abc"), "x").digest == digest
    assert ImageDataset(images.transpose(2, 3).contiguous().transpose(2, 3), labels.byte()).digest == digest
    other = images.clone()
    other[3, 0, 27, 27] ^= 1
    different = [ImageDataset(other, labels), ImageDataset(images, labels.flip(0)), ImageDataset(images)]
    assert len({digest, *(each.digest for each in different)}) == 4


def test_a_set_cannot_be_changed_and_says_what_it_is():
    dataset = ImageDataset(bytes_of(4), torch.tensor([1, 1, 0, 2]), name="x")
    with pytest.raises(AttributeError):
        dataset.labels = torch.zeros(4)
    assert repr(dataset) == "ImageDataset('x': 4 images, 3 classes)"
    assert repr(ImageDataset(bytes_of(1))) == "ImageDataset('own images': 1 images, no labels)"


def test_classes_without_images_are_named(refused):
    dataset = ImageDataset(bytes_of(3), torch.tensor([0, 2, 2]), list("abc"), "letters/test")
    with refused("letters/test without an image of class 'b',", "each of the 3 classes", "add images"):
        require_classes(dataset)
    require_classes(ImageDataset(bytes_of(3), torch.tensor([0, 1, 2]), list("abc")))
    with refused("'1', '2', '3', '4', '5' and 3 more"):
        require_classes(ImageDataset(bytes_of(2), torch.tensor([0, 9])))


def test_images_are_taken_with_their_labels(made_up):
    taken = made_up[made_up.labels == 3]
    assert len(taken) == 7
    assert set(taken.labels.tolist()) == {3}
    assert torch.equal(taken.images, made_up.images[3::10])
    assert taken.name == made_up.name
    assert torch.equal(made_up[10:20].labels, torch.arange(10))


def test_grey_is_the_byte_over_255():
    images = torch.arange(256, dtype=torch.uint8).repeat(49).reshape(16, 1, 28, 28)
    grey = ImageDataset(images, torch.zeros(16, dtype=torch.int64)).grey()
    torch.testing.assert_close(grey.double() * 255, images.double(), rtol=1e-6, atol=0)
    assert (grey.min(), grey.max()) == (0, 1)


def test_binarise_draws_each_byte_with_probability_value_over_255():
    n = 40_000
    images = torch.arange(256, dtype=torch.uint8).expand(n, 256)
    images = torch.cat([images, torch.zeros(n, 784 - 256, dtype=torch.uint8)], 1).reshape(n, 1, 28, 28)
    drawn = binarise(images, torch.Generator().manual_seed(1))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    frequency = drawn.flatten(1)[:, :256].double().mean(0)
    p = torch.arange(256).double() / 255
    assert frequency[0] == 0
    assert frequency[255] == 1
    z = ((frequency - p) / (p * (1 - p) / n).sqrt())[1:255]
    assert z.abs().max() < 5
    # 254 independent frequencies: their chi-square has mean 254 and variance 508
    assert abs(z.square().sum().item() - 254) < 5 * 508**0.5


def test_binarised_is_fixed_by_its_seed(made_up):
    assert torch.equal(made_up.binarised(3), made_up.binarised(3))
    assert not torch.equal(made_up.binarised(3), made_up.binarised(4))


def test_binarise_refuses_what_is_no_bytes(unchecked, refused, made_up):
    """Grey floats lie below every draw but 0, so that hardly a pixel would be ink."""
    generator = torch.Generator()
    with refused("torch.float32", "torch.uint8"):
        binarise(made_up.grey(), generator)
    with refused("ndarray", "torch.uint8"):
        binarise(made_up.images.numpy(), generator)
    with refused("torch.int64", "torch.uint8"):
        binarise(made_up.images.long(), generator)
    with refused("(64, 28, 28)", "(n, 1, 28, 28)"):
        binarise(made_up.images[:, 0], generator)


LAYOUTS = {
    "transposed": lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
    "images last": lambda x: x.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2),
    "channels last": lambda x: x.repeat(1, 3, 1, 1).to(memory_format=torch.channels_last)[:, :1],
    "reversed": lambda x: x.flip(0).contiguous().flip(0),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_order_in_memory_does_not_change_a_draw(made_up, layout):
    images = torch.randint(256, made_up.images.shape, generator=torch.Generator().manual_seed(2)).to(torch.uint8)
    plain = ImageDataset(images, made_up.labels)
    other = ImageDataset(LAYOUTS[layout](images), made_up.labels)
    assert torch.equal(other.images, plain.images)
    assert torch.equal(other.binarised(), plain.binarised())
    pairs = zip(Batches(other, 16, binarised=True), Batches(plain, 16, binarised=True), strict=True)
    assert all(torch.equal(a, b) for (a, _), (b, _) in pairs)


def test_draws_are_those_of_every_earlier_version():
    """Shipped ELBOs were measured on them."""
    found = mnist("test").binarised().flatten(1).to(torch.uint8).numpy().tobytes()
    assert hashlib.sha256(found).hexdigest() == "07fddc24c235e4c696642e81e34a9fb2c2a787455f6425b82690c915d813d482"
