"""A folder of picture files, one folder per class: made grey and 28 × 28."""

import logging
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gmlib.data.dataset import ImageDataset
from gmlib.errors import InputError, one_line
from gmlib.seeds import stream

log = logging.getLogger("gmlib")

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
SPLIT_OF_FOLDER = {"train": "train", "test": "test"} | dict.fromkeys(("validation", "valid", "val"), "validation")

File = tuple[Path, int, int]  # path, time of the last change, size: a changed file is read again


def read_pictures(folder: Path) -> dict[str, ImageDataset]:
    """Load a folder of pictures: a folder for each class, or `train/` and `test/` with a folder for each class in them.

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
    parts = {SPLIT_OF_FOLDER[name]: each for each in _folders(folder) if (name := each.name.lower()) in SPLIT_OF_FOLDER}
    if parts and not {"train", "test"} <= set(parts):
        raise InputError(
            f"got {folder} with {' and '.join(f'{each.name}/' for each in parts.values())}, expected both train/ and test/: add "
            "the other, or name a folder that holds one folder per class and nothing else, which is then divided at random"
        )
    parts = parts or {"all": folder}
    names = {each.name for part in parts.values() for each in _folders(part)}
    classes = sorted(names, key=int) if all(name.isdecimal() for name in names) else sorted(names)
    return {split: _read(part, classes, f"{folder.name}/{split}") for split, part in parts.items()}


def _entries(folder: Path) -> list[Path]:
    """Return what a folder holds and does not hide, in order of the names."""
    return sorted(each for each in folder.iterdir() if not each.name.startswith("."))


def _folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, without those that systems and tools leave behind."""
    return [each for each in _entries(folder) if each.is_dir() and not each.name.startswith("__")]


def _pictures(folder: Path) -> list[Path]:
    """Return the picture files of a folder, in order of the names."""
    return [each for each in _entries(folder) if each.suffix.lower() in SUFFIXES and each.is_file()]


def _read(folder: Path, classes: list[str], name: str) -> ImageDataset:
    """Return one part: the pictures of all class folders, or those in the folder itself, in an order drawn at random."""
    loose = _pictures(folder)
    labelled = [
        (path, label)
        for label, each in enumerate(classes)
        if (folder / each).is_dir()
        for path in _pictures(folder / each)
    ]
    if loose and classes:
        raise InputError(
            f"got {folder}, where {loose[0].name} lies beside the class folders, expected each picture in the folder of "
            "its class: move it into one, or out of the folder"
        )
    paths = loose or [path for path, _ in labelled]
    if not paths:
        raise InputError(
            f"got {folder} without pictures, expected picture files ({', '.join(SUFFIXES)}) in one folder per class, "
            "or the files of a set in IDX format: name another folder"
        )
    files = tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths)
    order = torch.randperm(len(files), generator=stream(0, "order of the pictures"), device="cpu")
    images = _stack(files, folder)[order]
    labels = torch.tensor([label for _, label in labelled])[order] if classes else None
    return ImageDataset(images, labels, classes or None, name)


@lru_cache(maxsize=4)  # each split of a set asks for the same files
def _stack(files: tuple[File, ...], folder: Path) -> Tensor:
    """Return pictures as uint8 `(n, 28, 28)`, and log what was done to them."""
    images, sizes = zip(*(_picture(path) for path, _, _ in files), strict=True)
    shown = f"{len(set(sizes))} sizes" if len(set(sizes)) > 1 else f"size {sizes[0][0]}×{sizes[0][1]}"
    log.info("%s: read %d pictures of %s; made grey and 28 × 28", folder, len(images), shown)
    stacked = np.stack(images)
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
            if file.mode.startswith(("I", "F")):  # 16 bits or floats, which Pillow would clip at 255
                raise ValueError(f"its pixels are of mode {file.mode}, and 8 bits per channel are needed")
            picture, size = ImageOps.exif_transpose(file), file.size
            if picture.has_transparency_data:
                picture = picture.convert("RGBA")
                picture = Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture)
            picture = picture.convert("L").resize((28, 28), Image.Resampling.BILINEAR)
    except Exception as error:  # damaged files raise errors of many types: OSError, ValueError, SyntaxError, …
        raise InputError(f"cannot read {path} ({one_line(error)}), expected a picture: replace or remove it") from error
    return np.asarray(picture), size
