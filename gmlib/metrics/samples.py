"""All metrics of samples, and the values that real images reach."""

import torch

from gmlib.errors import InputError
from gmlib.metrics.classifier import shipped_classifier
from gmlib.metrics.features import ReferenceFeatures, References, extract
from gmlib.metrics.frechet import frechet_distance, kernel_distance
from gmlib.metrics.labels import Frequencies, accuracy, digits_covered, histogram_kl
from gmlib.metrics.neighbours import density_coverage, manifold_overlap
from gmlib.models.classifier import Classifier
from gmlib.shapes import Features, Image, Labels


def measure_samples(
    samples: Image,
    reference: References,
    real: Image,
    frequencies: Frequencies,
    labels: Labels | None = None,
    real_labels: Labels | None = None,
    *,
    classifier: Classifier | None = None,
) -> dict[str, float]:
    """Measure samples against test images, and the same number of training images against the same test images.

    Args:
        samples: `(b, 1, 28, 28)` in [0, 1], grey or binary.
        reference: test images, grey or binarised like the samples.
        real: training images, grey or binarised like the samples, and of the same number.
        frequencies: share of each class in the training data, `(c,)`.
        labels: the labels that conditional samples were drawn with, `(b,)`; None for samples without labels.
        real_labels: labels of the training images, needed if `labels` are given.
        classifier: trained on the same set; None takes the shipped one, of MNIST.

    Returns:
        "fid", "kid", "precision", "recall", "density", "coverage", "digits", "histogram_kl", and with labels "label_accuracy",
        of the samples; and the same of the training images under the names "fid_real", "kid_real", …; to four decimals.

    Raises:
        InputError: if the numbers of samples and of training images differ.
    """
    if len(samples) != len(real):
        raise InputError(
            f"got {len(samples)} samples and {len(real)} real images, expected the same number: most metrics "
            "depend on it, so draw more samples, or cut the longer set"
        )
    classifier = classifier or shipped_classifier()
    features, real_features, reference_features = (
        extract(images, classifier.features) for images in (samples, real, reference)
    )
    metrics = _measure(features, reference_features, frequencies, labels, classifier)
    real_metrics = _measure(real_features, reference_features, frequencies, real_labels, classifier)
    metrics |= {f"{name}_real": value for name, value in real_metrics.items()}
    return {name: round(value, 4) for name, value in metrics.items()}


@torch.inference_mode()
def _measure(
    features: Features,
    reference: ReferenceFeatures,
    frequencies: Frequencies,
    labels: Labels | None,
    classifier: Classifier,
) -> dict[str, float]:
    """Return all metrics of one set of images, from their features."""
    precision, recall = manifold_overlap(features, reference)
    density, coverage = density_coverage(features, reference)
    predicted = classifier.head(features).argmax(1)
    metrics = {
        "fid": frechet_distance(features, reference),
        "kid": kernel_distance(features, reference),
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "digits": digits_covered(predicted, frequencies),
        "histogram_kl": histogram_kl(predicted, frequencies),
    }
    return metrics if labels is None else metrics | {"label_accuracy": accuracy(predicted, labels, len(frequencies))}
