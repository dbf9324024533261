"""An `.npz` file of images and labels."""

import zlib
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile

import numpy as np

from gmlib.data.dataset import ImageDataset
from gmlib.errors import InputError, one_line
from gmlib.files import unreadable

# part of the set to the names of its images and labels, for each way in which such files are made
LAYOUTS: tuple[dict[str, tuple[str, str]], ...] = (
    {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")},
    {"all": ("images", "labels")},
    {"all": ("arr_0", "")},
)


def read_npz(path: Path) -> dict[str, ImageDataset]:
    """Read an `.npz` file of images and labels.

    Args:
        path: a file with the arrays `images` and `labels`; or `x_train`, `y_train`, `x_test` and `y_test`, as Keras' mnist.npz;
            or a single array `arr_0` of images. Labels may be missing.

    Returns:
        "train" and "test", or "all" if the file is not divided.

    Raises:
        InputError: if the file is damaged or holds other arrays, or the arrays are not images and labels.
    """
    arrays = _arrays(path)
    for layout in LAYOUTS:
        images = {x for x, _ in layout.values()}
        labels = {y for _, y in layout.values()}
        if set(arrays) in (images, images | labels):
            return {part: _dataset(path, part, arrays[x], arrays.get(y)) for part, (x, y) in layout.items()}
    raise InputError(
        f"got {path} with {'the arrays ' + ', '.join(sorted(arrays)) if arrays else 'no array'}, expected images and labels, or x_train, "
        "y_train, x_test and y_test, or a single arr_0: save it with np.savez(path, images=…, labels=…)"
    )


def _arrays(path: Path) -> dict[str, Any]:
    """Return all arrays of a file by name; and bytes for what is not an array."""
    try:
        with open(path, "rb") as source:
            found = np.load(source, allow_pickle=False)
            if isinstance(found, np.ndarray):
                raise ValueError("it holds a single array without a name")
            return dict(found)
    except PermissionError as error:
        raise unreadable(path, error) from error
    except (OSError, ValueError, EOFError, zlib.error, BadZipFile, UnpicklingError) as error:
        raise InputError(
            f"cannot read {path} ({one_line(error)}), expected an npz file of arrays of numbers: "
            "save it again with np.savez(path, images=…, labels=…)"
        ) from error


def _dataset(path: Path, part: str, images: Any, labels: Any) -> ImageDataset:
    """Return one part, or name the file in which it is wrong."""
    try:
        return ImageDataset(images, labels, name=f"{path.stem}/{part}")
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
