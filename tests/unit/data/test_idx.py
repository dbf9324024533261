"""Files in IDX format: what is read, what is refused, and under which names they are found."""

import gzip

import numpy as np
import pytest
import torch

from gmlib.data import ImageDataset, read_idx
from gmlib.data.idx import find_idx, find_set, official_name
from tests.unit.data.made import OFFICIAL, fill, idx, small_set


@pytest.mark.parametrize("shape", [(5,), (3, 28, 28), (2, 5, 7), (0, 28, 28)])
@pytest.mark.parametrize("name", ["a.gz", "a", "plain.gz", "packed"])
def test_what_was_written_is_read(tmp_path, shape, name):
    """Also a plain file that is named .gz, as some browsers leave it, and a packed file that is not."""
    array = np.random.default_rng(1).integers(256, size=shape, dtype=np.uint8)
    content = idx(array)
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name in ("a.gz", "packed") else content)
    found = read_idx(str(path))
    assert found.dtype == torch.uint8
    assert np.array_equal(found.numpy(), array)


def test_a_dataset_of_two_files_in_one_line(tmp_path):
    fill(tmp_path, small_set())
    dataset = ImageDataset(*(read_idx(tmp_path / f"{name}.gz") for name in OFFICIAL[:2]))
    assert (len(dataset), dataset.num_classes) == (12, 3)


WHOLE = idx(np.zeros((2, 28, 28)))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "begins with"),
        (b"\0\0", "begins with"),
        (b"\x89PNG" + WHOLE, "89 50 4e 47"),
        (b"\0\0\x0d" + WHOLE[3:], "00 00 0d"),  # floats
        (b"\0\0\x08\0", "cut off"),
        (WHOLE[:3], "cut off"),
        (WHOLE[:10], "cut off"),
        (WHOLE[:-1], "1,567 bytes"),
        (WHOLE + b"\0", "2 × 28 × 28 = 1,568"),
        (b"\0\0\x08\x04" + b"\0\x01\0\0" * 4, "18,446,744,073,709,551,616"),  # 0 in 64 bits
        (gzip.compress(WHOLE, mtime=0)[:-9], "whole gzip file"),
        (gzip.compress(WHOLE, mtime=0)[:20] + b"\xff" * 20, "whole gzip file"),
    ],
)
def test_damaged_and_other_files_are_refused(tmp_path, refused, content, word):
    path = tmp_path / "file"
    path.write_bytes(content)
    with refused(str(path), word):
        read_idx(path)


@pytest.mark.parametrize(
    ("name", "official"),
    [
        ("train-images-idx3-ubyte", OFFICIAL[0]),
        ("train-labels.idx1-ubyte.gz", OFFICIAL[1]),
        ("T10K-IMAGES-IDX3-UBYTE.GZ", OFFICIAL[2]),
        ("t10k-labels.idx1-ubyte", OFFICIAL[3]),
        ("my-train-images-idx3-ubyte", None),
        ("train-images-idx3-ubyte.zip", None),
        ("train-images", None),
    ],
)
def test_names_of_files(name, official):
    assert official_name(name) == official


def test_files_in_folders_of_their_own(tmp_path):
    """As unpackers and Kaggle leave them."""
    for name, content in small_set().items():
        below = tmp_path / name
        below.mkdir()
        (below / name).write_bytes(content)
    found = find_idx(tmp_path)
    assert found == {name: tmp_path / name / name for name in OFFICIAL}
    (tmp_path / OFFICIAL[0].replace("-idx", ".idx")).write_bytes(b"beside")
    assert find_idx(tmp_path)[OFFICIAL[0]].parent == tmp_path
    packed = tmp_path / OFFICIAL[0] / f"{OFFICIAL[0].upper()}.GZ"
    packed.write_bytes(b"packed")
    assert find_idx(tmp_path)[OFFICIAL[0]] == packed


@pytest.mark.parametrize("below", [".", "raw", "MNIST/raw", "FashionMNIST/raw", "KMNIST/raw"])
def test_folders_below(tmp_path, below):
    fill(tmp_path / below, small_set())
    assert find_set(tmp_path) == {name: tmp_path / below / f"{name}.gz" for name in OFFICIAL}


def test_two_sets_below_one_folder(tmp_path, refused):
    for below in ("MNIST/raw", "KMNIST/raw"):
        fill(tmp_path / below, small_set())
    with refused(str(tmp_path), "MNIST/raw, KMNIST/raw", "name the folder of one"):
        find_set(tmp_path)


def test_no_files_at_all(tmp_path):
    (tmp_path / OFFICIAL[0] / OFFICIAL[0]).mkdir(parents=True)
    assert find_set(tmp_path) == find_set(tmp_path / "no") == {}
