"""The dataset of a command, given by its name or path: its images, its scorer, and the metrics of a run on it."""

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from tqdm import tqdm

from gmlib.data import KNOWN, SPLITS, ImageDataset, known_folder, load, require_classes
from gmlib.errors import InputError
from gmlib.experiments.evaluate import evaluate, evaluate_digits
from gmlib.experiments.recipe import ClassifierRecipe, Recipe
from gmlib.experiments.run import Metrics, Run
from gmlib.experiments.tables import Compared, compared
from gmlib.metrics.scorer import MNIST, Scorer, dataset_name, shipped_scorer
from gmlib.zoo import load_run

NAMES = ("mnist5k", *KNOWN)
FEWEST = 129  # images: FID compares the covariances of 128 features
NOT_AT_HAND = "the official test digits are not at hand: name their folder with --data to measure on them too"


@dataclass(frozen=True)
class Splits:
    """A dataset as a command was given it: its name or path, the folder of a set with a name (None: the usual one), its splits."""

    given: str
    root: Path | None
    train: ImageDataset
    validation: ImageDataset
    test: ImageDataset

    @classmethod
    def read(cls, given: str, classes: Sequence[str] | Path | None = None, *, download: bool = False) -> "Splits":
        """Read all splits, so that damaged files are noticed before training."""
        if download and given not in KNOWN:
            raise InputError(
                f"got --download with {given}, expected one of {', '.join(KNOWN)}: omit it, or name one of them with --data"
            )
        root = known_folder(given, download=True) if download else None
        return cls(given, root, *(load(given, split, root, classes=classes) for split in SPLITS))

    @property
    def name(self) -> str:
        """Name of the set, without the split."""
        return dataset_name(self.train)

    def description(self) -> str:
        """Return name, number of images and classes in one line."""
        counts = ", ".join(f"{len(getattr(self, split)):,} {split}" for split in SPLITS)
        names = self.train.classes
        labels = f"{len(names)} classes" if self.train.labels is not None else "no labels"
        if names and self.name not in NAMES and names == tuple(map(str, range(len(names)))):
            labels += f", named 0 to {len(names) - 1} (--classes FILE gives them names)"
        return f"data: {self.name}, {counts}, {labels}"

    def require_labels(self, recipe: Recipe) -> None:
        """Refuse a set without the labels that a recipe needs, or without test images of each class."""
        if recipe.needs_labels:
            self.train.require_labels()
        if self.train.labels is not None:
            require_classes(self.test)

    def scorer(
        self, recipe: Recipe, folder: Path | None = None, *, training: bool = False
    ) -> tuple[Scorer | None, str]:
        """Return the scorer for a recipe's samples, or None and the reason why they are not measured.

        The scorer is from the folder of a classifier, or else from where `find_scorer` looks. Test images have to be enough
        for FID, and in training validation images too.
        """
        if isinstance(recipe, ClassifierRecipe):
            return None, ""
        scorer, place = find_scorer(self.train, folder), default_folder(self.train)
        if self.name in MNIST:
            return scorer, ""
        if self.train.labels is None:
            return (
                None,
                f"samples are not measured: {self.name} has no labels, and a scorer is a classifier of labelled images",
            )
        compared = [self.validation, self.test] if training else [self.test]
        if not all(FEWEST <= len(images) <= len(self.train) for images in compared):
            sizes = " and ".join(f"{len(images):,} in {images.name}" for images in [*compared, self.train])
            return None, (
                f"samples are not measured: FID needs at least {FEWEST} images, and no more than there are training images, "
                f"and there are {sizes}"
            )
        if scorer is not None:
            return scorer, ""
        command = f"gmlib train classifier --data {quote(self.given)}"
        if not place.exists():
            return None, f"there is no scorer for {self.name}, so samples are not measured: make one with {command}"
        return None, (
            f"there is no scorer for {self.name}, since {place} holds none that was trained on these images, so samples are not "
            f"measured: make one with {command} --out FOLDER, and name it with gmlib evaluate --scorer FOLDER"
        )

    def measure(self, run: Run, scorer: Scorer | None) -> Metrics:
        """Return the metrics of a run on the test images; of MNIST those on the embedded digits too."""
        if self.name not in MNIST:
            return evaluate(run.recipe, run.model, self.test, self.train, scorer, watch)
        root = self.root if self.given in NAMES else Path(self.given)
        return evaluate_digits(run.recipe, run.model, full=self.name == "mnist", root=root, scorer=scorer, watch=watch)


# scorers


def default_folder(train: ImageDataset) -> Path:
    """Return the folder into which `gmlib train classifier` writes the scorer of a dataset."""
    return Path("runs") / f"classifier-{dataset_name(train)}-0"


def find_scorer(train: ImageDataset, folder: Path | None = None) -> Scorer | None:
    """Return the scorer of a dataset: from the folder of a classifier, the shipped one for MNIST, or from the default folder.

    Without a folder it is None if the default one holds no classifier of these images. A named folder that holds none is
    refused.
    """
    if folder is None and dataset_name(train) in MNIST:
        return shipped_scorer()
    path = folder or default_folder(train)
    if folder is None and not (path / "classifier.safetensors").is_file():
        return None
    run = load_run(path, "classifier")
    name = str(run.about["data"]).rpartition("/")[0]
    scorer = Scorer(run.model, name, None if name in MNIST else run.about.get("data_digest"))
    if folder is None and not scorer.fits(train):
        return None
    scorer.require(train)
    return scorer


# measuring a finished run


class Found(NamedTuple):
    """The dataset and the metrics of an evaluation, those that the run has stored beside them, and a note for the reader."""

    data: str
    metrics: Metrics
    rows: list[Compared]
    note: str


def measure(run: Run, data: str | None, classes: Path | None, folder: Path | None) -> Found:
    """Return the metrics of a run on the test images of a dataset, by default of the one that it was trained on.

    A run of MNIST is measured on the embedded digits, and on the official ones if they are found. `folder` holds the
    classifier of the dataset.
    """
    chosen = data or _data_of(run)
    if chosen in MNIST or (chosen not in NAMES and dataset_name(load(chosen, "test")) in MNIST):
        return _measure_digits(run, chosen, folder)
    return _measure_own(run, chosen, classes or (None if data else run.about["classes"] or None), folder)


def _data_of(run: Run) -> str:
    """Return name or path of the dataset that a run was trained on; "mnist" for MNIST, unless the folder of its files is known."""
    name = str(run.about["data"]).rpartition("/")[0]
    given = str(run.about.get("data_from", name))
    there = given not in NAMES and Path(given).exists()
    if name in MNIST and not there:
        return "mnist"
    if given not in NAMES and not there:
        raise InputError(f"found no {given}, which the run was trained on: name its folder with --data")
    return given


def _measure_digits(run: Run, chosen: str, folder: Path | None) -> Found:
    """Measure a run on MNIST: "mnist", "mnist5k" for the embedded digits alone, or the folder of its files."""
    root = None if chosen in NAMES else Path(chosen)
    full = chosen != "mnist5k" and has_mnist(root)
    scorer = None if folder is None else find_scorer(load("mnist5k", "train"), folder)
    metrics = evaluate_digits(run.recipe, run.model, full=full, root=root, scorer=scorer, watch=watch)
    trained = str(run.about["data"]).rpartition("/")[0] in MNIST
    rows = compared(run.metrics, metrics, full=full) if trained else []
    return Found(chosen, metrics, rows, "" if full else NOT_AT_HAND)


def _measure_own(run: Run, chosen: str, classes: Sequence[str] | Path | None, folder: Path | None) -> Found:
    """Measure a run on another dataset than MNIST; its metrics are compared if the run was trained on the same images."""
    splits = Splits.read(chosen, classes)
    count, found = run.model.num_classes, splits.train.num_classes
    splits.require_labels(run.recipe)
    if count and count != found:
        raise InputError(
            f"got {chosen} with {found} classes, expected the {count} classes that {run.recipe.name} was trained with: "
            "name them with --classes, or choose another --data"
        )
    scorer, note = splits.scorer(run.recipe, folder)
    if note and folder:
        raise InputError(f"got --scorer {folder}, but {note}")
    metrics = splits.measure(run, scorer)
    rows = compared(run.metrics, metrics, full=True) if run.about["data_digest"] == splits.train.digest else []
    return Found(chosen, metrics, rows, note)


def has_mnist(data: Path | None) -> bool:
    """Return whether the official digits are found; a folder that was named and does not hold them is refused."""
    try:
        known_folder("mnist", data)
    except InputError:
        if data is not None or os.environ.get("GMLIB_DATA"):
            raise
        return False
    return True


def watch(steps: Iterable[Any]) -> Iterable[Any]:
    """Show the progress of a measurement where there is a terminal."""
    return tqdm(steps, desc="measuring", leave=False, disable=not sys.stderr.isatty())
