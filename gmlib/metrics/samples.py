"""All that is measured of samples, in one pass of the shipped classifier, beside what real digits would get."""

import torch

from gmlib.errors import InputError
from gmlib.metrics.classifier import shipped_classifier
from gmlib.metrics.features import ReferenceFeatures, References, extract, require_tensors
from gmlib.metrics.frechet import frechet_distance, kernel_distance
from gmlib.metrics.labels import Frequencies, agreement, digits_covered, histogram_kl
from gmlib.metrics.neighbours import density_coverage, manifold_overlap
from gmlib.models.classifier import Classifier
from gmlib.shapes import Features, Image, Labels


def measure_samples(
    samples: Image,
    reference: References,
    floor: Image,
    frequencies: Frequencies,
    labels: Labels | None = None,
    floor_labels: Labels | None = None,
    *,
    classifier: Classifier | None = None,
) -> dict[str, float]:
    """Measure samples against real digits, and other real digits, as many, against the same: the floor.

    Args:
        samples: `(b, 1, 28, 28)` in [0, 1].
        reference: test digits, grey or binarised like the samples.
        floor: training digits, grey or binarised like the samples, and equally many: most measures depend on the number
            of images.
        frequencies: of each class in the training data, `(c,)`.
        labels: the digits that conditional samples were asked to be, `(b,)`.
        floor_labels: what the training digits are, where `labels` are given.
        classifier: trained on the same set; None takes the shipped one, of MNIST.

    Returns:
        "fid", "kid", "precision", "recall", "density", "coverage", "digits", "histogram_kl", with labels
        "label_accuracy" too, and for each its twin "…_real"; four decimals.

    Raises:
        InputError: if samples and floor differ in number, or images or labels are none.
    """
    require_tensors(samples=samples, reference=reference, floor=floor)
    if len(samples) != len(floor):
        raise InputError(
            f"got {len(samples)} samples and {len(floor)} digits for the floor, expected the same number: most measures "
            "depend on it, so draw as many, or cut the longer set"
        )
    classifier = classifier or shipped_classifier()
    real = extract(reference, classifier.features)
    found = _measure(extract(samples, classifier.features), real, frequencies, labels, classifier)
    least = _measure(extract(floor, classifier.features), real, frequencies, floor_labels, classifier)
    return {name: round(value, 4) for name, value in {**found, **{f"{k}_real": v for k, v in least.items()}}.items()}


@torch.inference_mode()
def _measure(
    features: Features,
    real: ReferenceFeatures,
    frequencies: Frequencies,
    labels: Labels | None,
    classifier: Classifier,
) -> dict[str, float]:
    precision, recall = manifold_overlap(features, real)
    density, coverage = density_coverage(features, real)
    predicted = classifier.head(features).argmax(1)
    found = {"fid": frechet_distance(features, real), "kid": kernel_distance(features, real)}
    found |= {"precision": precision, "recall": recall, "density": density, "coverage": coverage}
    found |= {"digits": digits_covered(predicted, frequencies), "histogram_kl": histogram_kl(predicted, frequencies)}
    return found if labels is None else found | {"label_accuracy": agreement(predicted, labels, len(frequencies))}
