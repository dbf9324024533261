"""Which digits a classifier reads in samples: the ones asked for, and all of them?"""

import torch
from jaxtyping import Float
from torch import Tensor

from gmlib.errors import InputError
from gmlib.metrics.classifier import shipped_classifier
from gmlib.metrics.features import Extractor, extract, require_tensors
from gmlib.shapes import Features, Image, Labels

Frequencies = Float[Tensor, " classes"]  # shares of the digits in the reference: they sum to 1


def label_accuracy(samples: Image, labels: Labels, classifier: Extractor | None = None) -> float:
    """Part of the samples in which the classifier reads the digit that was asked for.

    Even for real digits it is below 1, by the classifier's own errors.

    Args:
        samples: `(b, 1, 28, 28)` in [0, 1].
        labels: the digits asked for, `(b,)`.
        classifier: maps images to logits, `(b, 10)`; None takes the shipped one.

    Returns:
        From 0 to 1.
    """
    logits = logits_of(samples, classifier)
    return agreement(logits.argmax(1), labels, logits.shape[1])


def predict(images: Image, classifier: Extractor | None = None) -> Labels:
    """Return the class that a classifier predicts for each image.

    Args:
        images: `(b, 1, 28, 28)` in [0, 1].
        classifier: maps images to logits, `(b, classes)`; None takes the shipped one, of MNIST.

    Returns:
        The class of the largest logit, `(b,)`.

    Raises:
        InputError: if a logit is NaN: it would be the largest.
    """
    return logits_of(images, classifier).argmax(1)


def logits_of(images: Image, classifier: Extractor | None = None) -> Features:
    """Return the logits of a classifier.

    Args:
        images: `(b, 1, 28, 28)` in [0, 1].
        classifier: maps images to logits, `(b, classes)`; None takes the shipped one, of MNIST.

    Returns:
        `(b, classes)`.

    Raises:
        InputError: if a logit is NaN.
    """
    if classifier is None:
        classifier = shipped_classifier()
    logits = extract(images, classifier)
    if logits.isnan().any():
        raise InputError("got logits that are NaN, expected numbers: look for what diverged in the classifier")
    return logits


def agreement(predicted: Labels, labels: Labels, num_classes: int = 10) -> float:
    """Return the share of images whose predicted class is their label.

    Args:
        predicted: class of the largest logit, `(b,)`.
        labels: what was asked for, `(b,)`.
        num_classes: number of classes.

    Returns:
        From 0 to 1.

    Raises:
        InputError: if there are none, not as many of both, or they are no digits.
    """
    require_tensors(predicted=predicted, labels=labels)
    if predicted.shape != labels.shape:
        raise InputError(
            f"got {len(labels)} labels for {len(predicted)} samples, expected one label a sample: "
            "give the labels that the samples were drawn with"
        )
    _counts(labels, num_classes)
    return int((predicted.cpu() == labels.cpu()).sum()) / len(labels)


def histogram_kl(predicted: Labels, frequencies: Frequencies) -> float:
    r"""KL divergence from the shares of the predicted digits to the reference frequencies.

    $$\mathrm{KL}(h \,\|\, f) = \sum_c h_c \log \frac{h_c}{f_c}, \qquad 0 \log 0 = 0$$

    It sees the histogram only, not whether each digit varies.

    Args:
        predicted: what the classifier read, `(b,)`.
        frequencies: f, of each digit in the reference, `(c,)`: of ten digits, or of more classes; they sum to 1.

    Returns:
        Nats, at least 0; infinite if a digit was predicted whose frequency is 0.

    Raises:
        InputError: if there are no predictions, one is no digit, or the frequencies are none.
    """
    share = _shares(predicted, frequencies)
    reference = frequencies.cpu().double()
    return float((torch.xlogy(share, share) - torch.xlogy(share, reference)).sum())


def digits_covered(predicted: Labels, frequencies: Frequencies) -> int:
    """Count the digits that come at least a tenth as often as in the reference.

    To count a digit as soon as it was predicted once would ask too little: in thousands of samples of a single
    digit the classifier's own errors already name all ten.

    Args:
        predicted: what the classifier read, `(b,)`.
        frequencies: of each digit in the reference, `(c,)`; they sum to 1.

    Returns:
        From 0 to c.

    Raises:
        InputError: if there are no predictions, one is no digit, or the frequencies are none.
    """
    share, reference = _shares(predicted, frequencies), frequencies.cpu().double()
    enough = share >= 0.1 * reference * (1 - 1e-6)  # exactly a tenth is enough, also of a rounded frequency
    return int((enough & (reference > 0)).sum())


def _shares(predicted: Tensor, frequencies: Tensor) -> Tensor:
    require_tensors(predicted=predicted, frequencies=frequencies)
    total = float(frequencies.double().sum())
    if frequencies.ndim != 1 or not (frequencies >= 0).all() or not abs(total - 1) < 1e-5:
        raise InputError(
            f"got frequencies of shape {tuple(frequencies.shape)} that sum to {total:g}, "
            "expected one for each digit, none below 0, with sum 1: divide counts by their sum"
        )
    return _counts(predicted, len(frequencies)) / len(predicted)


def _counts(digits: Tensor, classes: int) -> Tensor:
    if not len(digits):
        raise InputError("got no samples, expected at least one: draw some")
    if digits.ndim != 1 or digits.is_floating_point():
        raise InputError(
            f"got digits of {digits.dtype} and shape {tuple(digits.shape)}, expected whole numbers (b,): predict gives them"
        )
    low, high = int(digits.min()), int(digits.max())
    if not 0 <= low <= high < classes:
        raise InputError(f"got digits from {low} to {high}, expected 0 to {classes - 1}: map them first")
    return digits.cpu().bincount(minlength=classes).double()
