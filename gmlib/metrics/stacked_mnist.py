"""Stacked digits: three digits as the channels of one image, and so a thousand modes that a classifier can count."""

import torch

from gmlib.errors import InputError
from gmlib.metrics.features import Extractor, require_tensors
from gmlib.metrics.labels import histogram_kl, logits_of
from gmlib.shapes import Image, Labels

STACKS = 26_000  # samples that are counted: by chance alone, so many draws miss no mode of a thousand
MOST = 6  # digits of a stack: a million modes


def read_stacks(images: Image, classifier: Extractor | None = None) -> Labels:
    """Return the number that the classes of each stack make, each class a figure of it.

    Args:
        images: stacks `(b, c, 28, 28)` in [0, 1], one digit per channel.
        classifier: trained on the same set; None takes the shipped one, of MNIST.

    Returns:
        Numbers from 0 to 10^c - 1 for ten classes, the first channel's class first, `(b,)`.

    Raises:
        InputError: if the images are no stacks.
    """
    require_tensors(images=images)
    if images.ndim != 4 or tuple(images.shape[2:]) != (28, 28):
        raise InputError(
            f"got images of shape {tuple(images.shape)}, expected (batch, channels, 28, 28): stacks of digits"
        )
    channels = images.shape[1]
    if channels > MOST:
        raise InputError(
            f"got stacks of {channels} digits, expected at most {MOST}: more have too many modes to be counted"
        )
    logits = logits_of(images.flatten(0, 1).unsqueeze(1), classifier)
    digits = logits.argmax(1).unflatten(0, (-1, channels))
    return digits @ logits.shape[1] ** torch.arange(channels - 1, -1, -1, device=digits.device)


def count_modes(images: Image, classifier: Extractor | None = None, num_classes: int = 10) -> dict[str, float]:
    r"""Count the numbers that stacks show, and say how unevenly.

    Args:
        images: stacks `(b, c, 28, 28)` in [0, 1], a digit a channel: three digits make a thousand modes. 26,000 by
            custom (after Srivastava et al. 2017), and other counts do not compare.
        classifier: trained on the same set; None takes the shipped one, of MNIST.
        num_classes: number of classes of the classifier.

    Returns:
        "modes", numbers that come at least once, and "modes_kl", the KL divergence of their shares to 10^-c in nats,
        to four decimals. Real stacks have a KL too: by chance near (10^c - 1) / 2b, and because digits are not equally
        frequent.

    Raises:
        InputError: if the images are no stacks.

    Source: Metz, Poole, Pfau & Sohl-Dickstein 2017, section 3.3.1.
    """
    numbers, modes = read_stacks(images, classifier), num_classes ** images.shape[1]
    kl = histogram_kl(numbers, torch.full((modes,), 1 / modes, dtype=torch.float64))
    return {"modes": len(numbers.unique()), "modes_kl": round(kl, 4)}
