"""Sets of one's own by their path: format, splits, names and classes."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from gmlib import Batches, load
from gmlib.data import SPLITS, require_classes
from gmlib.data.own import own_name
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
    assert [each.name for each in (train, validation, test)] == [f"letters/{split}" for split in SPLITS]
    assert {each.classes for each in (train, validation, test)} == {("0", "1", "2")}  # also where one lacks a class
    assert load(str(letters), "train").digest == train.digest
    torch.manual_seed(7)
    assert load(letters, "validation").digest == validation.digest


def test_one_set_gives_all_three_splits(tmp_path):
    np.savez(tmp_path / "all.npz", images=numbered(60), labels=np.arange(60) % 3)
    train, validation, test = (load(tmp_path / "all.npz", split) for split in SPLITS)
    assert (len(train), len(validation), len(test)) == (40, 10, 10)
    assert sorted(numbers(train) + numbers(validation) + numbers(test)) == list(range(60))
    assert numbers(test) != sorted(numbers(test))
    assert train.name == "all/train"


def test_too_few_images_to_divide(tmp_path, refused):
    np.savez(tmp_path / "few.npz", images=numbered(5))
    for split in SPLITS:
        with refused("5 images of few/", "at least 6", "test and a sixth for validation"):
            load(tmp_path / "few.npz", split)


def test_names_of_classes(letters, tmp_path, refused):
    (tmp_path / "names.txt").write_text("\ufeffalpha\n beta \n\ngämma\n", encoding="utf-8")
    for given in (tmp_path / "names.txt", str(tmp_path / "names.txt"), ["alpha", "beta", "gämma"]):
        assert load(letters, "test", classes=given).classes == ("alpha", "beta", "gämma")
    with refused("'gämma'", "letters/test"):
        require_classes(load(letters, "test", classes=tmp_path / "names.txt"))
    for split in SPLITS:  # also for test, which has no image of the third class
        with refused("label 2", "2 class names", "add the missing names"):
            load(letters, split, classes=["a", "b"])
    with refused(str(tmp_path / "no.txt"), "exists"):
        load(letters, "test", classes=tmp_path / "no.txt")
    (tmp_path / "names.txt").write_bytes(b"\n\n")
    with refused("names.txt without a name"):
        load(letters, "test", classes=tmp_path / "names.txt")
    (tmp_path / "names.txt").write_bytes(b"\xff\xfe\xfa")
    with refused("names.txt", "UTF-8"):
        load(letters, "test", classes=tmp_path / "names.txt")
    assert load("mnist5k", "test", classes=list("abcdefghij")).classes[3] == "d"


def test_a_set_without_labels(letters, refused):
    for name in OFFICIAL[1::2]:
        (letters / f"{name}.gz").unlink()
    for split in SPLITS:
        dataset = load(letters, split)
        assert (dataset.labels, dataset.num_classes) == (None, 0)
    assert next(iter(Batches(dataset, 2, binarised=True)))[1] is None
    with refused("2 class names", "without labels"):
        load(letters, "test", classes=["a", "b"])


@pytest.mark.parametrize("missing", [*OFFICIAL])
def test_a_missing_file_is_named(letters, refused, missing):
    (letters / f"{missing}.gz").unlink()
    for split in SPLITS:
        with refused(str(letters), f"without {missing}", "add the missing file"):
            load(letters, split)


def test_images_of_another_size(letters, refused):
    path = letters / f"{OFFICIAL[2]}.gz"
    path.write_bytes(gzip.compress(idx(np.zeros((4, 32, 32)))))
    with refused(str(path), "(4, 32, 32)", "(n, 28, 28)", "folder of picture files"):
        load(letters, "test")


def test_labels_of_another_number(letters, refused):
    (letters / f"{OFFICIAL[3]}.gz").write_bytes(gzip.compress(idx(np.zeros(5))))
    with refused(f"{OFFICIAL[2]}.gz", "(5,)", "4 images"):
        load(letters, "test")


def test_a_damaged_file_is_named(letters, refused):
    path = letters / f"{OFFICIAL[1]}.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with refused(f"cannot read {path}", "whole gzip file"):
        load(letters, "test")


@pytest.mark.parametrize("name", ["mnist", "MNIST", "Fashion-MNIST", "fashion_mnist", "kmnist", "mnist5k"])
def test_an_own_set_never_has_a_known_name(letters, name):
    """Official names of files, another content."""
    folder = letters.rename(letters.parent / name)
    assert load(folder, "test").name == f"own {name}/test"


def test_names_of_own_sets(tmp_path, monkeypatch):
    (tmp_path / "letters" / "raw").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "letters")
    assert own_name(Path(".")) == own_name(Path("raw")) == own_name(tmp_path / "letters") == "letters"
    (tmp_path / "mnist.npz").write_bytes(b"")
    assert own_name(tmp_path / "mnist.npz") == "own mnist"


def test_a_name_is_no_path(letters, monkeypatch):
    monkeypatch.chdir(letters.rename(letters.parent / "mnist5k").parent)
    assert load("mnist5k", "test").name == "mnist5k/test"
    assert load("./mnist5k", "test").name == load(Path("mnist5k"), "test").name == "own mnist5k/test"
    Path("mnist5k").rename("kmnist")
    assert load(Path("kmnist"), "test").name == "own kmnist/test"


def test_what_is_neither_name_nor_path(tmp_path, refused, letters):
    with refused("'fashion-mnist'", "fashion_mnist", "did you mean 'fashion_mnist'?"):
        load("fashion-mnist", "train")
    with refused("expected one of", "'valid'", "'validation'"):
        load("mnist5k", "valid")
    with refused(f"{OFFICIAL[0]}.gz", "the folder in which this file lies"):
        load(letters / f"{OFFICIAL[0]}.gz", "train")
    with refused("with root or download", "the path of the files alone"):
        load(letters, "train", tmp_path)
    with refused("with root or download"):
        load(letters, "train", download=True)
