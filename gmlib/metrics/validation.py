"""Metrics of a model on validation images, measured after each epoch of training."""

import torch
from torch import nn

from gmlib import parallel
from gmlib.data import ImageDataset, join_channels
from gmlib.metrics.frechet import fid
from gmlib.metrics.labels import label_accuracy
from gmlib.metrics.likelihood import mean_elbo
from gmlib.metrics.scorer import Scorer
from gmlib.metrics.stacked_mnist import count_modes
from gmlib.models.classifier import Classifier
from gmlib.models.gan import GAN
from gmlib.models.vae import VAE
from gmlib.seeds import stream
from gmlib.shapes import Image, Labels, PerImage
from gmlib.training.history import Row
from gmlib.training.state import device_of

MOST_SAMPLES = 2000  # per epoch, and the largest number of validation images that they are compared with


def validate_vae(vae: VAE, images: ImageDataset) -> Row:
    """Return "validation_elbo", "validation_log_px" and "validation_kl", in nats per image, always from the same draws."""
    return {f"validation_{name}": value for name, value in mean_elbo(vae, images).items()}


def validate_gan(gan: GAN, images: ImageDataset, scorer: Scorer, stack: int = 1, pack: int = 1) -> Row:
    """Measure samples of a GAN, which are drawn from the same latents each time.

    Args:
        gan: the model, its generator in eval mode.
        images: validation images; at most the first 2,000 are compared with the same number of samples, which have the
            labels of these images. The FID of 2,000 images is larger than that of 10,000.
        scorer: of the same dataset.
        stack: digits per sample, one per channel; with more than one, modes are counted in place of the FID.
        pack: m, the number of images that the critic scores jointly.

    Returns:
        "validation_fid" in the features of the scorer; "validation_estimate", the mean score of the validation images minus
        that of the samples; and "validation_auc", the share of pairs of both in which the validation image has the higher
        score, which is 0.5 for a critic whose scores of both do not differ. The last two are missing without a critic. For stacks
        only "validation_modes", the number of modes among 2,000 samples.
    """
    if stack > 1:
        stacks = _samples(gan, MOST_SAMPLES, None)
        return {"validation_modes": count_modes(stacks, scorer.classifier, images.num_classes)["modes"]}
    images = images[:MOST_SAMPLES].to("cpu")
    labels = images.require_labels() if gan.num_classes else None
    samples = _samples(gan, len(images), labels)
    row: Row = {"validation_fid": round(fid(samples, images.grey(), scorer.classifier.features), 4)}
    if hasattr(gan, "critic"):
        whole = len(images) // pack * pack  # images that fill packs
        real, fake = (_scores(gan.critic, join_channels(x[:whole], pack), labels) for x in (images.grey(), samples))
        row["validation_estimate"] = (real.mean() - fake.mean()).item()
        row["validation_auc"] = area_under_roc(real, fake)
    return row


def area_under_roc(real: PerImage, fake: PerImage) -> float:
    """Return the share of pairs of a real and a generated image in which the real one has the higher score; ties count half."""
    ordered = fake.sort().values
    lower, not_higher = torch.searchsorted(ordered, real), torch.searchsorted(ordered, real, right=True)
    return (lower + not_higher).double().mean().item() / (2 * len(fake))


@torch.no_grad()
def _scores(critic: nn.Module, images: Image, labels: Labels | None) -> PerImage:
    """Return the critic's scores, on the CPU."""
    device = device_of(critic)
    return critic(images.to(device), None if labels is None else labels.to(device)).float().cpu()


@torch.no_grad()
def _samples(gan: GAN, n: int, labels: Labels | None) -> Image:
    """Draw samples, always from the same latents, and return them on the CPU."""
    device = device_of(gan.generator)
    z = parallel.draw(torch.randn, (n, gan.latent_dim), stream(0, "validation samples"), torch.device("cpu"))
    return gan.generator(z.to(device), None if labels is None else labels.to(device)).cpu()


def validate_classifier(classifier: Classifier, images: ImageDataset) -> Row:
    """Return "validation_accuracy" on grey images and "validation_accuracy_binarised", from 0 to 1."""
    labels = images.require_labels()
    return {
        "validation_accuracy": label_accuracy(images.grey(), labels, classifier),
        "validation_accuracy_binarised": label_accuracy(images.binarised(), labels, classifier),
    }
