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
from gmlib.experiments.tables import Comparison, compare_metrics
from gmlib.metrics.scorer import MNIST_NAMES, Scorer, dataset_name, shipped_scorer
from gmlib.zoo import load_run

NAMES = ("mnist5k", *KNOWN)  # of datasets that gmlib knows; all others are given by a path
MIN_FID_IMAGES = 129  # FID uses the covariance of 128 features, which has full rank from 129 images on
NO_OFFICIAL_DIGITS = "the official test digits were not found: name their folder with --data to measure on them too"


@dataclass(frozen=True)
class Splits:
    """The training, validation and test images of the dataset of a command.

    `source` is the name or path after --data; `root` is the folder of a dataset with a name, None for the usual one.
    """

    source: str
    root: Path | None
    train: ImageDataset
    validation: ImageDataset
    test: ImageDataset

    @classmethod
    def read(cls, source: str, classes: Sequence[str] | Path | None = None, *, download: bool = False) -> "Splits":
        """Read all splits, so that damaged files are noticed before training; `classes` are names, or a file of names."""
        if download and source not in KNOWN:
            raise InputError(
                f"got --download with {source}, expected one of {', '.join(KNOWN)}: omit it, or name one of them with --data"
            )
        root = known_folder(source, download=True) if download else None
        return cls(source, root, *(load(source, split, root, classes=classes) for split in SPLITS))

    @property
    def name(self) -> str:
        """Name of the dataset, without the split."""
        return dataset_name(self.train)

    def description(self) -> str:
        """Return name, number of images and classes in one line."""
        counts = ", ".join(f"{len(getattr(self, split)):,} {split}" for split in SPLITS)
        classes = self.train.classes
        labels = f"{len(classes)} classes" if self.train.labels is not None else "no labels"
        if classes and self.name not in NAMES and classes == tuple(map(str, range(len(classes)))):
            labels += f", named 0 to {len(classes) - 1} (--classes FILE gives them names)"
        return f"data: {self.name}, {counts}, {labels}"

    def require_labels(self, recipe: Recipe) -> None:
        """Raise InputError if labels that the recipe needs are missing, or if a class has no test image."""
        if recipe.needs_labels:
            self.train.require_labels()
        if self.train.labels is not None:
            require_classes(self.test)

    def scorer(
        self, recipe: Recipe, folder: Path | None = None, *, training: bool = False
    ) -> tuple[Scorer | None, str]:
        """Return the scorer for a recipe's samples and "", or None and the reason why samples are not measured.

        `folder` is that of a trained classifier; None looks where `find_scorer` does. FID needs enough test images, and in
        training enough validation images too.
        """
        if isinstance(recipe, ClassifierRecipe):
            return None, ""
        scorer = find_scorer(self.train, folder)
        if self.name in MNIST_NAMES:
            return scorer, ""
        if self.train.labels is None:
            reason = f"{self.name} has no labels, and a scorer is a classifier of labelled images"
            return None, f"samples are not measured: {reason}"
        reference_sets = [self.validation, self.test] if training else [self.test]
        if not all(MIN_FID_IMAGES <= len(images) <= len(self.train) for images in reference_sets):
            sizes = " and ".join(f"{len(images):,} in {images.name}" for images in [*reference_sets, self.train])
            return None, (
                f"samples are not measured: FID needs at least {MIN_FID_IMAGES} images, and no more than there are training "
                f"images, and there are {sizes}"
            )
        if scorer is not None:
            return scorer, ""
        return None, (
            f"there is no scorer for {self.name} that was trained on these images, so samples are not measured: make one with "
            f"gmlib train classifier --data {quote(self.source)}; if it is in another folder, name this with gmlib evaluate "
            "--scorer"
        )

    def metrics_of(self, run: Run, scorer: Scorer | None) -> Metrics:
        """Return the metrics of a run on the test images; for MNIST also those on the embedded digits."""
        if self.name not in MNIST_NAMES:
            return evaluate(run.recipe, run.model, self.test, self.train, scorer, watch)
        root = self.root if self.source in NAMES else Path(self.source)
        return evaluate_digits(run.recipe, run.model, full=self.name == "mnist", root=root, scorer=scorer, watch=watch)


def default_scorer_folder(train: ImageDataset) -> Path:
    """Return the folder into which `gmlib train classifier` writes the scorer of a dataset."""
    return Path("runs") / f"classifier-{dataset_name(train)}-0"


def find_scorer(train: ImageDataset, folder: Path | None = None) -> Scorer | None:
    """Return the scorer of a dataset: from the folder of a classifier, the shipped one for MNIST, or from the default folder.

    Return None if no folder is given and the default one holds no classifier that was trained on these images; for a folder
    that is given, raise InputError then.
    """
    if folder is None and dataset_name(train) in MNIST_NAMES:
        return shipped_scorer()
    path = folder or default_scorer_folder(train)
    if folder is None and not (path / "classifier.safetensors").is_file():
        return None
    run = load_run(path, "classifier")
    name = trained_on(run)
    scorer = Scorer(run.model, name, None if name in MNIST_NAMES else run.record.get("data_digest"))
    if folder is None and not scorer.fits(train):
        return None
    scorer.require_same_dataset(train)
    return scorer


class Evaluation(NamedTuple):
    """The name or path of a dataset, the metrics of a run on it, their comparison with stored ones, and what is missing."""

    data: str
    metrics: Metrics
    comparisons: list[Comparison]
    not_measured: str  # the reason why samples or official digits were not measured; "" if they were


def evaluate_run(run: Run, data: str | None, classes: Path | None, scorer_folder: Path | None) -> Evaluation:
    """Return the metrics of a run on the test images of a dataset, by default of the one that it was trained on.

    A run of MNIST is measured on the embedded digits, and on the official ones if they are found. `scorer_folder` holds a
    classifier that was trained on the dataset.
    """
    source = data or _data_source(run)
    if source in MNIST_NAMES or (source not in NAMES and dataset_name(load(source, "test")) in MNIST_NAMES):
        return _evaluate_on_mnist(run, source, scorer_folder)
    class_names = classes or (None if data else run.record["classes"] or None)
    return _evaluate_on_other(run, source, class_names, scorer_folder)


def trained_on(run: Run) -> str:
    """Return the name of the dataset that a run was trained on."""
    return str(run.record["data"]).rpartition("/")[0]


def _data_source(run: Run) -> str:
    """Return the name or path of the dataset that a run was trained on; "mnist" for MNIST in a folder that is gone."""
    source = str(run.record.get("data_from", trained_on(run)))
    folder_exists = source not in NAMES and Path(source).exists()
    if trained_on(run) in MNIST_NAMES and not folder_exists:
        return "mnist"
    if source not in NAMES and not folder_exists:
        raise InputError(f"found no {source}, which the run was trained on: name its folder with --data")
    return source


def _evaluate_on_mnist(run: Run, source: str, scorer_folder: Path | None) -> Evaluation:
    """Evaluate a run on MNIST: "mnist", "mnist5k" for the embedded digits alone, or the folder of the official files."""
    root = None if source in NAMES else Path(source)
    full = source != "mnist5k" and has_mnist(root)
    scorer = None if scorer_folder is None else find_scorer(load("mnist5k", "train"), scorer_folder)
    metrics = evaluate_digits(run.recipe, run.model, full=full, root=root, scorer=scorer, watch=watch)
    comparisons = compare_metrics(run.metrics, metrics, full=full) if trained_on(run) in MNIST_NAMES else []
    return Evaluation(source, metrics, comparisons, "" if full else NO_OFFICIAL_DIGITS)


def _evaluate_on_other(
    run: Run, source: str, classes: Sequence[str] | Path | None, scorer_folder: Path | None
) -> Evaluation:
    """Evaluate a run on another dataset than MNIST; compare the metrics if the run was trained on the same images."""
    splits = Splits.read(source, classes)
    splits.require_labels(run.recipe)
    expected, given = run.model.num_classes, splits.train.num_classes
    if expected and expected != given:
        raise InputError(
            f"got {source} with {given} classes, expected the {expected} classes that {run.recipe.name} was trained with: "
            "name them with --classes, or choose another --data"
        )
    scorer, not_measured = splits.scorer(run.recipe, scorer_folder)
    if not_measured and scorer_folder:
        raise InputError(f"got --scorer {scorer_folder}, but {not_measured}")
    metrics = splits.metrics_of(run, scorer)
    same_images = run.record["data_digest"] == splits.train.digest
    return Evaluation(
        source, metrics, compare_metrics(run.metrics, metrics, full=True) if same_images else [], not_measured
    )


def has_mnist(folder: Path | None) -> bool:
    """Return whether the official digits are found; raise InputError if a folder is given and does not hold them."""
    try:
        known_folder("mnist", folder)
    except InputError:
        if folder is not None or os.environ.get("GMLIB_DATA"):
            raise
        return False
    return True


def watch(steps: Iterable[Any]) -> Iterable[Any]:
    """Return the steps of a loop behind a progress bar, which is shown in a terminal."""
    return tqdm(steps, desc="measuring", leave=False, disable=not sys.stderr.isatty())
