"""Known sets: the embedded digits, and files that are verified by their checksums."""

import gzip
import hashlib
import os
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch

import gmlib
from gmlib import load, mnist
from gmlib.data import KNOWN
from gmlib.data.known import MNIST_MD5
from tests.unit.data.made import fill, idx
from tools.make_digits5k import split_by_class

# the embedded digits


def test_embedded_digits_are_those_of_the_checksum():
    with np.load(Path(gmlib.__file__).with_name("digits5k.npz")) as file:
        checksums = [hashlib.sha256(file[name].tobytes()).hexdigest() for name in ("images", "labels")]
    assert checksums == [
        "61bd9204276c435fa7ac249a13985c86f1ff0cfa961fe2848871915f26796f30",
        "fa51f8d35a9a7a03fc5b70b11163adf241e4adfe7bade5b0fae9a64903a8af83",
    ]


def test_embedded_digits_that_are_missing(tmp_path, monkeypatch, refused):
    monkeypatch.setattr("gmlib.data.known.resources", lambda package: tmp_path)
    with refused(f"cannot read {tmp_path / 'digits5k.npz'}"):
        mnist("test")


def test_embedded_splits_are_stratified_and_disjoint():
    splits = {split: mnist(split) for split in ("train", "validation", "test")}
    for (split, digits), count in zip(splits.items(), (400, 50, 50), strict=True):
        assert torch.bincount(digits.labels, minlength=10).tolist() == [count] * 10
        assert digits.name == f"mnist5k/{split}"
    distinct = {image.tobytes() for digits in splits.values() for image in digits.images.numpy()}
    assert len(distinct) == 5000


def test_split_by_class_gives_every_part_every_class_equally():
    labels = np.random.default_rng(3).permutation(np.repeat(np.arange(10), 9))
    order = split_by_class(labels, (4, 2, 1))
    assert len(set(order.tolist())) == len(order) == 70
    for part, count in zip(np.split(order, [40, 60]), (4, 2, 1), strict=True):
        assert np.bincount(labels[part], minlength=10).tolist() == [count] * 10
        assert labels[part].tolist() != sorted(labels[part])  # shuffled: not class after class
    assert np.array_equal(order, split_by_class(labels, (4, 2, 1)))
    assert not np.array_equal(order, split_by_class(labels, (4, 2, 1), seed=1))


# sets in files


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
    """A folder of these files in gzip format, whose checksums are the expected ones of MNIST; the cache is empty."""
    monkeypatch.delenv("GMLIB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, content in contents.items():
        monkeypatch.setitem(MNIST_MD5, name, hashlib.md5(content).hexdigest())
    return fill(tmp_path / "data", contents)


@pytest.fixture
def fashion(contents, folder, tmp_path, monkeypatch) -> Path:
    """A folder of other files, whose .gz checksums are those of Fashion-MNIST, where torchvision puts them."""
    raw = fill(
        tmp_path / "torchvision" / "FashionMNIST" / "raw",
        {name: content[:-1] + bytes([9]) for name, content in contents.items()},
    )
    for name in contents:
        checksum = hashlib.md5((raw / f"{name}.gz").read_bytes()).hexdigest()
        monkeypatch.setitem(KNOWN["fashion_mnist"].gzip_md5, name, checksum)
    return raw


def decompress(folder: Path) -> None:
    """Replace each .gz file by its content."""
    for path in list(folder.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()


def test_checksums_and_classes_are_those_of_torchvision():
    from torchvision import datasets

    for known in KNOWN.values():
        theirs = getattr(datasets, known.folder)
        assert {f"{name}.gz": md5 for name, md5 in known.gzip_md5.items()} == dict(theirs.resources)
        names = [name.split(" - ")[0] for name in theirs.classes]  # "0 - zero"
        assert list(known.classes) == names


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
    decompress(folder)
    assert mnist("test", "mnist", str(folder)).digest == test.digest


def test_root_has_precedence_over_the_environment_and_that_over_the_cache(
    folder, contents, tmp_path, monkeypatch, refused
):
    cache = fill(tmp_path / "cache" / "gmlib" / "MNIST" / "raw", contents)
    assert len(mnist("test", "mnist")) == 5
    for path in cache.iterdir():
        path.unlink()
    monkeypatch.setenv("GMLIB_DATA", "")  # an empty variable is not set
    with refused(str(tmp_path / "cache" / "gmlib"), "--download"):
        mnist("test", "mnist")
    monkeypatch.setenv("GMLIB_DATA", str(folder))
    assert len(mnist("test", "mnist")) == 5
    with refused(str(tmp_path / "empty")):
        mnist("test", "mnist", tmp_path / "empty")
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "empty"))
    assert len(mnist("test", "mnist", folder)) == 5
    with refused(str(tmp_path / "empty")):
        mnist("test", "mnist")


@pytest.mark.parametrize("damage", ["incomplete", "a bit of a pixel", "missing"])
def test_damaged_files_are_named_and_not_downloaded_again(folder, contents, monkeypatch, refused, damage):
    name = "t10k-images-idx3-ubyte"
    path = folder / f"{name}.gz"
    if damage == "a bit of a pixel":
        content = bytearray(contents[name])
        content[-1] ^= 1
        path.write_bytes(gzip.compress(content))
    elif damage == "incomplete":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        path.unlink()
    with refused(str(folder), name):
        mnist("test", "mnist", folder)
    monkeypatch.setattr("torchvision.datasets.MNIST", lambda *_, **__: pytest.fail("downloaded"))
    if damage != "missing":
        with refused(str(path)):
            mnist("test", "mnist", folder, download=True)


def test_a_known_set_by_name_and_by_path(fashion, folder, tmp_path, monkeypatch):
    train, validation, test = (load("fashion_mnist", split, fashion) for split in ("train", "validation", "test"))
    assert [len(dataset) for dataset in (train, validation, test)] == [4, 10_000, 5]
    assert train.labels.tolist() == [0, 1, 2, 9]
    assert (test.name, test.classes[9]) == ("fashion_mnist/test", "Ankle boot")
    assert load("fashion_mnist", "test", classes=list("abcdefghij"), root=fashion).classes[9] == "j"
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "torchvision"))
    assert load("fashion_mnist", "test").digest == test.digest
    by_path = load(str(fashion), "train")
    assert (by_path.name, by_path.digest, by_path.classes) == ("fashion_mnist/train", train.digest, train.classes)
    decompress(folder)  # the checksums of MNIST's files are known without gzip too
    assert load(folder, "validation").name == "mnist/validation"


def test_other_files_under_a_known_name(fashion, folder, monkeypatch, refused):
    with refused("the file of fashion_mnist", "load 'fashion_mnist'"):
        load("mnist", "test", fashion)
    monkeypatch.setenv("GMLIB_DATA", str(folder))
    with refused("the file of mnist"):
        load("fashion_mnist", "test")
    decompress(fashion)  # of this set only the checksums of .gz files are known
    with refused(str(fashion), "the .gz file", "your own set"):
        load("fashion_mnist", "test", fashion)
    assert load(fashion, "test").name == "raw/test"


@pytest.mark.parametrize("changed", ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"])
def test_a_file_changed_by_hand_makes_a_set_of_ones_own(folder, contents, refused, changed):
    """Such as noisy labels: under the name they are refused, by the path they are another set."""
    (folder / f"{changed}.gz").write_bytes(gzip.compress(contents[changed][:-1] + bytes([5])))
    with refused(f"expected {changed} of mnist"):
        load("mnist", "train" if changed.startswith("train") else "test", folder)
    own = folder.rename(folder.parent / "mnist")
    assert load(own, "train").name == "own mnist/train"


# downloads


def test_a_set_is_downloaded_into_the_cache_once(fashion, folder, tmp_path, monkeypatch, refused):
    """Also if GMLIB_DATA is the folder of another set."""
    monkeypatch.setenv("GMLIB_DATA", str(folder))
    cache = tmp_path / "cache" / "gmlib"
    content = {path.name: path.read_bytes() for path in fashion.iterdir()}

    def fetch(root: Path, download: bool) -> None:
        assert (root, download) == (cache, True)
        raw = root / "FashionMNIST" / "raw"
        raw.mkdir(parents=True)
        for name, data in content.items():
            (raw / name).write_bytes(data)

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", fetch)
    assert load("fashion_mnist", "test", download=True).name == "fashion_mnist/test"
    monkeypatch.setattr("torchvision.datasets.FashionMNIST", lambda *_, **__: pytest.fail("downloaded again"))
    assert load("fashion_mnist", "test", download=True).name == "fashion_mnist/test"
    monkeypatch.setenv("GMLIB_DATA", "")
    assert load("fashion_mnist", "test").name == "fashion_mnist/test"
    (cache / "FashionMNIST" / "raw" / "t10k-images-idx3-ubyte.gz").write_bytes(b"a page that asks for a login")
    monkeypatch.setattr("torchvision.datasets.FashionMNIST", lambda *_, **__: None)
    with refused("could not download FashionMNIST", str(cache)):
        load("fashion_mnist", "test", download=True)


def test_download_without_a_network(folder, monkeypatch, refused):
    def offline(root: Path, download: bool) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("torchvision.datasets.MNIST", offline)
    with refused("could not download", "no route to host"):
        mnist("train", "mnist", download=True)
    assert len(mnist("test", "mnist", folder, download=True)) == 5  # files in root are not downloaded


# all of MNIST, where it is at hand


@pytest.mark.skipif("GMLIB_DATA" not in os.environ, reason="all of MNIST is not at hand: name its folder in GMLIB_DATA")
def test_full_mnist_is_split_apart_from_the_embedded_digits():
    full = {split: mnist(split, "mnist") for split in ("train", "validation", "test")}
    assert [len(digits) for digits in full.values()] == [50_000, 10_000, 10_000]
    embedded = {image.tobytes() for split in full for image in mnist(split).images.numpy()}
    assert not embedded & {image.tobytes() for image in full["train"].images.numpy()}
    assert embedded <= {image.tobytes() for image in full["validation"].images.numpy()}
