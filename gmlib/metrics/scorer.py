"""A scorer: the classifier of one dataset, in whose features samples are compared with that dataset's images."""

from dataclasses import dataclass

from gmlib.data import ImageDataset
from gmlib.errors import InputError
from gmlib.metrics.classifier import shipped_classifier
from gmlib.models.classifier import Classifier

MNIST = ("mnist", "mnist5k")  # the embedded digits are a part of MNIST


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
        name = source(train)
        return name == self.data and train.digest == self.digest if self.digest else {name, self.data} <= {*MNIST}

    def require(self, train: ImageDataset) -> None:
        """Refuse to score samples of a dataset on which the classifier was not trained."""
        if not self.fits(train):
            raise InputError(
                f"got a scorer for {self.data} and samples of {source(train)}, expected a scorer that was trained on "
                f"{source(train)}: its classifier was trained on other classes; make one with gmlib train classifier --data"
            )


def source(dataset: ImageDataset) -> str:
    """Return the name of the set that a dataset is a split of: "mnist" for "mnist/train"."""
    return dataset.name.rpartition("/")[0] or dataset.name


def shipped_scorer() -> Scorer:
    """Return the scorer for MNIST that gmlib ships.

    Returns:
        The shipped classifier with its dataset.
    """
    return Scorer(shipped_classifier(), "mnist")
