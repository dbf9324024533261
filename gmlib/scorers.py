"""Find the scorer of a dataset: the one that gmlib ships for MNIST, or the classifier that was trained on a set of one's own."""

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from gmlib.data import ImageDataset
from gmlib.metrics.scorer import MNIST, Scorer, shipped_scorer, source
from gmlib.zoo import load_run

FEWEST = 129  # images: FID compares the covariances of 128 features


def default_folder(train: ImageDataset) -> Path:
    """Return the folder into which `gmlib train classifier` writes the scorer of a dataset.

    Args:
        train: training images of the dataset.

    Returns:
        Such as runs/classifier-letters-0.
    """
    return Path("runs") / f"classifier-{source(train)}-0"


def find_scorer(train: ImageDataset, folder: Path | str | None = None) -> Scorer | None:
    """Return the scorer of a dataset, if there is one.

    Args:
        train: training images of the dataset.
        folder: of a run of the classifier on it; None takes the shipped one for MNIST, and otherwise looks into the default folder.

    Returns:
        The scorer; None if no folder was named and the default one holds no classifier of these images.

    Raises:
        InputError: if the named folder holds no finished classifier, or one of another dataset.
    """
    if folder is None and source(train) in MNIST:
        return shipped_scorer()
    path = default_folder(train) if folder is None else Path(folder)
    if folder is None and not (path / "classifier.safetensors").is_file():
        return None
    run = load_run(path, "classifier")
    name = str(run.about["data"]).rpartition("/")[0]
    scorer = Scorer(run.model, name, None if name in MNIST else run.about.get("data_digest"))
    if folder is None and not scorer.fits(train):
        return None
    scorer.require(train)
    return scorer


def why_unmeasured(train: ImageDataset, others: Sequence[ImageDataset], scorer: Scorer | None, data: str) -> str:
    """Return the sentence that says why samples are not measured.

    Args:
        train: training images of the dataset.
        others: the images that samples are to be compared with: test images, and in training validation images too.
        scorer: what `find_scorer` found.
        data: what was given as --data.

    Returns:
        One sentence, with the command that makes a scorer if that is what lacks; nothing if samples can be measured.
    """
    name, folder = source(train), default_folder(train)
    if name in MNIST:
        return ""
    if train.labels is None:
        return f"samples are not measured: {name} has no labels, and a scorer is a classifier of labelled images"
    if not all(FEWEST <= len(other) <= len(train) for other in others):
        sizes = " and ".join(f"{len(other):,} in {other.name}" for other in others)
        return (
            f"samples are not measured: FID needs at least {FEWEST} images and as many training images, and there are {sizes} "
            f"and {len(train):,} in {train.name}"
        )
    command = f"gmlib train classifier --data {quote(data)}"
    if scorer is not None:
        return ""
    if folder.exists():
        return (
            f"there is no scorer for {name}, since {folder} holds none that was trained on these images, so samples are not "
            f"measured: make one with {command} --out FOLDER, and name it with gmlib evaluate --scorer FOLDER"
        )
    return f"there is no scorer for {name}, so samples are not measured: make one with {command}"
