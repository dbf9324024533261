"""A scorer: a classifier of one dataset, whose features serve to compare samples with that dataset's images."""

from dataclasses import dataclass

from gmlib.data import ImageDataset
from gmlib.errors import InputError
from gmlib.metrics.classifier import shipped_classifier
from gmlib.models.classifier import Classifier

MNIST_NAMES = ("mnist", "mnist5k")  # one scorer serves both, since the embedded digits are a part of MNIST


@dataclass(frozen=True)
class Scorer:
    """A trained classifier with the name of its dataset. It scores samples of that dataset only.

    Args:
        classifier: the trained network; FID and the other distances are taken between its features.
        data: name of the dataset, without the split.
        digest: of the training images, which distinguishes two datasets of one name; None for MNIST, whose files are known.
    """

    classifier: Classifier
    data: str
    digest: str | None = None

    def fits(self, train: ImageDataset) -> bool:
        """Return whether the classifier was trained on these training images, or both sets are MNIST."""
        name = dataset_name(train)
        if self.digest is None:
            return name in MNIST_NAMES and self.data in MNIST_NAMES
        return name == self.data and train.digest == self.digest

    def require_same_dataset(self, train: ImageDataset) -> None:
        """Raise InputError if the classifier was not trained on these training images."""
        if not self.fits(train):
            raise InputError(
                f"got a scorer for {self.data} and samples of {dataset_name(train)}, expected a scorer that was trained on "
                f"{dataset_name(train)}: make one with gmlib train classifier --data"
            )


def dataset_name(split: ImageDataset) -> str:
    """Return the name of the dataset that a split belongs to: "mnist" for "mnist/train"."""
    return split.name.rpartition("/")[0] or split.name


def shipped_scorer() -> Scorer:
    """Return the scorer for MNIST that gmlib ships: the shipped classifier with the name of its dataset."""
    return Scorer(shipped_classifier(), "mnist")
