"""The classes that a classifier predicts for samples: whether they are the requested ones, and whether all occur."""

import torch
from jaxtyping import Float
from torch import Tensor

from gmlib.errors import InputError
from gmlib.metrics.classifier import shipped_classifier
from gmlib.metrics.features import Extractor, extract
from gmlib.shapes import Features, Image, Labels, require_shape, require_whole

Frequencies = Float[Tensor, " classes"]  # shares of the classes in the reference: they sum to 1


def label_accuracy(samples: Image, labels: Labels, classifier: Extractor | None = None) -> float:
    """Return the share of samples whose predicted class is the label that they were drawn with.

    It is below 1 even for real digits, since the classifier makes errors.

    Args:
        samples: `(b, 1, 28, 28)` in [0, 1].
        labels: `(b,)`.
        classifier: maps images to logits, `(b, classes)`; None takes the shipped one, of MNIST.

    Returns:
        From 0 to 1.

    Raises:
        InputError: if the labels are not one class number per sample.
    """
    logits = logits_of(samples, classifier)
    return accuracy(logits.argmax(1), labels, logits.shape[1])


def predict(images: Image, classifier: Extractor | None = None) -> Labels:
    """Return the class that a classifier, by default the shipped one of MNIST, predicts for each image."""
    return logits_of(images, classifier).argmax(1)


def logits_of(images: Image, classifier: Extractor | None = None) -> Features:
    """Return the logits of a classifier; raise InputError for NaN, which argmax would take for the largest."""
    logits = extract(images, shipped_classifier() if classifier is None else classifier)
    if logits.isnan().any():
        raise InputError("got logits that are NaN, expected numbers: check whether the classifier diverged")
    return logits


def accuracy(predicted: Labels, labels: Labels, num_classes: int) -> float:
    """Return the share of images whose predicted class is their label."""
    require_shape("b", predicted=predicted, labels=labels)
    _class_counts(labels, num_classes)  # checks their range
    return int((predicted.cpu() == labels.cpu()).sum()) / len(labels)


def histogram_kl(predicted: Labels, frequencies: Frequencies) -> float:
    r"""Return the KL divergence from the shares of the predicted classes to reference frequencies.

    $$\mathrm{KL}(h \,\|\, f) = \sum_c h_c \log \frac{h_c}{f_c}, \qquad 0 \log 0 = 0$$

    It depends on the histogram only, not on the variety within a class.

    Args:
        predicted: classes, `(b,)`.
        frequencies: f, the share of each class in the reference, `(c,)`.

    Returns:
        Nats, at least 0; infinite if a class was predicted whose frequency is 0.

    Raises:
        InputError: if there are no predictions, one is not a class, or the frequencies do not sum to 1.
    """
    shares, reference = _class_shares(predicted, frequencies)
    return float((torch.xlogy(shares, shares) - torch.xlogy(shares, reference)).sum())


def digits_covered(predicted: Labels, frequencies: Frequencies) -> int:
    """Return the number of classes that occur at least a tenth as often as in the reference.

    A single prediction does not count: among thousands of samples of one digit, a classifier's errors cover all ten classes.

    Args:
        predicted: classes, `(b,)`.
        frequencies: the share of each class in the reference, `(c,)`.

    Returns:
        From 0 to c.

    Raises:
        InputError: as for `histogram_kl`.
    """
    shares, reference = _class_shares(predicted, frequencies)
    enough = shares >= 0.1 * reference * (1 - 1e-6)  # exactly a tenth is enough, also of a rounded frequency
    return int((enough & (reference > 0)).sum())


def _class_shares(predicted: Tensor, frequencies: Tensor) -> tuple[Tensor, Tensor]:
    """Return the shares of the predicted classes, and the reference frequencies, in float64 on the CPU."""
    reference = frequencies.cpu().double()
    total = float(reference.sum())
    if reference.ndim != 1 or not (reference >= 0).all() or not abs(total - 1) < 1e-5:
        raise InputError(
            f"got frequencies of shape {tuple(frequencies.shape)} that sum to {total:g}, "
            "expected one per class, none below 0, with sum 1: divide counts by their sum"
        )
    return _class_counts(predicted, len(reference)) / len(predicted), reference


def _class_counts(labels: Tensor, classes: int) -> Tensor:
    """Return how often each class occurs, in float64; raise InputError for labels that are not classes."""
    require_whole(1, samples=len(labels))
    low, high = int(labels.min()), int(labels.max())
    if not 0 <= low <= high < classes:
        raise InputError(f"got classes from {low} to {high}, expected 0 to {classes - 1}: map them first")
    return labels.cpu().bincount(minlength=classes).double()
