"""Files in IDX format, as MNIST has them: one array of bytes per file.

Format: two zero bytes, the type of the elements (8 for unsigned bytes), the number of dimensions; the size of each dimension
as a big-endian 32-bit integer; then the elements. Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits".
"""

import gzip
import math
import re
import zlib
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from gmlib.errors import InputError

# what each file of a set holds, by its official name
TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
OFFICIAL = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

HEAD = b"\0\0\x08"  # of a file of unsigned bytes


def read_idx(path: Path | str) -> UInt8[Tensor, "..."]:
    """Load the array of one file in IDX format, packed with gzip or plain.

    Args:
        path: the file.

    Returns:
        uint8: `(n, h, w)` for images, `(n,)` for labels.

    Raises:
        InputError: if the file is damaged, or not an IDX file of unsigned bytes.
    """
    path = Path(path)
    return parse(unpack(path.read_bytes(), path), path)


def unpack(packed: bytes, path: Path) -> bytes:
    """Return the bytes of a file, unpacked if they are packed with gzip, whether its name says so or not."""
    if packed[:2] != b"\x1f\x8b":
        return packed
    try:
        return gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path} ({error}), expected a whole gzip file: fetch the file again") from error


def parse(content: bytes, path: Path) -> UInt8[Tensor, "..."]:
    """Return the array of an unpacked IDX file, uint8, in the shape that the file states."""
    if content[:3] != HEAD:
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
            f"{math.prod(shape):,}: the file is cut off or damaged, so fetch it again"
        )
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy())


def official_name(name: str) -> str | None:
    """Return the official name for the name of a file: with `-` or `.`, in any case, with or without `.gz`; None for others."""
    found = re.fullmatch(r"(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(\.gz)?", name, re.IGNORECASE)
    if not found:
        return None
    images, labels = (TRAIN_IMAGES, TRAIN_LABELS) if found[1].lower() == "train" else (TEST_IMAGES, TEST_LABELS)
    return images if found[2].lower() == "images" else labels


def find_idx(folder: Path) -> dict[str, Path]:
    """Return official name to file for the IDX files in a folder, or each in a folder of the same name, as unpackers leave them.

    Of several files for one name a packed file comes first, since checksums are known of packed files.
    """
    found: dict[str, Path] = {}
    candidates = [*folder.glob("*"), *folder.glob("t*/*"), *folder.glob("T*/*")]
    for path in sorted(candidates, key=lambda path: (path.suffix.lower() != ".gz", len(path.parts), path.name)):
        name = official_name(path.name)
        own_folder = path.parent != folder
        if name and path.is_file() and (not own_folder or official_name(path.parent.name) == name):
            found.setdefault(name, path)
    return found


def find_set(folder: Path) -> dict[str, Path]:
    """Return official name to file for the one set in a folder, or in a place below it where torchvision puts one."""
    below = (".", "raw", "MNIST/raw", "FashionMNIST/raw", "KMNIST/raw")
    places = {place: files for place in below if (files := find_idx(folder / place))}
    if len(places) > 1:
        raise InputError(
            f"got {folder}, which holds IDX files in {', '.join(places)}, expected one set: name the folder of one of them"
        )
    return next(iter(places.values()), {})
