"""Files in IDX format: what is read, what is refused, and under which names they are found."""

import gzip

import numpy as np
import pytest
import torch

from gmlib.data import read_idx
from gmlib.data.idx import find_idx
from tests.unit.data.made import OFFICIAL, idx


@pytest.mark.parametrize("shape", [(5,), (3, 28, 28), (2, 5, 7), (0, 28, 28)])
@pytest.mark.parametrize("compressed", [True, False])
def test_what_was_written_is_read(tmp_path, shape, compressed):
    array = np.random.default_rng(1).integers(256, size=shape, dtype=np.uint8)
    path = tmp_path / "a.gz"  # some browsers decompress a file and keep its name
    path.write_bytes(gzip.compress(idx(array)) if compressed else idx(array))
    found = read_idx(str(path))
    assert found.dtype == torch.uint8
    assert np.array_equal(found.numpy(), array)


WHOLE = idx(np.zeros((2, 28, 28)))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "begins with"),
        (b"\0\0\x0d" + WHOLE[3:], "00 00 0d"),  # floats
        (b"\0\0\x08\0", "incomplete"),
        (WHOLE[:10], "incomplete"),
        (WHOLE[:-1], "1,567 bytes"),
        (WHOLE + b"\0", "2 × 28 × 28 = 1,568"),
        (gzip.compress(WHOLE, mtime=0)[:-9], "gzip"),
        (gzip.compress(WHOLE, mtime=0)[:20] + b"\xff" * 20, "gzip"),
    ],
)
def test_damaged_and_other_files_are_refused(tmp_path, refused, content, word):
    path = tmp_path / "file"
    path.write_bytes(content)
    with refused(str(path), word):
        read_idx(path)


def test_names_of_files(tmp_path):
    """With a hyphen or a dot, with or without .gz; of both the .gz file."""
    names = [OFFICIAL[0], f"{OFFICIAL[1]}.gz", OFFICIAL[2].replace("-idx", ".idx"), "t10k-labels.idx1-ubyte.gz"]
    for name in (*names, OFFICIAL[1], "my-train-images-idx3-ubyte", "train-images-idx3-ubyte.zip"):
        (tmp_path / name).write_bytes(b"")
    assert find_idx(tmp_path) == {official: tmp_path / name for official, name in zip(OFFICIAL, names, strict=True)}
    assert find_idx(tmp_path / "no") == {}
