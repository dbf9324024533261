"""A folder of picture files, one folder per class: made grey and 28 × 28."""

import logging
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gmlib.data.dataset import ImageDataset
from gmlib.errors import InputError, one_line
from gmlib.files import unreadable
from gmlib.seeds import stream

log = logging.getLogger("gmlib")

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
SPLIT_OF_FOLDER = {
    "train": "train",
    "test": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
}

File = tuple[str, int, int]  # path, time of the last change, size: a changed file is read again


def read_pictures(folder: Path) -> dict[str, ImageDataset]:
    """Read a folder of pictures: a folder for each class, or `train/` and `test/` with a folder for each class in them.

    Each picture is turned as its camera says, made grey, and stretched to 28 × 28; transparent pixels become black. Nothing
    is inverted: gmlib expects bright ink on a dark background. The number of pictures and of sizes is logged.

    Args:
        folder: the folder. Classes are its folders, in alphabetical or, if they all are numbers, numerical order. Pictures that
            lie in no class folder are a set without labels.

    Returns:
        "train", "test" and, if there is a folder for it, "validation"; or "all" if the folder is not divided. The images are
        in an order drawn with a fixed seed.

    Raises:
        InputError: if there is no picture, a picture cannot be read, only one of `train/` and `test/` is there, or pictures
            lie both in and beside class folders.
    """
    folders = {SPLIT_OF_FOLDER.get(each.name.lower()): each for each in _folders(folder)}
    folders.pop(None, None)
    if folders and not {"train", "test"} <= set(folders):
        missing = " and ".join(f"{name}/" for name in ("train", "test") if name not in folders)
        present = ", ".join(f"{each.name}/" for each in folders.values())
        raise InputError(
            f"got {folder} with {present} and without {missing}, expected train/ and test/: add {missing}, "
            "or give a folder that holds one folder per class and nothing else, which is then divided at random"
        )
    parts = {str(split): each for split, each in folders.items()} if folders else {"all": folder}
    classes = _sorted({each.name for part in parts.values() for each in _folders(part)})
    return {split: _read(part, classes, f"{folder.name}/{split}") for split, part in parts.items()}


def _folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, without those that systems and tools leave behind."""
    return [each for each in _entries(folder) if each.is_dir() and not each.name.startswith("__")]


def _entries(folder: Path) -> list[Path]:
    """Return what a folder holds and does not hide, in order of the names."""
    try:
        return sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    except OSError as error:
        raise unreadable(folder, error) from error


def _sorted(names: set[str]) -> list[str]:
    """Return names in alphabetical order, and numbers in numerical order."""
    return sorted(names, key=int) if all(name.isdecimal() for name in names) else sorted(names)


def _pictures(folder: Path) -> list[Path]:
    """Return the picture files of a folder, in order of the names."""
    return [each for each in _entries(folder) if each.suffix.lower() in SUFFIXES and each.is_file()]


def _read(folder: Path, classes: list[str], name: str) -> ImageDataset:
    """Return one part: the pictures of all class folders, or those in the folder itself, in an order drawn at random."""
    loose, labels, paths = _pictures(folder), list[int](), list[Path]()
    for label, each in enumerate(classes):
        found = _pictures(folder / each) if (folder / each).is_dir() else []
        paths += found
        labels += [label] * len(found)
    if loose and classes:
        raise InputError(
            f"got {folder}, where {loose[0].name} lies beside the class folders, expected each picture in the folder of "
            "its class: move it into one, or out of the folder"
        )
    if not loose and not paths:
        raise InputError(
            f"got {folder} without pictures, expected picture files ({', '.join(SUFFIXES)}) in one folder per class, "
            "or the files of a set in IDX format: give another folder"
        )
    files = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths or loose)
    order = torch.randperm(len(files), generator=stream(0, "order of the pictures"), device="cpu")
    images = _stack(files, folder)[order]
    return ImageDataset(images, torch.tensor(labels)[order] if paths else None, classes if paths else None, name)


@lru_cache(maxsize=4)  # each split of a set asks for the same files
def _stack(files: tuple[File, ...], folder: Path) -> Tensor:
    """Return pictures as uint8 `(n, 28, 28)`, and log what was done to them."""
    images, sizes = [], set()
    for path, _, _ in files:
        image, size = _picture(Path(path))
        images.append(image)
        sizes.add(size)
    stacked = np.stack(images)
    first = "×".join(map(str, min(sizes)))
    sizes_read = f"{len(sizes)} sizes" if len(sizes) > 1 else f"size {first}"
    log.info("%s: read %d pictures of %s; made grey and 28 × 28", folder, len(images), sizes_read)
    if stacked.mean() > 127:
        log.warning(
            "%s: most pixels are bright, and gmlib expects bright ink on a dark background. If the pictures show dark ink on "
            "white, invert them: ImageDataset(255 - images, labels, classes)",
            folder,
        )
    return torch.from_numpy(stacked)


def _picture(path: Path) -> tuple[np.ndarray, tuple[int, int]]:
    """Return one picture as uint8 `(28, 28)`, and the size that it had."""
    from PIL import Image, ImageOps  # only those who load pictures wait for it

    try:
        with Image.open(path) as file:
            file.load()
            if file.mode.startswith(("I", "F")):
                raise InputError(
                    f"got {path} with pixels of mode {file.mode}, expected 8 bits per channel: convert it to an 8-bit picture"
                )
            picture, size = ImageOps.exif_transpose(file), file.size
            if picture.has_transparency_data:
                picture = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture)
            picture = picture.convert("L")
            if picture.size != (28, 28):
                picture = picture.resize((28, 28), Image.Resampling.BILINEAR)
    except InputError:
        raise
    except PermissionError as error:
        raise unreadable(path, error) from error
    except Exception as error:  # damaged files raise errors of many types: OSError, ValueError, SyntaxError, …
        raise InputError(f"cannot read {path} ({one_line(error)}), expected a picture: replace or remove it") from error
    return np.asarray(picture), size
