"""What all claims about GANs share: the recipes of short runs, and metrics of their samples for each seed."""

from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from audit.evidence import paired_differences, paired_log_ratios, train
from gmlib import mnist, recipes
from gmlib.experiments.recipe import GANRecipe
from gmlib.experiments.run import Run
from gmlib.metrics import density_coverage, digits_covered, extract, frechet_distance, histogram_kl, shipped_classifier
from gmlib.models import DCCritic, DCGenerator

GAN_SEEDS = range(3)
SAMPLES = 10_000
NUM_DIGITS = 10
SHARPNESS_FACTOR = 1.5  # samples sharper than real digits by this factor are specks; less sharp by it, a plane of grey
PREVAILING_SHARE = 0.3  # a digit prevails if it has a larger share of the samples

WIDTH = 16  # channels next to the image in all claims; training costs a third of that of the shipped networks
GAN = replace(recipes.GAN, epochs=20)
NARROW: dict[str, Any] = {"generator": partial(DCGenerator, width=WIDTH), "critic": partial(DCCritic, width=WIDTH)}
DCGAN = replace(recipes.DCGAN_PLAIN, **NARROW, lr=1e-3, epochs=4)
DCGAN_LONG = replace(DCGAN, epochs=GAN.epochs)  # for what is claimed of the end of training

# Wasserstein GANs by the constraint on the critic: in the report's settings and in ours, convolutional and MLP
WGAN_EPOCHS = 6  # epochs of this book's WGANs, and of the GANs beside them
WGANS_OF_THE_REPORT = {
    "clipping": replace(recipes.WGAN_REPORT, **NARROW, epochs=4),
    "penalty": replace(recipes.WGAN_GP_REPORT, **NARROW, epochs=4),
}
WGANS = {
    "clipping": replace(recipes.WGAN, **NARROW, epochs=WGAN_EPOCHS),
    "penalty": replace(recipes.WGAN_GP, **NARROW, epochs=WGAN_EPOCHS),
}
WGANS_OF_THE_REPORT_MLP = {  # twice the epochs with batches twice as large: the number of generator steps of the narrow ones
    bound: replace(GAN, name=f"{recipe.name}, MLPs", objective=recipe.objective, critic_norm="batch", epochs=8)
    for bound, recipe in WGANS_OF_THE_REPORT.items()
}
WGANS_MLP = {
    "clipping": replace(recipes.WGAN_MLP, epochs=WGAN_EPOCHS),
    "penalty": replace(recipes.WGAN_GP_MLP, epochs=WGAN_EPOCHS),
}


def shortened(recipe: GANRecipe, **changes: Any) -> GANRecipe:
    """Return a recipe with the epochs of `GAN`; if it is convolutional, with width, rate, objective and epochs of `DCGAN`."""
    if recipe.critic is not recipes.DCGAN.critic:
        return replace(recipe, epochs=GAN.epochs, **changes)
    names = ("generator", "critic", "lr", "objective", "epochs")
    return replace(recipe, **{name: getattr(DCGAN, name) for name in names} | changes)


class SampleMetrics(NamedTuple):
    """Metrics of 10,000 samples of one run, against 10,000 validation digits."""

    fid: float
    coverage: float
    histogram_kl: float
    digits: int
    largest: float  # share of the most frequent digit
    accuracy: float  # of a conditional model: share classified as the label given
    sharpness: float


def sharpness(images: Tensor) -> float:
    """Return the sharpness of images: the mean absolute step between neighbouring pixels over the mean grey."""
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    steps = padded.diff(dim=2).abs().sum() + padded.diff(dim=3).abs().sum()
    return float(steps / images.sum())


@cache
def validation_features() -> tuple[Tensor, Tensor, Tensor]:
    """Return features and labels of the validation digits, and the frequencies of the digits in training."""
    validation, train_labels = mnist("validation", "mnist"), mnist("train", "mnist").require_labels()
    features = extract(validation.grey(), shipped_classifier().features)
    return features, validation.require_labels(), train_labels.bincount(minlength=10) / len(train_labels)


def classified(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the features of images in the shipped classifier, and the digits that it predicts."""
    classifier = shipped_classifier()
    features = extract(images, classifier.features)
    with torch.inference_mode():
        return features, classifier.head(features).argmax(1)


def sample_like_validation(run: Run, seed: int) -> tuple[Tensor, Tensor]:
    """Draw one sample per validation digit, with the digit's label for a conditional model."""
    labels = validation_features()[1][:SAMPLES]
    condition = labels if run.model.num_classes else None
    return run.model.sample(SAMPLES, condition, generator=Generator().manual_seed(seed)), labels


@cache
def metrics_of_run(recipe: GANRecipe, seed: int) -> SampleMetrics:
    """Train a recipe, or load the finished run, and measure its samples; the seed is also that of the samples."""
    return measure(train(recipe, seed), seed)


def measure(run: Run, seed: int) -> SampleMetrics:
    """Measure the samples of a run."""
    samples, labels = sample_like_validation(run, seed)
    real, _, frequencies = validation_features()
    features, predicted = classified(samples)
    return SampleMetrics(
        fid=frechet_distance(features, real),
        coverage=density_coverage(features, real)[1],
        histogram_kl=histogram_kl(predicted, frequencies),
        digits=digits_covered(predicted, frequencies),
        largest=float(predicted.bincount(minlength=10).max()) / SAMPLES,
        accuracy=float((predicted == labels).float().mean()),
        sharpness=sharpness(samples),
    )


@cache
def real_sharpness() -> float:
    """Return the sharpness of real digits."""
    return sharpness(mnist("validation", "mnist").grey())


def runs_that_lose_digits(recipe: GANRecipe) -> list[bool]:
    """Return for each seed whether some digit is missing from the samples, by `digits_covered`."""
    return [each.digits < NUM_DIGITS for each in metrics_by_seed(recipe)]


def collapsed_runs(recipe: GANRecipe) -> list[bool]:
    """Return for each seed whether the run collapsed."""
    return [is_collapsed(each) for each in metrics_by_seed(recipe)]


def is_collapsed(metrics: SampleMetrics) -> bool:
    """Return whether samples look like digits, but some digits are missing."""
    return metrics.digits < NUM_DIGITS and is_digits(metrics.sharpness)


def is_digits(sharpness_of_samples: float) -> bool:
    """Return whether the sharpness of samples is that of digits: neither specks nor a plane of grey."""
    return real_sharpness() / SHARPNESS_FACTOR < sharpness_of_samples < SHARPNESS_FACTOR * real_sharpness()


def metrics_by_seed(recipe: GANRecipe) -> list[SampleMetrics]:
    """Return the metrics of a recipe's samples, for each seed."""
    return [metrics_of_run(recipe, seed) for seed in GAN_SEEDS]


def metric_by_seed(recipe: GANRecipe, name: str) -> list[float]:
    """Return one metric of a recipe's samples, for each seed."""
    return [float(getattr(each, name)) for each in metrics_by_seed(recipe)]


def history_column(recipe: GANRecipe, seed: int, name: str) -> list[float]:
    """Return a column of a run's history: a number per epoch."""
    values = [value for value in train(recipe, seed).history.column(name) if value is not None]
    if len(values) != recipe.epochs:
        raise ValueError(f"got {len(values)} of {recipe.epochs} values of {name}: train the run again")
    return values


def fid_log_ratios(ours: GANRecipe, theirs: GANRecipe) -> list[float]:
    """Return ln of the FID of one recipe over that of another, for each seed."""
    return paired_log_ratios(metric_by_seed(ours, "fid"), metric_by_seed(theirs, "fid"))


def differences(ours: GANRecipe, theirs: GANRecipe, name: str) -> list[float]:
    """Return the metric of one recipe minus that of another, for each seed."""
    return paired_differences(metric_by_seed(ours, name), metric_by_seed(theirs, name))
