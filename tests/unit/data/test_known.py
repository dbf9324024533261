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


def test_embedded_digits_that_are_gone(tmp_path, monkeypatch, refused):
    monkeypatch.setattr("gmlib.data.known.resources", lambda package: tmp_path)
    with refused(f"cannot read {tmp_path / 'digits5k.npz'}", "tools.make_digits5k"):
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


# the full set from files


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
    for empty in (False, True):  # an empty variable is not set
        if empty:
            monkeypatch.setenv("GMLIB_DATA", "")
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


def test_missing_files(folder, refused):
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with refused(f"got the data folder {folder}", "--download"):
        mnist("train", "mnist", folder)


@pytest.mark.parametrize(
    "damage", ["cut off", "the header", "bytes within", "a bit of a pixel", "plain", "plain, cut off"]
)
def test_damaged_files(folder, contents, monkeypatch, refused, damage):
    monkeypatch.setattr("torchvision.datasets.MNIST", lambda *_, **__: pytest.fail("downloaded"))
    name = "t10k-images-idx3-ubyte"
    path = folder / f"{name}.gz"
    packed, other = bytearray(path.read_bytes()), bytearray(contents[name])
    other[-1] ^= 1
    if damage.startswith("plain"):
        path.unlink()
        path = folder / name
    at = 0 if damage == "the header" else 60
    altered = packed[:at] + b"\xff" * 8 + packed[at + 8 :]
    found = {"cut off": packed[:-20], "a bit of a pixel": gzip.compress(other), "plain": other}
    path.write_bytes(found.get(damage, contents[name][:1000] if damage == "plain, cut off" else altered))
    for download in (False, True):  # what the reader has is not replaced
        with refused(str(path)):
            mnist("test", "mnist", folder, download=download)


def test_download_without_a_network(folder, tmp_path, monkeypatch, refused):
    def offline(root: str, download: bool) -> None:
        assert Path(root).parent == tmp_path / "cache" / "gmlib"
        assert download
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr("torchvision.datasets.MNIST", offline)
    with refused("could not download", "no route to host"):
        mnist("train", "mnist", download=True)
    assert len(mnist("test", "mnist", folder, download=True)) == 5  # nothing is downloaded that is there


def test_what_was_cut_off_in_the_cache_is_downloaded_again(folder, contents, tmp_path, monkeypatch, refused):
    cache = fill(tmp_path / "cache" / "gmlib" / "MNIST" / "raw", contents)
    path = cache / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with refused(str(path)):
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
    monkeypatch.setattr("torchvision.datasets.MNIST", lambda *_, **__: pytest.fail("downloaded again"))
    assert len(mnist("test", "mnist", download=True)) == 5


def test_without_a_home_folder(folder, monkeypatch, refused):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with refused("got the data folder ~/.cache/gmlib"):
        mnist("test", "mnist")
    assert len(mnist("test", "mnist", folder)) == 5


# known sets other than MNIST


@pytest.fixture
def fashion(contents, folder, tmp_path, monkeypatch) -> Path:
    """A folder of other files, whose packed checksums are those of Fashion-MNIST, as torchvision leaves it."""
    other = {name: content[:-1] + bytes([9]) for name, content in contents.items()}
    raw = fill(tmp_path / "torchvision" / "FashionMNIST" / "raw", other)
    for name in contents:
        packed = (raw / f"{name}.gz").read_bytes()
        monkeypatch.setitem(KNOWN["fashion_mnist"].packed, name, hashlib.md5(packed).hexdigest())
    return raw


def test_checksums_and_classes_are_those_of_torchvision():
    from torchvision import datasets

    for known in KNOWN.values():
        theirs = getattr(datasets, known.folder)
        assert {f"{name}.gz": md5 for name, md5 in known.packed.items()} == dict(theirs.resources)
        names = [name.split(" - ")[0] for name in theirs.classes]  # "0 - zero"
        assert list(known.classes) == names


def test_a_known_set_by_name(fashion, tmp_path, monkeypatch):
    train, validation, test = (load("fashion_mnist", split, fashion) for split in ("train", "validation", "test"))
    assert [len(each) for each in (train, validation, test)] == [4, 10_000, 5]
    assert train.labels.tolist() == [0, 1, 2, 9]
    assert test.name == "fashion_mnist/test"
    assert test.classes[:3] == ("T-shirt/top", "Trouser", "Pullover")
    assert load("fashion_mnist", "test", tmp_path / "torchvision").digest == test.digest
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "torchvision"))
    assert load("fashion_mnist", "test").digest == test.digest
    assert load("fashion_mnist", "test", classes=list("abcdefghij")).classes[9] == "j"


@pytest.mark.parametrize("plain", [True, False], ids=["unpacked too", "packed"])
def test_a_folder_of_a_known_set_is_that_set(fashion, folder, contents, tmp_path, plain):
    if plain:  # as torchvision leaves them
        for path in list(fashion.iterdir()):
            path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    for path in (fashion, str(fashion.parent), tmp_path / "torchvision"):
        found = load(path, "train")
        assert found.name == "fashion_mnist/train"
        assert (found.classes[9], len(found)) == ("Ankle boot", 4)
    assert load(folder, "validation").name == "mnist/validation"
    for name, content in contents.items():  # of MNIST unpacked files are known too, each in a folder of its own
        below = tmp_path / "kaggle" / name
        below.mkdir(parents=True)
        (below / name.replace("-idx", ".idx")).write_bytes(content)
    assert load(tmp_path / "kaggle", "test").digest == mnist("test", "mnist", folder).digest
    assert load(tmp_path / "kaggle", "test").name == load("mnist", "test", tmp_path / "kaggle").name == "mnist/test"


def test_other_files_under_a_known_name(fashion, folder, refused):
    with refused("the file of fashion_mnist", "load 'fashion_mnist'"):
        load("mnist", "test", fashion)
    with refused("of kmnist"):
        load("kmnist", "test", fashion)
    path = fashion / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 9))
    with refused(str(path), "of fashion_mnist", "your own set"):
        load("fashion_mnist", "test", fashion)
    assert load(fashion, "test").name == "own FashionMNIST/test"
    for path in list(fashion.iterdir()):  # checksums are known of packed files
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    with refused("the packed file"):
        load("fashion_mnist", "test", fashion)
    assert load(fashion, "test").name == "own FashionMNIST/test"


def test_the_folder_of_one_set_does_not_hide_another(fashion, folder, contents, monkeypatch, refused):
    """GMLIB_DATA usually is the folder of MNIST's files."""
    monkeypatch.setenv("GMLIB_DATA", str(folder))
    with refused("four FashionMNIST files"):
        load("fashion_mnist", "test")
    fashion.parent.rename(folder / "FashionMNIST")
    assert load("fashion_mnist", "test").name == "fashion_mnist/test"
    assert load("mnist", "test").name == "mnist/test"


def test_another_set_is_downloaded_into_the_cache(fashion, folder, tmp_path, monkeypatch, refused):
    contents = {path.name: path.read_bytes() for path in fashion.iterdir()}

    def fetch(root: str, download: bool) -> None:
        raw = Path(root) / "FashionMNIST" / "raw"
        raw.mkdir(parents=True)
        for name, content in contents.items():
            (raw / name).write_bytes(content)

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", fetch)
    with refused("FashionMNIST/raw"):
        load("fashion_mnist", "test")
    assert load("fashion_mnist", "test", download=True).name == "fashion_mnist/test"
    assert load("fashion_mnist", "test").name == "fashion_mnist/test"
    assert [path.name for path in (tmp_path / "cache" / "gmlib").iterdir()] == ["FashionMNIST"]
    with monkeypatch.context() as patched:  # what is in the cache is not downloaded again
        patched.setenv("GMLIB_DATA", str(tmp_path / "empty"))
        patched.setattr("torchvision.datasets.FashionMNIST", lambda *_, **__: pytest.fail("downloaded again"))
        assert load("fashion_mnist", "test", download=True).name == "fashion_mnist/test"
    contents["t10k-images-idx3-ubyte.gz"] = b"a page that asks for a login"
    for path in (tmp_path / "cache" / "gmlib" / "FashionMNIST" / "raw").iterdir():
        path.unlink()
    with refused("could not download FashionMNIST"):
        load("fashion_mnist", "test", download=True)


@pytest.mark.parametrize("changed", ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"])
def test_a_file_changed_by_hand_makes_a_set_of_ones_own(folder, contents, refused, changed):
    """Such as noisy labels: under the name they are refused, by the path they are another set."""
    (folder / f"{changed}.gz").write_bytes(gzip.compress(contents[changed][:-1] + bytes([5])))
    with refused(f"expected {changed} of mnist"):
        load("mnist", "train" if changed.startswith("train") else "test", folder)
    own = folder.rename(folder.parent / "mnist")
    assert load(own, "train").name == "own mnist/train"


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
