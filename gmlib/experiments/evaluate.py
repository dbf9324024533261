"""Measure a trained run on test images of the dataset that it was trained on."""

from pathlib import Path
from typing import Any

from gmlib.data import ImageDataset, load
from gmlib.experiments.recipe import ClassifierRecipe, GANRecipe, Recipe, VAERecipe
from gmlib.experiments.run import Metrics, Run, save_run
from gmlib.metrics.models import measure_classifier, measure_gan, measure_vae
from gmlib.metrics.scorer import Scorer, shipped_scorer
from gmlib.shapes import Watch


def evaluate(
    recipe: Recipe,
    model: Any,
    test: ImageDataset,
    train: ImageDataset,
    scorer: Scorer | None = None,
    watch: Watch = iter,
) -> Metrics:
    """Measure a trained model on one set of images.

    Args:
        recipe: what the model was trained with; it has the number of draws for the likelihood.
        model: on the CPU.
        test: images to measure on.
        train: images of the same set, for the metrics of real images and the frequencies of the classes.
        scorer: of the same set; without one only likelihoods are measured.
        watch: wraps the loops over images, as tqdm does, to show progress.

    Returns:
        "n", the number of test images, and the metrics of `measure_vae`, `measure_gan` or `measure_classifier`.
    """
    found: Metrics = {"n": len(test)}
    if isinstance(recipe, VAERecipe):
        return found | measure_vae(
            model,
            test,
            train,
            scorer,
            samples=recipe.likelihood_samples,
            finer_samples=recipe.finer_samples,
            finer_images=recipe.finer_digits,
            watch=watch,
        )
    if isinstance(recipe, GANRecipe):
        return found | measure_gan(model, test, train, scorer, stack=recipe.stack)
    return found | measure_classifier(model, test)


def evaluate_digits(
    recipe: Recipe,
    model: Any,
    *,
    full: bool = False,
    root: Path | str | None = None,
    scorer: Scorer | None = None,
    watch: Watch = iter,
) -> Metrics:
    """Measure a model of MNIST on its test digits.

    Args:
        recipe: what the model was trained with.
        model: on the CPU.
        full: also on the 10,000 official test digits, whose files are needed then.
        root: folder of the full data, as for `load`.
        scorer: of MNIST; None takes the shipped one.
        watch: wraps the loops over images, as tqdm does, to show progress.

    Returns:
        What `evaluate` finds: on the official test digits if `full`, and as `mnist5k_…` on the embedded ones.
    """
    metrics: Metrics = {}
    if scorer is None and not isinstance(recipe, ClassifierRecipe):
        scorer = shipped_scorer()
    for prefix, source in [("", "mnist")] * full + [("mnist5k_", "mnist5k")]:
        test, train = (load(source, split, root if source == "mnist" else None) for split in ("test", "train"))
        metrics |= {
            f"{prefix}{name}": value for name, value in evaluate(recipe, model, test, train, scorer, watch).items()
        }
    return metrics


def save(run: Run, folder: Path | str, root: Path | str | None = None, watch: Watch = iter) -> Run:
    """Measure a run of MNIST and write it: see `evaluate_digits` and `save_run`.

    Args:
        run: what to write.
        folder: the folder of the run.
        root: folder of the full data, for the official metrics of a run that was trained on it.
        watch: wraps the loops over images, as tqdm does, to show progress.

    Returns:
        The run as it is on disk, with its metrics.
    """
    full = run.about["data"] == "mnist/train"
    return save_run(run, folder, lambda run: evaluate_digits(run.recipe, run.model, full=full, root=root, watch=watch))
