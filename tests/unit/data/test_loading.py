"""Datasets of one's own by their path: format, splits, names and classes."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from gmlib import load, mnist
from gmlib.data import SPLITS, require_classes
from gmlib.data.loading import read_npz
from tests.unit.data.made import OFFICIAL, fill, idx, numbered, small_set


@pytest.fixture
def letters(tmp_path) -> Path:
    return fill(tmp_path / "letters", small_set())


def numbers(dataset) -> list[int]:
    return dataset.images[:, 0, 0, 0].tolist()


def test_an_idx_folder_is_divided(letters):
    train, validation, test = (load(letters, split) for split in SPLITS)
    assert numbers(test) == [100, 101, 102, 103]
    assert test.labels.tolist() == [0, 1, 1, 0]
    assert (len(train), len(validation)) == (10, 2)
    assert sorted(numbers(train) + numbers(validation)) == list(range(12))
    assert all(number % 3 == label for number, label in zip(numbers(train), train.labels.tolist(), strict=True))
    assert [dataset.name for dataset in (train, validation, test)] == [f"letters/{split}" for split in SPLITS]
    assert {dataset.classes for dataset in (train, validation, test)} == {("0", "1", "2")}  # the test set lacks a class
    torch.manual_seed(7)
    assert load(str(letters), "train").digest == train.digest


def test_one_set_is_divided_into_three_splits(tmp_path):
    np.savez(tmp_path / "all.npz", images=numbered(60), labels=np.arange(60) % 3)
    train, validation, test = (load(tmp_path / "all.npz", split) for split in SPLITS)
    assert (len(train), len(validation), len(test)) == (40, 10, 10)
    assert sorted(numbers(train) + numbers(validation) + numbers(test)) == list(range(60))
    assert numbers(test)[:4] == [57, 17, 36, 31]  # the draw that every run on such a set has had
    assert train.name == "all/train"


def test_a_set_without_labels(tmp_path):
    np.savez(tmp_path / "all.npz", images=numbered(12))
    for split in SPLITS:
        dataset = load(tmp_path / "all.npz", split)
        assert (dataset.labels, dataset.num_classes) == (None, 0)


def test_too_few_images_to_divide(tmp_path, refused):
    np.savez(tmp_path / "few.npz", images=numbered(5))
    for split in SPLITS:
        with refused("5 images of few/", "at least 6"):
            load(tmp_path / "few.npz", split)


def test_names_of_classes(letters, tmp_path, refused):
    file = tmp_path / "names.txt"
    file.write_text("\ufeffalpha\n beta \n\ngämma\n", encoding="utf-8")
    for classes in (file, str(file), ["alpha", "beta", "gämma"]):
        assert load(letters, "test", classes=classes).classes == ("alpha", "beta", "gämma")
    with refused("'gämma'", "letters/test"):
        require_classes(load(letters, "test", classes=file))
    with refused("2 class names"):  # also for test, which has no image of the third class
        load(letters, "test", classes=["a", "b"])
    file.write_bytes(b"\xff\xfe\xfa")
    for path in (tmp_path / "no.txt", file):
        with refused(str(path), "UTF-8"):
            load(letters, "test", classes=path)
    assert load("mnist5k", "test", classes=list("abcdefghij")).classes[3] == "d"


@pytest.mark.parametrize("missing", [*OFFICIAL])
def test_a_missing_file_is_named(letters, refused, missing):
    (letters / f"{missing}.gz").unlink()
    with refused(str(letters), f"without {missing}"):
        load(letters, "test")


@pytest.mark.parametrize(
    ("name", "array", "word"),
    [(OFFICIAL[2], np.zeros((4, 32, 32)), "(4, 32, 32)"), (OFFICIAL[3], np.zeros(5), "4 images")],
)
def test_a_wrong_file_is_named(letters, refused, name, array, word):
    (letters / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    with refused(OFFICIAL[2], word):
        load(letters, "test")


def test_names_of_own_sets(letters, tmp_path, monkeypatch):
    """Never that of a known set."""
    monkeypatch.chdir(letters)
    assert load(".", "test").name == "letters/test"
    folder = letters.rename(tmp_path / "mnist5k")
    monkeypatch.chdir(tmp_path)
    assert load("mnist5k", "test").name == "mnist5k/test"  # a name is no path
    assert load("./mnist5k", "test").name == load(folder, "test").name == "own mnist5k/test"
    np.savez(tmp_path / "mnist.npz", images=numbered(6))
    assert load("mnist.npz", "test").name == "own mnist/test"


def test_what_is_neither_name_nor_path(tmp_path, refused, letters):
    with refused("did you mean 'fashion_mnist'?"):
        load("fashion-mnist", "train")
    with refused("'validation'"):
        load("mnist5k", "valid")
    with refused("mnist50k"):
        mnist("train", "mnist50k")
    with refused("the folder of this file"):
        load(letters / f"{OFFICIAL[0]}.gz", "train")
    for options in ({"root": tmp_path}, {"download": True}):
        with refused("with root or download"):
            load(letters, "train", **options)


# npz files

LABELS = np.arange(6) % 3


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "letters.npz"


def test_names_of_arrays(path):
    np.savez(path, images=numbered(6), labels=LABELS)
    dataset = read_npz(path)["all"]
    assert (numbers(dataset), dataset.labels.tolist()) == (list(range(6)), LABELS.tolist())
    np.savez_compressed(path, images=numbered(6)[:, None])
    assert read_npz(path)["all"].labels is None
    np.savez(path, x_train=numbered(6), y_train=LABELS, x_test=numbered(2, 50), y_test=LABELS[1:3].astype(np.uint8))
    parts = read_npz(path)
    assert {name: numbers(part) for name, part in parts.items()} == {"train": list(range(6)), "test": [50, 51]}
    assert [part.labels.tolist() for part in parts.values()] == [LABELS.tolist(), [1, 2]]


@pytest.mark.parametrize("keys", [("x", "y"), ("x_train", "y_train"), ()])
def test_other_arrays_are_refused(path, refused, keys):
    np.savez(path, **{key: numbered(6) for key in keys})
    with refused(str(path), *keys):
        read_npz(path)


class Trap:
    """A pickle that fails the test where it is loaded."""

    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        (LABELS[:5], "6 images"),
        (LABELS.astype(str), "str_"),
        (np.array([Trap()] * 6, dtype=object), "allow_pickle=False"),
    ],
)
def test_labels_that_are_none_name_their_file(path, refused, labels, word):
    np.savez(path, images=numbered(6), labels=labels)
    with refused(str(path), word):
        read_npz(path)


def test_a_file_that_is_no_npz(path, refused):
    path.write_text("no archive at all")
    with refused(str(path)):
        load(path, "train")
