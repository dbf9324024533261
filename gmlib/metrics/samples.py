"""All metrics of samples, in one pass of the classifier, beside the values that real images reach."""

import torch

from gmlib.errors import InputError
from gmlib.metrics.classifier import shipped_classifier
from gmlib.metrics.features import ReferenceFeatures, References, extract
from gmlib.metrics.frechet import frechet_distance, kernel_distance
from gmlib.metrics.labels import Frequencies, agreement, digits_covered, histogram_kl
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
        samples: `(b, 1, 28, 28)` in [0, 1].
        reference: test images, grey or binarised like the samples.
        real: training images, grey or binarised like the samples; the same number, since most metrics depend on it.
        frequencies: of each class in the training data, `(c,)`.
        labels: that conditional samples were drawn with, `(b,)`.
        real_labels: of the training images, where `labels` are given.
        classifier: trained on the same set; None takes the shipped one, of MNIST.

    Returns:
        "fid", "kid", "precision", "recall", "density", "coverage", "digits", "histogram_kl", with labels also
        "label_accuracy", and for each the value that real images reach, "…_real"; four decimals.

    Raises:
        InputError: if the numbers of samples and of training images differ.
    """
    if len(samples) != len(real):
        raise InputError(
            f"got {len(samples)} samples and {len(real)} real images, expected the same number: most metrics "
            "depend on it, so draw more samples, or cut the longer set"
        )
    classifier = classifier or shipped_classifier()
    features = extract(reference, classifier.features)
    found = _measure(extract(samples, classifier.features), features, frequencies, labels, classifier)
    reached = _measure(extract(real, classifier.features), features, frequencies, real_labels, classifier)
    found |= {f"{name}_real": value for name, value in reached.items()}
    return {name: round(value, 4) for name, value in found.items()}


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
    found = {"fid": frechet_distance(features, reference), "kid": kernel_distance(features, reference)}
    found |= {"precision": precision, "recall": recall, "density": density, "coverage": coverage}
    found |= {"digits": digits_covered(predicted, frequencies), "histogram_kl": histogram_kl(predicted, frequencies)}
    return found if labels is None else found | {"label_accuracy": agreement(predicted, labels, len(frequencies))}
