"""All metrics of a trained model on test images: likelihoods need only the model, distances need a scorer too."""

import torch
from torch import Tensor

from gmlib.data import ImageDataset, join_channels
from gmlib.errors import InputError
from gmlib.metrics.labels import label_accuracy
from gmlib.metrics.likelihood import log_likelihood, log_likelihood_by_label, mean_elbo, sum_out_labels
from gmlib.metrics.samples import measure_samples
from gmlib.metrics.scorer import Scorer
from gmlib.metrics.stacked_mnist import STACKS, count_modes
from gmlib.models.classifier import Classifier
from gmlib.models.gan import GAN
from gmlib.models.pixelvae import PixelDecoder
from gmlib.models.vae import VAE
from gmlib.seeds import stream
from gmlib.shapes import Watch

IWAE_SAMPLES = 1000  # draws of z per image, with which log p(x) is estimated
# this word seeds the choice of the real images that are measured beside samples; recorded metrics depend on it
REAL_STREAM = "floor"


def measure_vae(
    vae: VAE,
    test: ImageDataset,
    train: ImageDataset,
    scorer: Scorer | None = None,
    *,
    samples: int | None = None,
    finer_samples: int = 0,
    finer_images: int | None = None,
    watch: Watch = iter,
) -> dict[str, float]:
    """Measure the likelihood of test images under a VAE, and the distance of its samples from them.

    Args:
        vae: on the CPU.
        test: images to measure on.
        train: training images of the same set, for the values that real images reach and the frequencies of the classes.
        scorer: of the same set; None measures the likelihood alone.
        samples: draws of z per image for log p(x); None takes 1,000.
        finer_samples: draws per image of a second, more accurate estimate; 0 for none.
        finer_images: number of test images that the second estimate uses; None for all.
        watch: shows progress, as tqdm does.

    Returns:
        "test_elbo", "test_log_px", "kl" and "test_log_likelihood" in nats per image, the last importance-weighted with
        "log_likelihood_samples" draws. The second estimate is "test_log_likelihood_5000" or the like, with its standard
        error "…_error" if it does not use all images. With a scorer, the metrics of `measure_samples`: of binary samples
        against binarised images, and with the prefix `mean_` of pixel probabilities against grey images, unless the decoder
        is autoregressive. The ELBO of a conditional model is a bound on log p(x|y), which
        "test_log_likelihood_given_label" estimates; "test_log_likelihood" sums the labels out, and "bayes_accuracy" is the
        share of images whose own label has the largest log p(x|y).
    """
    elbo = mean_elbo(vae, test)
    metrics = {"test_elbo": elbo["elbo"], "test_log_px": elbo["log_px"], "kl": elbo["kl"]}
    metrics |= _measure_likelihood(vae, test, samples or IWAE_SAMPLES, finer_samples, finer_images, watch)
    if scorer is None:
        return metrics
    metrics |= draw_and_measure(vae, test, train, scorer, binarised=True)
    if isinstance(vae.decoder, PixelDecoder):  # the probability of a pixel depends on the pixels drawn before it
        return metrics
    mean_metrics = draw_and_measure(vae, test, train, scorer, mean=True)
    return metrics | {f"mean_{name}": value for name, value in mean_metrics.items()}


def _measure_likelihood(
    vae: VAE, test: ImageDataset, samples: int, finer_samples: int, finer_images: int | None, watch: Watch
) -> dict[str, float]:
    """Estimate log p(x), and log p(x|y) if the model is conditional."""
    x = test.binarised()
    metrics: dict[str, float] = {"log_likelihood_samples": samples}
    if vae.num_classes:
        labels = test.require_labels()
        by_label = log_likelihood_by_label(vae, x, samples, watch=watch).double()
        nats = sum_out_labels(by_label)
        metrics["test_log_likelihood_given_label"] = _rounded_mean(by_label[labels, torch.arange(len(x))])
        metrics["bayes_accuracy"] = _rounded_mean(by_label.argmax(0) == labels)
    else:
        nats = log_likelihood(vae, x, samples=samples, watch=watch)
    metrics["test_log_likelihood"] = _rounded_mean(nats)
    if finer_samples:
        # added to the mean of all images: the gain varies less between images than log p(x) does, so few images suffice
        chosen = torch.randperm(len(x), generator=stream(0, "finer digits"))[:finer_images].sort().values
        gains = log_likelihood(vae, x[chosen], samples=finer_samples, watch=watch).double() - nats[chosen].double()
        name = f"test_log_likelihood_{finer_samples}"
        metrics[name] = round((nats.double().mean() + gains.mean()).item(), 4)
        if len(chosen) < len(x):
            metrics[f"{name}_error"] = round((gains.std() / len(chosen) ** 0.5).item(), 4)
    return metrics


def measure_gan(
    gan: GAN, test: ImageDataset, train: ImageDataset, scorer: Scorer | None = None, *, stack: int = 1
) -> dict[str, float]:
    """Return the metrics of a GAN's samples against grey test images, or the modes among stacks; without a scorer, none."""
    if scorer is None:
        return {}
    if stack == 1:
        return draw_and_measure(gan, test, train, scorer)
    scorer.require_same_dataset(train)
    classifier, classes = scorer.classifier, train.num_classes
    chosen = torch.randint(len(test), (STACKS * stack,), generator=stream(0, REAL_STREAM))
    real = count_modes(join_channels(test[chosen].grey(), stack), classifier, classes)
    metrics = count_modes(gan.sample(STACKS, generator=stream(0, "samples")), classifier, classes)
    return {"stacks": STACKS} | metrics | {f"{name}_real": value for name, value in real.items()}


def measure_classifier(classifier: Classifier, test: ImageDataset) -> dict[str, float]:
    """Return "test_accuracy" and "test_accuracy_binarised", the accuracy of a classifier on grey and on binarised images."""
    return {
        "test_accuracy": label_accuracy(test.grey(), test.require_labels(), classifier),
        "test_accuracy_binarised": label_accuracy(test.binarised(), test.require_labels(), classifier),
    }


def draw_and_measure(
    model: VAE | GAN,
    test: ImageDataset,
    train: ImageDataset,
    scorer: Scorer,
    *,
    mean: bool = False,
    binarised: bool = False,
) -> dict[str, float]:
    """Draw as many samples (or pixel means of a VAE) as there are test images, labels as frequent as in training; measure them."""
    scorer.require_same_dataset(train)
    n, counts = len(test), train.require_labels().bincount(minlength=train.num_classes)
    frequencies = counts.float() / len(train)
    if len(train) < n:
        raise InputError(
            f"got {n} test images and {len(train)} training images, expected no fewer training images: the values that "
            "real images reach are measured on the same number of training images"
        )
    real = train[torch.randperm(len(train), generator=stream(0, REAL_STREAM))[:n]]
    labels = frequencies.multinomial(n, replacement=True, generator=stream(0, "labels"))
    y, real_y = (labels, real.require_labels()) if model.num_classes else (None, None)
    samples = model.sample(n, y, generator=stream(0, "samples"), **({"mean": True} if mean else {}))
    reference, real_images = (images.binarised() if binarised else images.grey() for images in (test, real))
    return measure_samples(samples, reference, real_images, frequencies, y, real_y, classifier=scorer.classifier)


def _rounded_mean(values: Tensor) -> float:
    """Return the mean to four decimals."""
    return round(values.double().mean().item(), 4)
