"""A set of one's own: read from files in one of three formats, and divided into train, validation and test."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch

from gmlib.data.arrays import read_npz
from gmlib.data.dataset import ImageDataset
from gmlib.data.idx import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, read_idx
from gmlib.data.known import KNOWN, MNIST5K
from gmlib.data.pictures import read_pictures
from gmlib.errors import InputError
from gmlib.files import unreadable
from gmlib.seeds import stream

SHARE = 6  # validation, and test where there is none, are each one in so many images


def own_set(path: Path, files: dict[str, Path], split: str, classes: Sequence[str] | None) -> ImageDataset:
    """Return one split of a set that gmlib has no name for.

    Args:
        path: folder or `.npz` file.
        files: its files in IDX format, by official name; empty if there are none.
        split: "train", "validation" or "test".
        classes: names of the classes, or None for those that the files imply.

    Returns:
        The split, named after the folder or file.

    Raises:
        InputError: if files are missing, damaged or hold something else, or there are too few images.
    """
    if files:
        parts = read_idx_set(path, files)
    elif path.is_file():
        parts = read_npz(path)
    else:
        parts = read_pictures(path)
    if classes is None and all(part.labels is not None for part in parts.values()):
        classes = max((part.classes for part in parts.values()), key=len)  # one of the parts may lack a class
    named = {
        key: ImageDataset(part.images, part.labels, classes, f"{own_name(path)}/{split}") for key, part in parts.items()
    }
    return divided(named, split)


def read_idx_set(folder: Path, files: dict[str, Path]) -> dict[str, ImageDataset]:
    """Read a set in IDX format.

    Args:
        folder: where the files were found, for the error.
        files: official name to file; the two files of labels may be missing.

    Returns:
        "train" and "test".

    Raises:
        InputError: if a file of images is missing, or only one of the two files of labels; or a file is damaged or holds
            something else.
    """
    labels = {TRAIN_LABELS, TEST_LABELS} & set(files)
    needed = {TRAIN_IMAGES, TEST_IMAGES} | ({TRAIN_LABELS, TEST_LABELS} if labels else set())
    if missing := sorted(needed - set(files)):
        raise InputError(
            f"got {folder} with {', '.join(sorted(files))} and without {' and '.join(missing)}, expected images for training "
            "and for testing, and labels for both or for neither: add the missing file"
        )
    return {
        part: _pair(files[images], files.get(labels), f"{folder.name}/{part}")
        for part, images, labels in (("train", TRAIN_IMAGES, TRAIN_LABELS), ("test", TEST_IMAGES, TEST_LABELS))
    }


def _pair(images: Path, labels: Path | None, name: str) -> ImageDataset:
    """Return one part of a set in IDX format, or name the file in which it is wrong."""
    arrays = read_idx(images), None if labels is None else read_idx(labels)
    try:
        return ImageDataset(*arrays, name=name)
    except InputError as error:
        raise InputError(f"{images}: {error}") from error


def divided(parts: dict[str, ImageDataset], split: str) -> ImageDataset:
    """Return one split of a set. What is not a part of its own is drawn from the rest, with a fixed seed.

    Args:
        parts: "train", "test" and possibly "validation"; or "all".
        split: "train", "validation" or "test".

    Returns:
        The part of this name; or a sixth of the images for validation, a sixth for test, and the rest for train.

    Raises:
        InputError: if there are too few images.
    """
    drawn = [name for name in ("test", "validation") if name not in parts]
    if split in parts and (split != "train" or not drawn):
        return parts[split]
    whole = parts["all"] if "all" in parts else parts["train"]
    size = len(whole) // SHARE
    if not size:
        raise InputError(
            f"got {len(whole)} images of {whole.name}, expected at least {SHARE}: a sixth of them is kept for "
            f"{' and a sixth for '.join(drawn)}"
        )
    order = torch.randperm(len(whole), generator=stream(0, "splits of an own set"), device="cpu")
    if split == "train":
        return whole[order[size * len(drawn) :]]
    return whole[order[size * drawn.index(split) :][:size]]


def own_name(path: Path) -> str:
    """Return the name of an own set, which is never the name of a known set.

    Args:
        path: its folder or file.

    Returns:
        The name of the folder, or of the file without `.npz`; "own NAME" if a known set has that name.
    """
    try:
        whole = path.resolve()
    except OSError as error:
        raise unreadable(path, error) from error
    folder = whole.parent if whole.name == "raw" else whole  # torchvision puts the files in NAME/raw
    name = whole.stem if path.is_file() else folder.name
    known = {_plain(each) for each in (MNIST5K, *KNOWN)}
    return f"own {name}".strip() if _plain(name) in known | {""} else name


def _plain(name: str) -> str:
    """Return the letters and digits of a name: FashionMNIST, fashion_mnist and Fashion-MNIST are alike."""
    return re.sub(r"[\W_]", "", name.casefold())
