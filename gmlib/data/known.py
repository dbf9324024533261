"""The datasets that gmlib loads by name: their classes and checksums, where their files are, and how they are downloaded."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path

from gmlib.data.dataset import ImageDataset
from gmlib.data.idx import (
    FILE_NAMES,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    decompress,
    find_idx,
    parse_idx,
)
from gmlib.errors import InputError, one_line
from gmlib.files import read_arrays

MNIST5K = "mnist5k"
DIGITS = tuple("0123456789")

# md5 of MNIST's files without gzip; for the other sets only the md5 of the .gz files is published
MNIST_MD5 = {
    TRAIN_IMAGES: "6bbc9ace898e44ae57da46a324031adb",
    TRAIN_LABELS: "a25bea736e30d166cdddb491f175f624",
    TEST_IMAGES: "2646ac647ad5339dbf082846283269ea",
    TEST_LABELS: "27ae3e4e09519cfbb04c329615203637",
}


@dataclass(frozen=True)
class Known:
    """A dataset of 60,000 training images and 10,000 test images in four IDX files."""

    folder: str  # torchvision's name of the set: of its class, and of the folder in which it puts the files
    classes: tuple[str, ...]
    gzip_md5: dict[str, str]  # of each .gz file as it is published
    plain_md5: dict[str, str]  # of each file without gzip; empty if unknown


# the values are those in torchvision, which takes seconds to import
KNOWN = {
    "mnist": Known(
        "MNIST",
        DIGITS,
        {
            TRAIN_IMAGES: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            TRAIN_LABELS: "d53e105ee54ea40749a09fcbcd1e9432",
            TEST_IMAGES: "9fb629c4189551a2d022fa330f9573f3",
            TEST_LABELS: "ec29112dd5afa0611ce80d1b7f02629c",
        },
        MNIST_MD5,
    ),
    "fashion_mnist": Known(
        "FashionMNIST",
        tuple("T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(",")),  # noqa: SIM905
        {
            TRAIN_IMAGES: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            TRAIN_LABELS: "25c81989df183df01b3e8a0aad5dffbe",
            TEST_IMAGES: "bef4ecab320f06d8554ea6380940ec79",
            TEST_LABELS: "bb300cfdad3c16e7a12a480ee83cd310",
        },
        {},
    ),
    "kmnist": Known(
        "KMNIST",
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        {
            TRAIN_IMAGES: "bdb82020997e1d708af4cf47b453dcf7",
            TRAIN_LABELS: "e144d726b3acfaa3e44228e80efcd344",
            TEST_IMAGES: "5c965bf0a639b31b8f53240b1b52f4d7",
            TEST_LABELS: "7320c461ea6c1c855c0b718fb2a4b134",
        },
        {},
    ),
}


def embedded(split: str) -> ImageDataset:
    """Return one split of the 5,000 digits that ship with gmlib: 4,000 for train, 500 for validation, 500 for test."""
    rows = {"train": slice(0, 4000), "validation": slice(4000, 4500), "test": slice(4500, 5000)}[split]
    arrays = read_arrays(Path(str(resources("gmlib") / "digits5k.npz")), "install gmlib again")
    return ImageDataset(arrays["images"][rows], arrays["labels"][rows], DIGITS, f"{MNIST5K}/{split}")


def read_known(name: str, files: dict[str, Path], split: str, classes: Sequence[str] | None = None) -> ImageDataset:
    """Return one split of a known set from its four files; the checksum of each file that is read is verified."""
    arrays = []
    for file_name in (TEST_IMAGES, TEST_LABELS) if split == "test" else (TRAIN_IMAGES, TRAIN_LABELS):
        content, set_name = _identify(files[file_name], file_name)
        if set_name != name:
            advice = (
                f"it is the file of {set_name}, so load {set_name!r} instead"
                if set_name
                else "its checksum is another, so download the .gz file again, or load the folder by its path, as your own set"
            )
            raise InputError(f"got {files[file_name]}, expected {file_name} of {name}: {advice}")
        arrays.append(parse_idx(content, files[file_name]))
    images, labels = arrays
    rows = {"train": slice(10_000, None), "validation": slice(0, 10_000), "test": slice(None)}[split]
    return ImageDataset(images[rows].clone(), labels[rows], classes or KNOWN[name].classes, f"{name}/{split}")


def _identify(path: Path, file_name: str) -> tuple[bytes, str | None]:
    """Return the decompressed content of a file, and the known set whose file of this name has its checksum, or None."""
    raw = path.read_bytes()
    content = decompress(raw, path)
    checksums = {hashlib.md5(data, usedforsecurity=False).hexdigest() for data in (raw, content)}
    for name, known in KNOWN.items():
        if checksums & {known.gzip_md5[file_name], known.plain_md5.get(file_name)}:
            return content, name
    return content, None


def recognise(files: dict[str, Path]) -> str | None:
    """Return the name of the known set whose four files these are, by their checksums; None for other files."""
    if set(files) != set(FILE_NAMES):
        return None
    try:
        names = {_identify(path, file_name)[1] for file_name, path in files.items()}
    except InputError:  # a damaged file
        return None
    return names.pop() if len(names) == 1 else None


def cache_folder() -> Path:
    """Return the folder into which gmlib downloads: `gmlib` in XDG_CACHE_HOME, or in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "gmlib"


def known_folder(name: str, root: Path | str | None = None, *, download: bool = False) -> Path:
    """Return the folder that holds the four files of a known dataset; download them if they are missing and that is allowed.

    Args:
        name: one of `KNOWN`.
        root: folder of the files, with or without gzip; or the folder that torchvision was given, which holds them in
            `FashionMNIST/raw` or the like. If None, the environment's GMLIB_DATA, and without that the user's cache folder.
        download: whether torchvision may download missing files into the user's cache folder.

    Returns:
        The folder with the files in it: a `root` for this function and for `load`.

    Raises:
        InputError: if the files are missing and may not or cannot be downloaded.
    """
    known = KNOWN[name]
    top = Path(root or os.environ.get("GMLIB_DATA") or cache_folder())
    for folder in (top / known.folder / "raw", top):
        files = find_idx(folder)
        # files outside of `root` that are damaged or of another set do not prevent a download
        if set(files) == set(FILE_NAMES) and (root or not download or recognise(files) == name):
            return folder
    if download:
        return _download(known, name)
    raise InputError(
        f"got the data folder {top}, expected the four {known.folder} files there or in {known.folder}/raw below it, with or "
        f"without .gz ({', '.join(FILE_NAMES)}): name their folder with --data or GMLIB_DATA, or download them with --download"
    )


def _download(known: Known, name: str) -> Path:
    """Download a dataset with torchvision into the cache folder, verify its checksums, and return the folder of the files."""
    from torchvision import datasets  # takes seconds to import, and few need it

    folder = cache_folder() / known.folder / "raw"
    try:
        if recognise(find_idx(folder)) != name:
            getattr(datasets, known.folder)(cache_folder(), download=True)
        if recognise(find_idx(folder)) != name:
            raise InputError("files are missing or damaged")
    except (OSError, RuntimeError, InputError) as error:
        raise InputError(
            f"could not download {known.folder} into {folder} ({one_line(error)}): delete that folder if it exists, and check "
            "the network; or put the four files in another folder and name it with --data"
        ) from error
    return folder
