"""Folders of picture files: which images, labels and classes are read from them."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gmlib import load
from gmlib.data.pictures import read_pictures


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array.astype(np.uint8)).save(path, **options)
    return path


def letters(folder: Path, classes: str = "abc", each: int = 3) -> Path:
    """Pictures whose brightness is ten times their class plus their number."""
    for i, name in enumerate(classes):
        for j in range(each):
            save(folder / name / f"{j}.png", np.full((28, 28), 10 * i + j))
    return folder


def brightness(images) -> list[int]:
    return images[:, 0, 14, 14].tolist()


def test_a_folder_per_class(tmp_path, caplog):
    folder = letters(tmp_path / "letters")
    with caplog.at_level(logging.INFO, "gmlib"):
        found = read_pictures(folder)["all"]
    assert found.classes == ("a", "b", "c")
    assert found.name == "letters/all"
    assert [value // 10 for value in brightness(found.images)] == found.labels.tolist()
    assert sorted(brightness(found.images)) == [0, 1, 2, 10, 11, 12, 20, 21, 22]
    assert brightness(found.images)[:4] == [2, 1, 0, 11]  # the draw that every run on such a set has had
    assert f"{folder}: read 9 pictures; converted to grey and 28 × 28" in caplog.messages


def test_pictures_of_28_by_28_keep_every_byte(tmp_path):
    array = np.random.default_rng(2).integers(256, size=(28, 28))
    save(tmp_path / "a" / "x.png", array)
    assert np.array_equal(read_pictures(tmp_path)["all"].images[0, 0].numpy(), array)


@pytest.mark.parametrize("suffix", ["png", "JPG", "tiff", "pgm"])
def test_any_size_and_format(tmp_path, suffix):
    left = np.zeros((60, 90))
    left[:, :45] = 250
    save(tmp_path / "a" / f"x.{suffix}", left)
    image = read_pictures(tmp_path)["all"].images[0, 0].float()
    assert abs(image[:, :12].mean() - 250) < 4
    assert image[:, 16:].mean() < 4
    assert image[:, 12:16].std(0).max() < 12  # rows are rows


def test_colour_becomes_grey(tmp_path):
    colour = np.zeros((28, 28, 3))
    colour[..., 1] = 100
    save(tmp_path / "green" / "x.png", colour)
    assert read_pictures(tmp_path)["all"].images.unique().tolist() == [59]  # 0.587 × 100


def test_a_photograph_is_rotated_as_its_exif_data_say(tmp_path):
    top = np.zeros((28, 28))
    top[:8] = 250
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    save(tmp_path / "a" / "x.png", top, exif=exif)
    image = read_pictures(tmp_path)["all"].images[0, 0].float()
    assert (image[:20].mean(), image[20:].mean()) == (0, 250)


def test_dark_ink_on_white_is_kept_and_logged(tmp_path, caplog):
    white = np.full((28, 28), 255)
    white[10:14] = 0
    save(tmp_path / "a" / "x.png", white)
    assert read_pictures(tmp_path)["all"].images[0, 0, 0, 0] == 255
    assert "bright ink on a dark background" in caplog.text
    caplog.clear()
    save(tmp_path / "a" / "x.png", 255 - white)
    assert read_pictures(tmp_path)["all"].images[0, 0, 0, 0] == 0  # a changed file is read again
    assert caplog.text == ""


def test_hidden_and_other_files_are_ignored(tmp_path):
    letters(tmp_path)
    for name in (".DS_Store", "a/.hidden.png", "a/Thumbs.db", "__MACOSX/a.png", ".git/x.png", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"?")
    found = read_pictures(tmp_path)["all"]
    assert (len(found), found.classes) == (9, ("a", "b", "c"))


def test_numbers_are_sorted_as_numbers(tmp_path):
    for name in ("0", "2", "10"):
        save(tmp_path / name / "x.png", np.full((28, 28), int(name)))
    found = read_pictures(tmp_path)["all"]
    assert found.classes == ("0", "2", "10")
    assert dict(zip(found.labels.tolist(), brightness(found.images), strict=True)) == {0: 0, 1: 2, 2: 10}


def test_train_test_and_validation(tmp_path):
    letters(tmp_path / "Train")
    letters(tmp_path / "test", "bc", 1)
    parts = read_pictures(tmp_path)
    assert {name: len(part) for name, part in parts.items()} == {"train": 9, "test": 2}
    assert sorted(parts["test"].labels.tolist()) == [1, 2]
    letters(tmp_path / "val", "d", 2)  # with a class that has no picture elsewhere
    assert {len(part.classes) for part in read_pictures(tmp_path).values()} == {4}
    assert load(tmp_path, "validation").labels.tolist() == [3, 3]
    assert len(load(tmp_path, "train")) == 9


def test_pictures_without_classes(tmp_path, refused):
    for i in range(3):
        save(tmp_path / f"{i}.png", np.full((28, 28), i))
    found = read_pictures(tmp_path)["all"]
    assert (len(found), found.labels) == (3, None)
    save(tmp_path / "a" / "x.png", np.zeros((28, 28)))
    with refused("0.png lies beside the class folders"):
        read_pictures(tmp_path)


def test_what_is_missing_is_named(tmp_path, refused):
    with refused(f"got {tmp_path} without pictures"):
        read_pictures(tmp_path)
    letters(tmp_path / "train")
    with refused("train/", "expected both train/ and test/"):
        read_pictures(tmp_path)


@pytest.mark.parametrize("damage", ["text", "cut off", "16 bits"])
def test_a_damaged_picture_and_one_of_16_bits(tmp_path, refused, damage):
    path = letters(tmp_path) / "b" / "1.png"
    noise = np.random.default_rng(0).integers(256, size=(300, 300), dtype=np.uint8)
    Image.fromarray(noise.astype(np.uint16) * 100 if damage == "16 bits" else noise).save(path)
    if damage != "16 bits":
        path.write_bytes(b"no picture" if damage == "text" else path.read_bytes()[:2000])
    with refused(f"cannot read {path}", "I;16" if damage == "16 bits" else "replace or remove it"):
        read_pictures(tmp_path)
