"""Made-up files of images."""

import gzip
import struct
from pathlib import Path

import numpy as np

OFFICIAL = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx(array: np.ndarray) -> bytes:
    """IDX as its page describes it: 0, 0, type 8 (unsigned byte), dimensions; their sizes, big-endian; the bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def fill(folder: Path, contents: dict[str, bytes]) -> Path:
    """Write files, packed with gzip."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
    return folder


def numbered(n: int, first: int = 0) -> np.ndarray:
    """Images whose first byte is their number."""
    images = np.zeros((n, 28, 28), dtype=np.uint8)
    images[:, 0, 0] = np.arange(first, first + n)
    images[:, 14] = 200
    return images


def small_set() -> dict[str, bytes]:
    """A set of 12 training images and 4 test images in three classes, of which the last is in training only."""
    arrays = (numbered(12), np.arange(12) % 3, numbered(4, 100), np.array([0, 1, 1, 0]))
    return {name: idx(array) for name, array in zip(OFFICIAL, arrays, strict=True)}
