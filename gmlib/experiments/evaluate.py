"""Compute the metrics of a trained model on test images of the dataset that it was trained on."""

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
    """Return the metrics of a trained model on one dataset, with "n", the number of test images.

    Args:
        recipe: its settings say from how many draws of the latent the likelihood is estimated.
        model: trained with this recipe, on the CPU.
        test: test images.
        train: training images of the same dataset, for the metrics of real images and the frequencies of the classes.
        scorer: trained on the same dataset; without one, samples are not measured.
        watch: wraps the loops over images to show progress, as `tqdm` does.

    Returns:
        The metrics of `measure_vae`, `measure_gan` or `measure_classifier`.
    """
    metrics: Metrics = {"n": len(test)}
    if isinstance(recipe, VAERecipe):
        return metrics | measure_vae(
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
        return metrics | measure_gan(model, test, train, scorer, stack=recipe.stack)
    return metrics | measure_classifier(model, test)


def evaluate_digits(
    recipe: Recipe,
    model: Any,
    *,
    full: bool = False,
    root: Path | str | None = None,
    scorer: Scorer | None = None,
    watch: Watch = iter,
) -> Metrics:
    """Return the metrics of a model of MNIST on the embedded test digits, each with the prefix `mnist5k_`.

    If `full`, the metrics on the 10,000 official test digits come first, without a prefix; `root` is the folder of their
    files, as for `load`. Without a scorer the shipped one for MNIST is used.
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
    """Compute the metrics of a run of MNIST with `evaluate_digits`, and write the run with `save_run`."""
    full = run.record["data"] == "mnist/train"
    return save_run(run, folder, lambda run: evaluate_digits(run.recipe, run.model, full=full, root=root, watch=watch))
