"""What all claims about GANs share: short runs over seeds, and the measures of their samples."""

from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from audit.evidence import train
from gmlib import mnist, recipes
from gmlib.experiments.recipe import GANRecipe
from gmlib.experiments.run import Run
from gmlib.metrics import density_coverage, digits_covered, extract, frechet_distance, histogram_kl, shipped_classifier
from gmlib.models import DCCritic, DCGenerator

GAN_SEEDS = range(3)
SAMPLES = 10_000
DIGITS = 10
ROUGH = (
    1.5  # times the sharpness of real digits: samples above are specks, samples below the inverse are a plane of grey
)
PREVAILS = 0.3  # a digit prevails from this share of the samples

WIDTH = 16  # channels next to the image in all claims; training costs a third of that of the shipped networks
GAN = replace(recipes.GAN, epochs=20)
NARROW: dict[str, Any] = {"generator": partial(DCGenerator, width=WIDTH), "critic": partial(DCCritic, width=WIDTH)}
DCGAN = replace(recipes.DCGAN_PLAIN, **NARROW, lr=1e-3, epochs=4)
DCGAN_LONG = replace(DCGAN, epochs=GAN.epochs)  # for what is claimed of the end of training

# Wasserstein GANs by the constraint on the critic: in the report's settings and in ours, convolutional and MLP
SHORT = 6  # epochs of this book's WGANs, and of the GANs beside them
WGANS_OF_THE_REPORT = {
    "clipping": replace(recipes.WGAN_REPORT, **NARROW, epochs=4),
    "penalty": replace(recipes.WGAN_GP_REPORT, **NARROW, epochs=4),
}
WGANS = {
    "clipping": replace(recipes.WGAN, **NARROW, epochs=SHORT),
    "penalty": replace(recipes.WGAN_GP, **NARROW, epochs=SHORT),
}
WGANS_OF_THE_REPORT_MLP = {  # twice the epochs with batches twice as large: the number of generator steps of the narrow ones
    bound: replace(GAN, name=f"{recipe.name}, MLPs", objective=recipe.objective, critic_norm="batch", epochs=8)
    for bound, recipe in WGANS_OF_THE_REPORT.items()
}
WGANS_MLP = {
    "clipping": replace(recipes.WGAN_MLP, epochs=SHORT),
    "penalty": replace(recipes.WGAN_GP_MLP, epochs=SHORT),
}


def like(recipe: GANRecipe, **changes: Any) -> GANRecipe:
    """Return a recipe with the short training of its kind."""
    if recipe.critic is not recipes.DCGAN.critic:
        return replace(recipe, epochs=GAN.epochs, **changes)
    names = ("generator", "critic", "lr", "objective", "epochs")
    return replace(recipe, **{name: getattr(DCGAN, name) for name in names} | changes)


class Judged(NamedTuple):
    """Measures of 10,000 samples of one run, against 10,000 validation digits."""

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
    """Return the features and labels that samples are compared with."""
    validation, train_labels = mnist("validation", "mnist"), mnist("train", "mnist").require_labels()
    features = extract(validation.grey(), shipped_classifier().features)
    return features, validation.require_labels(), train_labels.bincount(minlength=10) / len(train_labels)


def draw(run: Run, seed: int) -> tuple[Tensor, Tensor]:
    """Draw one sample per validation digit, with the digit's label for a conditional model."""
    labels = validation_features()[1][:SAMPLES]
    given = labels if run.model.num_classes else None
    return run.model.sample(SAMPLES, given, generator=Generator().manual_seed(seed)), labels


@cache
def judge(recipe: GANRecipe, seed: int) -> Judged:
    """Train a recipe with a seed, or load the finished run, and measure its samples."""
    return measure(train(recipe, seed), seed)


def measure(run: Run, seed: int) -> Judged:
    """Measure the samples of a run."""
    samples, labels = draw(run, seed)
    real, _, frequencies = validation_features()
    classifier = shipped_classifier()
    features = extract(samples, classifier.features)
    with torch.inference_mode():
        predicted = classifier.head(features).argmax(1)
    return Judged(
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


def failed(recipe: GANRecipe) -> list[bool]:
    """Return which runs lost digits."""
    return [each.digits < DIGITS for each in judged(recipe)]


def collapsed(recipe: GANRecipe) -> list[bool]:
    """Return which runs collapsed: their samples are digits, but some digits are missing."""
    return [fell(each) for each in judged(recipe)]


def fell(found: Judged) -> bool:
    """Return whether samples are digits, but some digits are missing."""
    return found.digits < DIGITS and is_digits(found.sharpness)


def is_digits(edges: float) -> bool:
    """Return whether the sharpness of samples is that of digits: neither specks nor a plane of grey."""
    return real_sharpness() / ROUGH < edges < ROUGH * real_sharpness()


def judged(recipe: GANRecipe) -> list[Judged]:
    """Return the measures of a recipe, for each seed."""
    return [judge(recipe, seed) for seed in GAN_SEEDS]


def column(recipe: GANRecipe, name: str) -> list[float]:
    """Return one measure of a recipe, for each seed."""
    return [float(getattr(each, name)) for each in judged(recipe)]


def history(recipe: GANRecipe, seed: int, name: str) -> list[float]:
    """Return a column of a run's history."""
    values = [value for value in train(recipe, seed).history.column(name) if value is not None]
    if len(values) != recipe.epochs:
        raise ValueError(f"got {len(values)} of {recipe.epochs} values of {name}: train the run again")
    return values


def differences(ours: GANRecipe, theirs: GANRecipe, name: str) -> list[float]:
    """Return the differences of a measure between two recipes, seed by seed."""
    return [a - b for a, b in zip(column(ours, name), column(theirs, name), strict=True)]
