"""What is measured of a trained model on test images: likelihoods need the model alone, distances need a scorer too."""

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
    """Measure a VAE: the likelihood of test images, and how near to them its samples are.

    Args:
        vae: on the CPU.
        test: images to measure on.
        train: images of the same set, for what real data reaches and for the frequencies of the classes.
        scorer: of the same set; None measures the likelihood alone.
        samples: draws of z per image for log p(x); None takes 1,000.
        finer_samples: draws of a second estimate; 0 for none.
        finer_images: how many of the test images the second estimate is made of; None for all.
        watch: passes on what it is given and may show how far it has come, as tqdm does.

    Returns:
        "test_elbo", "test_log_px", "kl" and "test_log_likelihood" (importance-weighted, of "log_likelihood_samples" draws) in
        nats per image; "test_log_likelihood_5000" or the like for a finer estimate, with "…_error", its standard error, if it
        is made of a part of the images. With a scorer, what `measure_drawn` finds: of draws against binarised images, and
        as `mean_…` of probabilities against grey ones, unless the decoder is autoregressive. The ELBO of a conditional model
        bounds log p(x|y); "test_log_likelihood_given_label" estimates that, "test_log_likelihood" sums the labels out, and
        "bayes_accuracy" is the share of images whose own label has the largest log p(x|y).
    """
    elbo = mean_elbo(vae, test)
    found = {"test_elbo": elbo["elbo"], "test_log_px": elbo["log_px"], "kl": elbo["kl"]}
    found |= _measure_likelihood(vae, test, samples or IWAE_SAMPLES, finer_samples, finer_images, watch)
    if scorer is None:
        return found
    found |= measure_drawn(vae, test, train, scorer, binarised=True)
    if isinstance(vae.decoder, PixelDecoder):  # its pixels have no probability before earlier ones are drawn
        return found
    grey = measure_drawn(vae, test, train, scorer, mean=True)
    return found | {f"mean_{name}": value for name, value in grey.items()}


def _measure_likelihood(
    vae: VAE, test: ImageDataset, samples: int, finer_samples: int, finer_images: int | None, watch: Watch
) -> dict[str, float]:
    """Estimate log p(x), and log p(x|y) if there are labels."""
    x = test.binarised()
    found: dict[str, float] = {"log_likelihood_samples": samples}
    if vae.num_classes:
        labels = test.require_labels()
        by_label = log_likelihood_by_label(vae, x, samples, watch=watch).double()
        nats = sum_out_labels(by_label)
        found["test_log_likelihood_given_label"] = _mean(by_label[labels, torch.arange(len(x))])
        found["bayes_accuracy"] = _mean(by_label.argmax(0) == labels)
    else:
        nats = log_likelihood(vae, x, samples=samples, watch=watch)
    found["test_log_likelihood"] = _mean(nats)
    if finer_samples:
        # the gain varies far less between images than log p(x) does, so that few images suffice
        some = torch.randperm(len(x), generator=stream(0, "finer digits"))[:finer_images].sort().values
        finer = log_likelihood(vae, x[some], samples=finer_samples, watch=watch)
        gains = finer.double() - nats[some].double()
        name = f"test_log_likelihood_{finer_samples}"
        found[name] = round((nats.double().mean() + gains.mean()).item(), 4)
        if len(some) < len(x):
            found[f"{name}_error"] = round((gains.std() / len(some) ** 0.5).item(), 4)
    return found


def measure_gan(
    gan: GAN, test: ImageDataset, train: ImageDataset, scorer: Scorer | None = None, *, stack: int = 1
) -> dict[str, float]:
    """Measure how near to test images a GAN's samples are, grey ones to grey ones; of stacked images, count the modes.

    Args:
        gan: on the CPU.
        test: images to measure on.
        train: images of the same set, for what real data reaches and for the frequencies of the classes.
        scorer: of the same set; None measures nothing, since a GAN has no likelihood.
        stack: images per sample, one per channel.

    Returns:
        What `measure_drawn` finds; of stacks, what `count_modes` does, and as "…_real" the same of stacked test images.
    """
    if scorer is None:
        return {}
    if stack == 1:
        return measure_drawn(gan, test, train, scorer)
    scorer.require(train)
    chosen = torch.randint(len(test), (STACKS * stack,), generator=stream(0, "floor"))
    reader = scorer.classifier, train.num_classes
    floor = count_modes(join_channels(test[chosen].grey(), stack), *reader)
    found = count_modes(gan.sample(STACKS, generator=stream(0, "samples")), *reader)
    return {"stacks": STACKS} | found | {f"{name}_real": value for name, value in floor.items()}


def measure_classifier(classifier: Classifier, test: ImageDataset) -> dict[str, float]:
    """Measure the accuracy of a classifier, on grey and on binarised images.

    Args:
        classifier: on the CPU.
        test: images to measure on, with labels.

    Returns:
        "test_accuracy" and "test_accuracy_binarised", from 0 to 1.
    """
    return {
        "test_accuracy": label_accuracy(test.grey(), test.require_labels(), classifier),
        "test_accuracy_binarised": label_accuracy(test.binarised(), test.require_labels(), classifier),
    }


def measure_drawn(
    model: VAE | GAN,
    test: ImageDataset,
    train: ImageDataset,
    scorer: Scorer,
    *,
    mean: bool = False,
    binarised: bool = False,
) -> dict[str, float]:
    """Draw one sample per test image, with labels as frequent as in training, and measure the samples.

    Args:
        model: what to draw from.
        test: images that the samples should resemble.
        train: images of the same set; the same number of them is measured in place of samples, as what real data reaches.
        scorer: of the same set.
        mean: whether probabilities are measured in place of draws; of a VAE.
        binarised: whether samples are compared with binarised images, or with grey ones.

    Returns:
        What `measure_samples` finds.

    Raises:
        InputError: if there are fewer training images than test images, or the scorer is of another set.
    """
    scorer.require(train)
    n, counts = len(test), train.require_labels().bincount(minlength=train.num_classes)
    frequencies = counts.float() / len(train)
    if len(train) < n:
        raise InputError(
            f"got {n} test images and {len(train)} training images, expected no fewer training images: what real "
            "data reaches is measured on the same number of them"
        )
    floor = train[torch.randperm(len(train), generator=stream(0, "floor"))[:n]]
    labels = frequencies.multinomial(n, replacement=True, generator=stream(0, "labels"))
    y, floor_y = (labels, floor.require_labels()) if model.num_classes else (None, None)
    generator = stream(0, "samples")
    samples = model.sample(n, y, generator=generator, **({"mean": True} if mean else {}))
    real, others = (images.binarised() if binarised else images.grey() for images in (test, floor))
    return measure_samples(samples, real, others, frequencies, y, floor_y, classifier=scorer.classifier)


def _mean(values: Tensor) -> float:
    """Return the mean to four decimals."""
    return round(values.double().mean().item(), 4)
