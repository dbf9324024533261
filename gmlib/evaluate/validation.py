"""What is measured after each epoch of training, on validation images."""

from typing import cast

import torch
from torch import Generator, nn

from gmlib import parallel
from gmlib.data import ImageDataset
from gmlib.evaluate.conditional import label_accuracy
from gmlib.evaluate.fidelity import fid
from gmlib.evaluate.likelihood import mean_elbo
from gmlib.evaluate.scorer import Scorer
from gmlib.evaluate.stacks import count_modes
from gmlib.models.classifier import Classifier
from gmlib.models.gan import GAN
from gmlib.models.vae import VAE
from gmlib.seeds import stream
from gmlib.shapes import Image, Labels
from gmlib.train.history import Row
from gmlib.train.state import device_of

COMPARED = 2000  # samples per epoch, and validation images that they are compared with


def validate_vae(vae: nn.Module, images: ImageDataset) -> Row:
    """Measure the ELBO of a VAE.

    Args:
        vae: the model.
        images: validation images on its device; they are binarised, the same way each time.

    Returns:
        "validation_elbo", "validation_log_px" and "validation_kl", in nats per image.
    """
    return {f"validation_{name}": value for name, value in mean_elbo(cast(VAE, vae), images).items()}


def validate_gan(gan: nn.Module, images: ImageDataset, scorer: Scorer, stack: int = 1) -> Row:
    """Measure samples of a GAN, from the same latents each time.

    Args:
        gan: the model, its generator in eval mode.
        images: validation images; at most the first 2,000 are compared with the same number of samples, which have the
            labels of these images. The FID of so few images is larger than that of 10,000.
        scorer: of the same dataset.
        stack: images per sample, one per channel; with more than one, modes are counted in place of the FID.

    Returns:
        "validation_fid" in the features of the scorer; of stacks "validation_modes", the number of modes among
        2,000 samples.
    """
    generator = cast(GAN, gan).generator
    if stack > 1:
        return {
            "validation_modes": count_modes(_samples(generator, COMPARED, None), scorer.classifier, images.num_classes)[
                "modes"
            ]
        }
    images = images[:COMPARED].to("cpu")
    samples = _samples(generator, len(images), images.require_labels() if generator.num_classes else None)
    return {"validation_fid": round(fid(samples, images.grey(), scorer.classifier.features), 4)}


@torch.no_grad()
def _samples(generator: nn.Module, n: int, labels: Labels | None) -> Image:
    """Draw samples on the CPU, always from the same latents."""
    device, source = device_of(generator), stream(0, "validation samples")
    z = parallel.draw(torch.randn, (n, cast(int, generator.latent_dim)), cast(Generator, source), torch.device("cpu"))
    return generator(z.to(device), None if labels is None else labels.to(device)).cpu()


def validate_classifier(classifier: nn.Module, images: ImageDataset) -> Row:
    """Measure the accuracy of a classifier.

    Args:
        classifier: the network.
        images: validation images on its device.

    Returns:
        "validation_accuracy" on grey images and "validation_accuracy_binarised", from 0 to 1.
    """
    network, labels = cast(Classifier, classifier), images.require_labels()
    return {
        "validation_accuracy": label_accuracy(images.grey(), labels, network),
        "validation_accuracy_binarised": label_accuracy(images.binarised(), labels, network),
    }
