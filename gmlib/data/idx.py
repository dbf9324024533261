"""Files in IDX format, as MNIST has them: one array of bytes per file.

Format: two zero bytes, the type of the elements (8 for unsigned bytes), the number of dimensions; the size of each dimension
as a big-endian 32-bit integer; then the elements. Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits".
"""

import gzip
import math
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from gmlib.errors import InputError
from gmlib.files import unreadable

# what each file of a set holds, by its official name
TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
OFFICIAL = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

BELOW = (".", "raw", "MNIST/raw", "FashionMNIST/raw", "KMNIST/raw")  # where the files may lie in a folder
UNSIGNED_BYTE = 8


def read_idx(path: Path | str) -> UInt8[Tensor, "..."]:
    """Read one file in IDX format, packed with gzip or plain.

    Args:
        path: the file.

    Returns:
        uint8: `(n, h, w)` for images, `(n,)` for labels.

    Raises:
        InputError: if the file is missing, damaged, or not an IDX file of unsigned bytes.
    """
    path = Path(path)
    return parse(unpack(path, path_bytes(path)), path)


def path_bytes(path: Path) -> bytes:
    """Return the bytes of a file.

    Args:
        path: the file.

    Returns:
        Its content, as it is on the disk.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"got {path}, expected a file that exists: check its name") from error
    except OSError as error:
        raise unreadable(path, error) from error


def unpack(path: Path, packed: bytes, advice: str = "the file is damaged: fetch it again") -> bytes:
    """Return the content of a file, unpacked if it is packed with gzip.

    Args:
        path: the file, for the error.
        packed: its bytes.
        advice: what to do about a damaged file.

    Returns:
        The bytes of an IDX file. A plain file that is named `.gz`, as some browsers leave it, is returned as it is.

    Raises:
        InputError: if the file is damaged.
    """
    plain = packed[:2] == b"\0\0" or (path.suffix.lower() != ".gz" and packed[:2] != b"\x1f\x8b")
    try:
        return packed if plain else gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path} ({error}), expected a whole gzip file: {advice}") from error


def parse(content: bytes, path: Path) -> UInt8[Tensor, "..."]:
    """Return the array of an IDX file.

    Args:
        content: the bytes, unpacked.
        path: the file, for the error.

    Returns:
        uint8, of the shape that the file states.

    Raises:
        InputError: if the header or the length is not that of an IDX file of unsigned bytes.
    """
    if len(content) < 4 or content[:2] != b"\0\0":
        begins = f"begins with the bytes {content[:4].hex(' ')}" if content else "is empty"
        raise InputError(
            f"got {path}, which {begins}, expected an IDX file, which begins with 00 00 08: "
            "give another file, or a folder of pictures"
        )
    kind, dimensions = content[2], content[3]
    if kind != UNSIGNED_BYTE:
        raise InputError(
            f"got {path} with elements of IDX type {kind}, expected type {UNSIGNED_BYTE}, unsigned bytes from 0 to 255: "
            "convert them"
        )
    start = 4 + 4 * dimensions
    if not dimensions or len(content) < start:
        raise InputError(
            f"got {path} with {dimensions} dimensions in {len(content)} bytes, expected a whole header: {_CUT}"
        )
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", dimensions, offset=4))
    expected = math.prod(shape)
    if len(content) - start != expected:
        sizes = " × ".join(str(size) for size in shape)
        raise InputError(
            f"got {path} with {len(content) - start:,} bytes after its header, expected {sizes} = {expected:,}: {_CUT}"
        )
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy())


_CUT = "the file is cut off or damaged: fetch it again"


def official_name(name: str) -> str | None:
    """Return the official name of the file that a name stands for.

    Args:
        name: of a file or a folder; with `-` or `.` before "idx", in upper or lower case, with or without `.gz`.

    Returns:
        One of `OFFICIAL`; None if the name stands for none of them.
    """
    found = re.fullmatch(r"(train|t10k|test)-(images|labels)[-.]idx[13]-ubyte(\.gz)?", name, re.IGNORECASE)
    if not found:
        return None
    images = found[2].lower() == "images"
    if found[1].lower() == "train":
        return TRAIN_IMAGES if images else TRAIN_LABELS
    return TEST_IMAGES if images else TEST_LABELS


def find_idx(folder: Path) -> dict[str, Path]:
    """Return the files of a set that lie in a folder, or each in a folder of its own below it.

    Args:
        folder: where to look; nothing below it has to exist.

    Returns:
        Official name to file. If there are several files for one name, a packed file comes first, since checksums are
        known of packed files, then one in the folder itself.
    """
    found: dict[str, list[Path]] = {}
    for entry in _entries(folder):
        name = official_name(entry.name)
        files = (
            [entry] if not entry.is_dir() else [each for each in _entries(entry) if official_name(each.name) == name]
        )
        if name:
            found.setdefault(name, []).extend(each for each in files if each.is_file())
    return {name: min(files, key=lambda file: _order(file, folder)) for name, files in found.items() if files}


def _entries(folder: Path) -> Iterable[Path]:
    """Return what a folder holds, in order of the names; nothing for a folder that does not exist."""
    try:
        return sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise unreadable(folder, error) from error


def _order(file: Path, folder: Path) -> tuple[bool, bool, str]:
    """Return the sort key: packed before plain, in the folder itself before below it."""
    return file.suffix.lower() != ".gz", file.parent != folder, file.name


def find_set(folder: Path) -> dict[str, Path]:
    """Return the files of the one set that lies in a folder or in one of the usual places below it.

    Args:
        folder: where to look.

    Returns:
        Official name to file; empty if there are no IDX files.

    Raises:
        InputError: if several sets lie there.
    """
    places = {place: files for place in BELOW if (files := find_idx(folder / place))}
    if len(places) > 1:
        raise InputError(
            f"got {folder}, which holds IDX files in {', '.join(places)}, expected one set: name the folder of one of them"
        )
    return next(iter(places.values()), {})
