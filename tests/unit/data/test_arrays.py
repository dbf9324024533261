"""Files of arrays: which keys are images and labels, and what is refused."""

import zipfile

import numpy as np
import pytest

from gmlib.data.arrays import read_npz
from tests.unit.data.made import numbered

LABELS = np.arange(6) % 3


@pytest.fixture
def path(tmp_path):
    return tmp_path / "letters.npz"


def test_images_and_labels(path):
    np.savez(path, images=numbered(6), labels=LABELS)
    found = read_npz(path)["all"]
    assert found.images[:, 0, 0, 0].tolist() == list(range(6))
    assert found.labels.tolist() == LABELS.tolist()
    np.savez_compressed(path, images=numbered(6)[:, None])
    assert read_npz(path)["all"].labels is None


def test_the_names_of_keras(path):
    np.savez(path, x_train=numbered(6), y_train=LABELS, x_test=numbered(2, 50), y_test=LABELS[1:3].astype(np.uint8))
    found = read_npz(path)
    assert {name: len(part) for name, part in found.items()} == {"train": 6, "test": 2}
    assert found["test"].labels.tolist() == [1, 2]
    assert found["test"].images[:, 0, 0, 0].tolist() == [50, 51]


def test_a_single_array(path):
    np.savez(path, numbered(6))
    assert (len(read_npz(path)["all"]), read_npz(path)["all"].labels) == (6, None)


@pytest.mark.parametrize(
    "keys", [("x", "y"), ("images", "labels", "names"), ("x_train", "y_train"), ("arr_0", "arr_1"), ()]
)
def test_other_keys_are_listed(path, refused, keys):
    np.savez(path, **{key: numbered(6) for key in keys})
    with refused(
        str(path), ", ".join(sorted(keys)), "images and labels", "x_train, y_train, x_test and y_test", "arr_0"
    ):
        read_npz(path)


def test_arrays_that_are_no_images_name_their_file(path, refused, unchecked):
    np.savez(path, images=numbered(6) / 255, labels=LABELS)
    with refused(str(path), "torch.float64", "multiply by 255"):
        read_npz(path)
    np.savez(path, images=np.zeros((6, 32, 32), dtype=np.uint8), labels=LABELS)
    with refused(str(path), "(6, 32, 32)", "resize"):
        read_npz(path)
    np.savez(path, images=numbered(6), labels=LABELS[:5])
    with refused(str(path), "(5,)", "6 images"):
        read_npz(path)


class Trap:
    """A pickle that leaves a mark where it is loaded."""

    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def test_pickles_are_not_loaded(path, refused):
    np.savez(path, images=numbered(6), labels=np.array([Trap()] * 6, dtype=object))
    with refused(f"cannot read {path}", "arrays of numbers"):
        read_npz(path)


def test_files_that_are_no_npz(path, refused):
    path.write_bytes(b"no archive at all")
    with refused(f"cannot read {path}", "expected an npz file"):
        read_npz(path)
    with open(path, "wb") as file:
        np.save(file, numbered(6))
    with refused(f"cannot read {path}", "single array"):
        read_npz(path)
    np.savez(path, images=numbered(6))
    path.write_bytes(path.read_bytes()[:1000])
    with refused(f"cannot read {path}"):
        read_npz(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "text")
    with refused(str(path)):
        read_npz(path)
