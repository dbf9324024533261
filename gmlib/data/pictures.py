"""A folder of picture files, one folder per class: converted to grey and resized to 28 × 28."""

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
ORDER_STREAM = "order of the pictures"  # seeds the order of the images; recorded runs depend on these words


def read_pictures(folder: Path) -> dict[str, ImageDataset]:
    """Load a folder with one folder of pictures per class, or `train/` and `test/` with such folders in them.

    Each picture is rotated as its EXIF data say, converted to grey, and resized to 28 × 28 without regard to its proportions.
    It is not inverted: gmlib expects bright ink on a dark background. Classes are in alphabetical order, or in numerical order
    if all their names are numbers. Pictures that are in no class folder are a set without labels. The result has the keys
    "train", "test" and possibly "validation", or "all" if the folder is not divided. The order is drawn with a fixed seed.
    """
    parts = {SPLIT_OF_FOLDER[sub.name.lower()]: sub for sub in _folders(folder) if sub.name.lower() in SPLIT_OF_FOLDER}
    if parts and not {"train", "test"} <= set(parts):
        raise InputError(
            f"got {folder} with {' and '.join(f'{sub.name}/' for sub in parts.values())}, expected both train/ and test/: add "
            "the other, or name a folder that holds one folder per class and nothing else, which is then divided at random"
        )
    parts = parts or {"all": folder}
    names = {sub.name for part in parts.values() for sub in _folders(part)}
    classes = sorted(names, key=int) if all(name.isdecimal() for name in names) else sorted(names)
    return {split: _read_part(part, classes, f"{folder.name}/{split}") for split, part in parts.items()}


def _folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, without hidden ones and without `__MACOSX` and the like."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))


def _pictures(folder: Path) -> list[Path]:
    """Return the picture files in a folder, in order of their names, without hidden ones."""
    return sorted(
        path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def _read_part(folder: Path, classes: list[str], name: str) -> ImageDataset:
    """Return the pictures of all class folders, or those in the folder itself without labels."""
    loose = _pictures(folder)
    labelled = [(path, label) for label, sub in enumerate(classes) for path in _pictures(folder / sub)]
    if loose and classes:
        raise InputError(
            f"got {folder}, where {loose[0].name} lies beside the class folders, expected each picture in the folder of "
            "its class: move it into one, or out of the folder"
        )
    paths = loose or [path for path, _ in labelled]
    if not paths:
        raise InputError(
            f"got {folder} without pictures, expected picture files ({', '.join(SUFFIXES)}) in one folder per class, "
            "or the four IDX files of a set: name the folder in which they are"
        )
    order = torch.randperm(len(paths), generator=stream(0, ORDER_STREAM), device="cpu")
    images = _stack(folder, tuple((path, path.stat().st_mtime_ns) for path in paths))[order]
    labels = torch.tensor([label for _, label in labelled])[order] if classes else None
    return ImageDataset(images, labels, classes or None, name)


@lru_cache(maxsize=4)  # each split reads the same files; the time is a key so that a changed file is read again
def _stack(folder: Path, paths_and_times: tuple[tuple[Path, int], ...]) -> Tensor:
    """Return pictures as uint8 `(n, 28, 28)`, and log what was done to them."""
    images = np.stack([_picture(path) for path, _ in paths_and_times])
    log.info("%s: read %d pictures; converted to grey and 28 × 28", folder, len(images))
    if images.mean() > 127:
        log.warning(
            "%s: most pixels are bright, and gmlib expects bright ink on a dark background. If the pictures show dark ink on "
            "white, invert them: ImageDataset(255 - images, labels, classes)",
            folder,
        )
    return torch.from_numpy(images)


def _picture(path: Path) -> np.ndarray:
    """Return one picture as uint8 `(28, 28)`."""
    from PIL import Image, ImageOps  # slow to import, and few load pictures

    try:
        with Image.open(path) as file:
            if file.mode.startswith(("I", "F")):  # 16 bits or floats, which Pillow would clip at 255
                raise ValueError(f"its pixels are of mode {file.mode}, and 8 bits per channel are needed")
            picture = ImageOps.exif_transpose(file).convert("L").resize((28, 28), Image.Resampling.BILINEAR)
    except Exception as error:  # damaged files raise errors of many types: OSError, ValueError, SyntaxError, …
        raise InputError(f"cannot read {path} ({one_line(error)}), expected a picture: replace or remove it") from error
    return np.asarray(picture)
