"""Digits, batches and files: what is drawn, in which order, from which bytes."""

import gzip
import hashlib
import os
import struct
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch

from gmlib import Batches, Digits, binarise, mnist
from gmlib import data as data_module
from gmlib.data import MNIST_MD5, join_channels
from gmlib.digits5k import split_by_class

# digits


def test_digits_refuse_what_is_not_a_set_of_digits(unchecked, refused):
    images, labels = torch.zeros(3, 1, 28, 28, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64)
    with refused("torch.float32", "expected torch.uint8", "convert"):
        Digits(images.float() / 255, labels, "x")
    with refused("(3, 28, 28)", "(n, 1, 28, 28)", "convert"):
        Digits(images[:, 0], labels, "x")
    with refused("(3, 1, 32, 32)", "(n, 1, 28, 28)"):
        Digits(images.new_zeros(3, 1, 32, 32), labels, "x")
    with refused("torch.int32", "expected torch.int64", "one label an image"):
        Digits(images, labels.int(), "x")
    with refused("(2,)", "3 images", "(3,)"):
        Digits(images, labels[:2], "x")
    with refused("from 0 to 10", "0 to 9"):
        Digits(images, torch.tensor([0, 10, 3]), "x")
    with refused("from -1 to 3", "0 to 9"):
        Digits(images, torch.tensor([0, -1, 3]), "x")


def test_digits_are_taken_with_their_labels(made_up):
    taken = made_up[made_up.labels == 3]
    assert len(taken) == 7
    assert set(taken.labels.tolist()) == {3}
    assert torch.equal(taken.images, made_up.images[3::10])
    assert taken.name == made_up.name
    assert torch.equal(made_up[10:20].labels, torch.arange(10))


def test_grey_is_the_byte_over_255():
    images = torch.arange(256, dtype=torch.uint8).repeat(49).reshape(16, 1, 28, 28)
    grey = Digits(images, torch.zeros(16, dtype=torch.int64), "x").grey()
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


# batches


def numbered(n: int) -> Digits:
    """Digits whose first two bytes are their number."""
    images = torch.zeros(n, 1, 28, 28, dtype=torch.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = torch.arange(n) // 256, torch.arange(n) % 256
    return Digits(images, torch.arange(n) % 10, "numbered")


def epoch(batches: Batches) -> list[list[int]]:
    found = []
    for x, y in batches:
        number = (x[:, 0, 0, 0] * 255 * 256 + x[:, 0, 0, 1] * 255).round().long()
        assert torch.equal(y, number % 10)  # labels stay with their images
        found.append(number.tolist())
    return found


def test_an_epoch_gives_each_image_at_most_once():
    batches = Batches(numbered(300), 64, binarised=False)
    for _ in range(3):
        found = epoch(batches)
        assert [len(batch) for batch in found] == [64] * 4
        assert len(found) == len(batches)
        assert len({number for batch in found for number in batch}) == 256
    assert {number for batch in epoch(Batches(numbered(256), 64, binarised=False)) for number in batch} == set(
        range(256)
    )


def test_order_depends_on_seed_and_epoch_only():
    def orders(seed: int) -> list[list[list[int]]]:
        batches = Batches(numbered(300), 64, binarised=False, seed=seed)
        return [epoch(batches) for _ in range(3)]

    first, second = orders(0), orders(1)
    torch.manual_seed(99)  # the global generator has no say
    assert orders(0) == first
    assert len({str(order) for order in first + second}) == 6


def test_grey_batches_are_the_bytes_over_255(made_up):
    (x, y), *_ = Batches(made_up, 64, binarised=False)
    assert torch.equal((x * 255).round().byte().flatten(1).sum(1).sort()[0], made_up.images.flatten(1).sum(1).sort()[0])
    assert x.max() <= 1
    assert torch.equal(y.sort()[0], made_up.labels.sort()[0])


def test_binarised_batches_are_drawn_afresh_each_epoch():
    images = torch.full((8, 1, 28, 28), 128, dtype=torch.uint8)
    batches = Batches(Digits(images, torch.zeros(8, dtype=torch.int64), "half"), 8, binarised=True)
    (one, _), *_ = batches
    (two, _), *_ = batches
    assert set(one.unique().tolist()) == {0.0, 1.0}
    difference = (one != two).double().mean().item()
    assert abs(difference - 0.5) < 5 * (0.25 / one.numel()) ** 0.5


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


@pytest.mark.parametrize("size", [0, 65])
def test_batch_size_has_to_fit(made_up, refused, size):
    with refused(f"batch size {size}", "64 digits of made-up/train", "expected 1 to 64"):
        Batches(made_up, size, binarised=True)


# the embedded digits


def test_embedded_digits_are_those_of_the_checksum():
    with np.load(Path(data_module.__file__).with_name("digits5k.npz")) as file:
        images, labels = file["images"], file["labels"]
    assert (images.shape, images.dtype, labels.shape, labels.dtype) == ((5000, 28, 28), np.uint8, (5000,), np.uint8)
    assert (
        hashlib.sha256(images.tobytes()).hexdigest()
        == "61bd9204276c435fa7ac249a13985c86f1ff0cfa961fe2848871915f26796f30"
    )
    assert (
        hashlib.sha256(labels.tobytes()).hexdigest()
        == "fa51f8d35a9a7a03fc5b70b11163adf241e4adfe7bade5b0fae9a64903a8af83"
    )


def test_embedded_digits_that_are_gone_say_how_they_come_back(tmp_path, monkeypatch, refused):
    monkeypatch.setattr("gmlib.data.files", lambda package: tmp_path)
    with refused(f"cannot read {tmp_path / 'digits5k.npz'}", "python -m gmlib.digits5k"):
        mnist("test")


def test_embedded_splits_are_stratified_and_apart():
    splits = {split: mnist(split) for split in ("train", "validation", "test")}
    for (split, digits), each in zip(splits.items(), (400, 50, 50), strict=True):
        assert torch.bincount(digits.labels, minlength=10).tolist() == [each] * 10
        assert digits.name == f"mnist5k/{split}"
        assert digits.labels[:10].unique().numel() > 1  # shuffled
    distinct = {image.tobytes() for digits in splits.values() for image in digits.images.numpy()}
    assert len(distinct) == 5000


def test_split_by_class_gives_every_part_every_class_equally():
    labels = np.random.default_rng(3).permutation(np.repeat(np.arange(10), 9))
    order = split_by_class(labels, (4, 2, 1))
    assert len(set(order.tolist())) == len(order) == 70
    for part, each in zip(np.split(order, [40, 60]), (4, 2, 1), strict=True):
        assert np.bincount(labels[part], minlength=10).tolist() == [each] * 10
        assert labels[part].tolist() != sorted(labels[part])  # shuffled: not class after class
    assert np.array_equal(order, split_by_class(labels, (4, 2, 1)))
    assert not np.array_equal(order, split_by_class(labels, (4, 2, 1), seed=1))


@pytest.mark.parametrize(("split", "source"), [("valid", "mnist5k"), ("train", "mnist50k")])
def test_unknown_split_or_source(refused, split, source):
    with refused(repr(split), repr(source), "'validation'", "'mnist5k'"):
        mnist(split, source)


# the full set from files


def idx(array: np.ndarray) -> bytes:
    """IDX as its page describes it: 0, 0, type 8 (unsigned byte), dimensions; their sizes, big-endian; the bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    """Made-up files: 10,004 training images, of which the last four are not in validation, and five test images."""
    number = np.arange(10_004)
    train = np.zeros((10_004, 28, 28))
    train[:, 0, 0], train[:, 5, 7] = number % 256, number // 256
    test = np.arange(5)[:, None, None] + np.arange(28)[:, None] * 8 + np.zeros(28)
    arrays = (train, number % 10, test, np.array([7, 2, 1, 0, 4]))
    return {name: idx(array) for name, array in zip(MNIST_MD5, arrays, strict=True)}


@pytest.fixture
def folder(contents, tmp_path, monkeypatch) -> Path:
    """A folder of these files, gzipped, whose checksums are the expected ones; nothing in the environment or cache."""
    monkeypatch.delenv("GMLIB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, content in contents.items():
        monkeypatch.setitem(MNIST_MD5, name, hashlib.md5(content).hexdigest())
    return fill(tmp_path / "data", contents)


def fill(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
    return folder


def test_full_set_is_read_and_split(folder):
    train, validation, test = (mnist(split, "mnist", folder) for split in ("train", "validation", "test"))
    assert [len(digits) for digits in (train, validation, test)] == [4, 10_000, 5]
    assert train.images[:, 0, 0, 0].tolist() == [number % 256 for number in range(10_000, 10_004)]
    assert train.labels.tolist() == [0, 1, 2, 3]
    assert torch.equal(validation.images[:, 0, 5, 7].long(), torch.arange(10_000) // 256)
    assert torch.equal(validation.labels, torch.arange(10_000) % 10)
    assert test.labels.tolist() == [7, 2, 1, 0, 4]
    assert test.images[3, 0, :, 11].tolist() == [3 + 8 * row for row in range(28)]  # rows are rows
    assert [digits.name for digits in (train, validation, test)] == ["mnist/train", "mnist/validation", "mnist/test"]


def test_plain_files_and_the_folder_that_torchvision_makes(folder, contents, tmp_path):
    below = fill(tmp_path / "torchvision" / "MNIST" / "raw", contents)
    assert mnist("test", "mnist", tmp_path / "torchvision").labels.tolist() == [7, 2, 1, 0, 4]
    for name, content in contents.items():
        (below / f"{name}.gz").unlink()
        (below / name).write_bytes(content)
    assert mnist("test", "mnist", str(tmp_path / "torchvision")).labels.tolist() == [7, 2, 1, 0, 4]


def test_root_goes_before_the_environment_and_that_before_the_cache(folder, contents, tmp_path, monkeypatch, refused):
    cache = fill(tmp_path / "cache" / "gmlib" / "MNIST" / "raw", contents)
    assert len(mnist("test", "mnist")) == 5
    for path in cache.iterdir():
        path.unlink()
    with refused(str(tmp_path / "cache" / "gmlib")):
        mnist("test", "mnist")
    monkeypatch.setenv("GMLIB_DATA", str(folder))
    assert len(mnist("test", "mnist")) == 5
    with refused(str(tmp_path / "empty")):
        mnist("test", "mnist", tmp_path / "empty")
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "empty"))
    assert len(mnist("test", "mnist", folder)) == 5
    with refused(str(tmp_path / "empty")):
        mnist("test", "mnist")


def test_missing_files_are_named(folder, refused):
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with refused(f"got the data folder {folder}", "t10k-labels-idx1-ubyte", "--data", "GMLIB_DATA", "--download"):
        mnist("train", "mnist", folder)


def test_a_gzip_file_cut_short(folder, refused):
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with refused(str(path), "expected a whole gzip file", "fetch it again"):
        mnist("test", "mnist", folder)


@pytest.mark.parametrize("damage", ["a header that is not gzip's", "bytes within"])
def test_a_gzip_file_with_other_bytes(folder, refused, damage):
    path = folder / "t10k-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    at = 0 if damage.startswith("a header") else 60
    content[at : at + 8] = b"\xff" * 8
    path.write_bytes(content)
    with refused(str(path), "expected a whole gzip file", "fetch it again"):
        mnist("test", "mnist", folder)


@pytest.mark.parametrize("plain", [True, False])
def test_whole_files_of_other_bytes_fail_the_checksum(folder, contents, refused, plain):
    name = "t10k-images-idx3-ubyte"
    other = bytearray(contents[name])
    other[-1] ^= 1  # a single bit of a single pixel
    path = folder / (name if plain else f"{name}.gz")
    path.write_bytes(other if plain else gzip.compress(other))
    with refused(str(path), hashlib.md5(other).hexdigest(), f"expected {MNIST_MD5[name]}", "fetch it again"):
        mnist("test", "mnist", folder)


def test_a_plain_file_cut_short(folder, contents, refused):
    name = "t10k-images-idx3-ubyte"
    (folder / name).write_bytes(contents[name][:1000])
    with refused(str(folder / name), "1,000 bytes", "fetch it again"):
        mnist("test", "mnist", folder)


def test_reading_writes_nothing(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    mnist("test", "mnist", folder)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_download_without_a_network(folder, tmp_path, monkeypatch, refused):
    def offline(root: str, download: bool) -> None:
        assert Path(root).parent == tmp_path / "cache" / "gmlib"
        assert download
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("torchvision.datasets.MNIST", offline)
    with refused("could not download", str(tmp_path / "cache" / "gmlib"), "no route to host", "network", "--data"):
        mnist("train", "mnist", download=True)
    assert len(mnist("test", "mnist", folder, download=True)) == 5  # nothing is fetched that is there


def test_download_goes_to_the_cache(folder, contents, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "torchvision.datasets.MNIST", lambda root, download: fill(Path(root) / "MNIST" / "raw", contents)
    )
    assert len(mnist("test", "mnist", download=True)) == 5
    assert len(mnist("test", "mnist")) == 5
    assert [path.name for path in (tmp_path / "cache" / "gmlib").iterdir()] == ["MNIST"]


def test_what_was_cut_off_in_the_cache_is_fetched_again(folder, contents, tmp_path, monkeypatch, refused):
    cache = fill(tmp_path / "cache" / "gmlib" / "MNIST" / "raw", contents)
    path = cache / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with refused(str(path), "fetch it again with --download"):
        mnist("test", "mnist")
    monkeypatch.setattr("torchvision.datasets.MNIST", lambda root, download: None)  # nothing comes
    before = path.read_bytes()
    with refused("could not download"):
        mnist("test", "mnist", download=True)
    assert path.read_bytes() == before
    monkeypatch.setattr(
        "torchvision.datasets.MNIST", lambda root, download: fill(Path(root) / "MNIST" / "raw", contents)
    )
    assert len(mnist("test", "mnist", download=True)) == 5
    monkeypatch.setattr("torchvision.datasets.MNIST", lambda *_, **__: pytest.fail("fetched again"))
    assert len(mnist("test", "mnist", download=True)) == 5


def test_an_empty_variable_is_not_set(folder, contents, tmp_path, monkeypatch, refused):
    monkeypatch.setenv("GMLIB_DATA", "")
    with refused(str(tmp_path / "cache" / "gmlib")):
        mnist("test", "mnist")


def test_without_a_home_folder(folder, monkeypatch, refused):
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("XDG_CACHE_HOME")
    with refused("no home folder", "--data", "GMLIB_DATA"):
        mnist("test", "mnist")
    assert len(mnist("test", "mnist", folder)) == 5


def test_a_file_that_may_not_be_read_is_not_called_damaged(folder, monkeypatch, refused):
    def forbidden(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with refused(str(folder / "t10k-images-idx3-ubyte.gz"), "Permission denied", "allow"):
        mnist("test", "mnist", folder)


# all of MNIST, where it is at hand


@pytest.mark.skipif("GMLIB_DATA" not in os.environ, reason="all of MNIST is not at hand: name its folder in GMLIB_DATA")
def test_full_mnist_is_split_apart_from_the_embedded_digits():
    full = {split: mnist(split, "mnist") for split in ("train", "validation", "test")}
    assert {split: len(digits) for split, digits in full.items()} == {
        "train": 50_000,
        "validation": 10_000,
        "test": 10_000,
    }
    embedded = {image.tobytes() for split in full for image in mnist(split).images.numpy()}
    assert not embedded & {image.tobytes() for image in full["train"].images.numpy()}
    assert embedded <= {image.tobytes() for image in full["validation"].images.numpy()}


# what is no set of images, and images in another order of memory


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
    for name, value in (("images", list(made_up.images)), ("labels", made_up.labels.tolist())):
        with refused(f"got {name} as a list"):
            Digits(**{"images": made_up.images, "labels": made_up.labels, "name": "x"} | {name: value})


LAYOUTS = {
    "transposed": lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
    "images last": lambda x: x.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2),
    "channels last": lambda x: x.repeat(1, 3, 1, 1).to(memory_format=torch.channels_last)[:, :1],
    "reversed": lambda x: x.flip(0).contiguous().flip(0),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_order_in_memory_does_not_change_a_draw(made_up, layout):
    images = torch.randint(256, made_up.images.shape, generator=torch.Generator().manual_seed(2)).to(torch.uint8)
    plain = Digits(images, made_up.labels, "x")
    other = Digits(LAYOUTS[layout](images), made_up.labels, "x")
    assert torch.equal(other.images, plain.images)
    assert torch.equal(other.binarised(), plain.binarised())
    pairs = zip(Batches(other, 16, binarised=True), Batches(plain, 16, binarised=True), strict=True)
    assert all(torch.equal(a, b) for (a, _), (b, _) in pairs)


def test_draws_are_those_of_every_earlier_version():
    """Shipped ELBOs were measured on them."""
    found = mnist("test").binarised().flatten(1).to(torch.uint8).numpy().tobytes()
    assert hashlib.sha256(found).hexdigest() == "07fddc24c235e4c696642e81e34a9fb2c2a787455f6425b82690c915d813d482"


@pytest.mark.parametrize(
    ("shape", "m"), [((6, 28, 28), 2), ((5, 1, 28, 28), 2), ((6, 1, 28, 28), 0), ((6, 1, 28, 28), 1.5)]
)
def test_what_cannot_be_joined(unchecked, refused, shape, m):
    with refused("got "):
        join_channels(torch.zeros(shape), m)


@pytest.mark.parametrize(("size", "stack"), [(2.5, 1), (None, 1), (True, 1), (8, 0), (8, 1.5)])
def test_batches_of_no_number(unchecked, refused, made_up, size, stack):
    with refused("got "):
        Batches(made_up, size, binarised=True, stack=stack)
