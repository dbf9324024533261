"""Files in IDX format, the format of MNIST: one array of bytes per file.

Format: two zero bytes; the type of the elements (8 for unsigned bytes); the number of dimensions; the size of each dimension
as a big-endian 32-bit integer; then the elements. Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits".
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from gmlib.errors import InputError

# the official names of MNIST's four files, which other datasets use too
TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
FILE_NAMES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


def read_idx(path: Path | str) -> UInt8[Tensor, "..."]:
    """Load the array of one file in IDX format, compressed with gzip or not.

    Args:
        path: the file.

    Returns:
        uint8: `(n, h, w)` for images, `(n,)` for labels.

    Raises:
        InputError: if the file is damaged, or not an IDX file of unsigned bytes.
    """
    path = Path(path)
    return parse_idx(decompress(path.read_bytes(), path), path)


def decompress(content: bytes, path: Path) -> bytes:
    """Return the content of a file, decompressed if it is in gzip format, whether its name ends in `.gz` or not."""
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"cannot read {path} ({error}), expected a complete gzip file: download the file again"
        ) from error


def parse_idx(content: bytes, path: Path) -> UInt8[Tensor, "..."]:
    """Return the array in the decompressed content of an IDX file; the path is for messages."""
    if content[:3] != b"\0\0\x08":
        raise InputError(
            f"got {path}, which begins with the bytes {content[:4].hex(' ')!r}, expected an IDX file of unsigned bytes, which "
            "begins with '00 00 08': name another file, or a folder of pictures"
        )
    dimensions = int.from_bytes(content[3:4], "big")
    start = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4))
    if len(content) - start != math.prod(shape):
        raise InputError(
            f"got {path} with {len(content) - start:,} bytes after its header, expected {' × '.join(map(str, shape))} = "
            f"{math.prod(shape):,}: the file is incomplete or damaged, so download it again"
        )
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy())


def find_idx(folder: Path) -> dict[str, Path]:
    """Return the IDX files in a folder by their official name; they may end in `.gz`, and have ".idx" in place of "-idx".

    Of several files for one name a `.gz` file is preferred, since the published checksums are of these.
    """
    paths: dict[str, Path] = {}
    for suffix in (".gz", ""):
        for name in FILE_NAMES:
            for variant in (name, name.replace("-idx", ".idx")):
                path = folder / f"{variant}{suffix}"
                if path.is_file():
                    paths.setdefault(name, path)
    return paths
