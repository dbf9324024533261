"""Stacked MNIST: three digits as the channels of one image, so that a classifier can count a thousand modes."""

import torch

from gmlib.metrics.features import Extractor
from gmlib.metrics.labels import histogram_kl, logits_of
from gmlib.shapes import Image, Labels

STACKS = 26_000  # number of stacks in which modes are counted: that many real stacks contain all of a thousand modes


def read_stacks(images: Image, classifier: Extractor | None = None) -> Labels:
    """Return the number whose decimal digits are the predicted classes of the channels: 305 for a 3, a 0 and a 5.

    Args:
        images: stacks `(b, c, 28, 28)` in [0, 1], one digit per channel.
        classifier: trained on the same set; None takes the shipped one, of MNIST.

    Returns:
        Numbers from 0 to 10^c - 1 for ten classes, the first channel's class first, `(b,)`.
    """
    channels = images.shape[1]
    logits = logits_of(images.flatten(0, 1).unsqueeze(1), classifier)
    digits = logits.argmax(1).unflatten(0, (-1, channels))
    return digits @ logits.shape[1] ** torch.arange(channels - 1, -1, -1, device=digits.device)


def count_modes(images: Image, classifier: Extractor | None = None, num_classes: int = 10) -> dict[str, float]:
    r"""Count the modes among stacks, and measure how evenly the stacks are spread over the modes.

    Args:
        images: stacks `(b, c, 28, 28)` in [0, 1], one digit per channel: three digits make a thousand modes. Counts compare
            only for the same number of stacks, usually 26,000 (after Srivastava et al. 2017).
        classifier: trained on the same set; None takes the shipped one, of MNIST.
        num_classes: number of classes of the classifier.

    Returns:
        "modes", the number of different numbers that `read_stacks` returns; and "modes_kl", the KL divergence from their
        shares to the uniform distribution, in nats, to four decimals. It is above 0 for real stacks too: (10^c - 1) / 2b in
        expectation if all modes are equally likely, and more since digits are not equally frequent.

    Source: Metz, Poole, Pfau & Sohl-Dickstein 2017, section 3.3.1.
    """
    numbers, modes = read_stacks(images, classifier), num_classes ** images.shape[1]
    kl = histogram_kl(numbers, torch.full((modes,), 1 / modes, dtype=torch.float64))
    return {"modes": len(numbers.unique()), "modes_kl": round(kl, 4)}
