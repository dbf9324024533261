"""Train a recipe on a dataset: its batches, its loop, the folder of the run, and the record."""

import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from gmlib import parallel
from gmlib.data import Batches, ImageDataset, load
from gmlib.device import choose_device
from gmlib.errors import InputError
from gmlib.experiments.own import require_working
from gmlib.experiments.recipe import PROFILES, GANRecipe, Recipe, VAERecipe
from gmlib.experiments.run import Run, model_of, networks_of, versions
from gmlib.isolated import Isolated, may_draw
from gmlib.metrics.scorer import MNIST, Scorer, dataset_name, shipped_scorer
from gmlib.metrics.validation import validate_classifier, validate_gan, validate_vae
from gmlib.seeds import require_seed, stream, substream
from gmlib.shapes import require_gradients
from gmlib.training.checkpoint import Folder, train_in
from gmlib.training.classifier import fit_classifier
from gmlib.training.gan import fit_gan
from gmlib.training.state import State
from gmlib.training.vae import fit_vae

PRECISIONS = ("float32", "bfloat16")
SMALL = 20_000  # with fewer training images the default length is that of the quick profile


def fit(
    recipe: Recipe,
    train: ImageDataset,
    validation: ImageDataset | None = None,
    *,
    epochs: int | None = None,
    seed: int = 0,
    scorer: Scorer | None = None,
    device: torch.device | str = "cpu",
    precision: str | None = None,
    out: Path | str | None = None,
    resume: bool = False,
    on_step: Callable[[State], None] | None = None,
    on_epoch: Callable[[State], None] | None = None,
) -> Run:
    """Train a recipe on a dataset.

    Args:
        recipe: what to train.
        train: images to train on; a conditional recipe and a classifier need their labels.
        validation: images to measure on after each epoch; None measures nothing.
        epochs: how long to train; None takes the recipe's number for a set of this size, see `epochs_on`.
        seed: fixes weights, order, binarisation and latents.
        scorer: of the same dataset, for the FID of a GAN after each epoch; None takes the shipped one for MNIST, and measures
            no FID on other sets.
        device: where to train: "cpu", "cuda", "mps", or "auto" for a GPU if there is one.
        precision: "float32" or "bfloat16", in which the networks compute; None takes the recipe's.
        out: folder for checkpoints and history; None keeps everything in memory.
        resume: continue from the newest checkpoint in `out`, if there is one.
        on_step: called after each step; it may raise `StopTraining`, and then the run ends there.
        on_epoch: called after each epoch; it may raise the same.

    Returns:
        The trained run, its model in eval mode.

    Raises:
        InputError: if `out` holds a run already and `resume` is not set, or holds another run or files that this one would
            replace; if there is no such device, gradients are off, labels are missing, the scorer is of another dataset, or
            a network of a reader's own does not fit.
        DivergedError: if a loss or a weight becomes NaN or infinite.
    """
    require_gradients()
    seed, precision = require_seed(seed), precision or recipe.precision
    if precision not in PRECISIONS:
        raise InputError(f"got precision {precision!r}, expected {' or '.join(PRECISIONS)}")
    epochs = epochs_on(recipe, train) if epochs is None else epochs
    if scorer is None and dataset_name(train) in MNIST:
        scorer = shipped_scorer()
    if scorer is not None:
        scorer.require(train)
    if recipe.needs_labels:
        train.require_labels()
    device = parallel.init(choose_device(device))
    train, validation = train.to(device), None if validation is None else validation.to(device)
    about = {
        "recipe": recipe.name,
        "recipe_hash": recipe.hash,
        "epochs": epochs,
        "seed": seed,
        "data": train.name,
        "data_digest": train.digest,
        "classes": list(train.classes),
        "device": device.type,
        "precision": precision,
    }
    model = recipe.build(stream(seed, "weights"), num_classes=train.num_classes)
    model = parallel.sync_batch_norm(model.to(device))
    require_working(model, train[:4].grey(), None if train.labels is None else train.labels[:4])
    loop: Callable[..., State] = partial(
        training_loop(recipe, model, train, seed, validation, scorer), epochs=epochs, bfloat16=precision == "bfloat16"
    )
    dropout = stream(seed, "dropout", device)
    if _may_draw(recipe, model):
        loop = Isolated(dropout).around(loop)

    def on_start(state: State) -> None:
        state.dropout = dropout

    folder = None if out is None else Folder(Path(out), about)
    state = train_in(folder, loop, resume=resume, on_start=on_start, on_step=on_step, on_epoch=on_epoch)
    # an average takes no gradients in training; as part of a run it is a network like any other
    model = model_of(state.result()).eval().requires_grad_()
    about |= {"epochs": state.epoch, "device": str(device), "processes": parallel.world_size()}
    about |= {"seconds": round(state.seconds, 1), "versions": versions()}
    return Run(recipe, model, state.history, {}, about)


def fit_profile(
    recipe: Recipe,
    profile: str = "quick",
    seed: int = 0,
    *,
    root: Path | str | None = None,
    **options: Any,
) -> Run:
    """Train a recipe on the digits of a profile, for the recipe's number of epochs for that profile.

    Args:
        recipe: what to train.
        profile: "quick" (the embedded digits) or "full" (all of MNIST).
        seed: of the run.
        root: folder of the full data, as for `load`.
        **options: for `fit`, such as `out` and `device`.

    Returns:
        The trained run.

    Raises:
        InputError: if there is no such profile, or as for `fit`.
    """
    epochs = recipe.length(profile)
    train, validation = (
        load(PROFILES[profile], split, root if profile == "full" else None) for split in ("train", "validation")
    )
    return fit(recipe, train, validation, epochs=epochs, seed=seed, **options)


def epochs_on(recipe: Recipe, train: ImageDataset, profile: str | None = None) -> int:
    """Return the number of epochs of a profile; without one, of the quick one below 20,000 training images."""
    return recipe.length(profile or ("quick" if len(train) < SMALL else "full"))


def training_loop(
    recipe: Recipe,
    model: Any,
    train: ImageDataset,
    seed: int,
    validation: ImageDataset | None = None,
    scorer: Scorer | None = None,
) -> Callable[..., State]:
    """Return `fit_vae`, `fit_gan` or `fit_classifier` with the settings of a recipe, as a function of `epochs` and callbacks.

    The model is fresh, on the device of the images, and trained in place. Without validation images nothing is measured after
    an epoch; without a scorer no samples are.
    """
    if isinstance(recipe, VAERecipe):
        return partial(
            fit_vae,
            model,
            Batches(train, recipe.batch_size, binarised=True, seed=seed),
            lr=recipe.lr,
            optimiser=_optimiser(recipe),
            objective=recipe.objective,
            decay=recipe.decay,
            ema=recipe.ema,
            generator=_generator(train, seed, "latents"),
            validate=None if validation is None else partial(validate_vae, images=validation),
        )
    if isinstance(recipe, GANRecipe):
        compare = None
        if validation is not None and scorer is not None:
            compare = partial(validate_gan, images=validation, scorer=scorer, stack=recipe.stack)
        return partial(
            fit_gan,
            model.to(memory_format=torch.channels_last),  # convolutions of many channels run faster
            Batches(train, recipe.batch_size, binarised=False, stack=recipe.stack, seed=seed),
            lr=recipe.lr,
            critic_lr=recipe.critic_lr,
            optimiser=_optimiser(recipe, **({} if recipe.betas is None else {"betas": recipe.betas})),
            objective=recipe.objective,
            n_critic=recipe.n_critic,
            n_generator=recipe.n_generator,
            warmup=recipe.warmup,
            pack=recipe.pack,
            decay=recipe.decay,
            ema=recipe.ema,
            generator=_generator(train, seed, "noise"),
            validate=compare,
        )
    return partial(
        fit_classifier,
        model,
        Batches(train, recipe.batch_size, binarised=False, seed=seed),
        lr=recipe.lr,
        optimiser=_optimiser(recipe),
        ema=recipe.ema,
        generator=_generator(train, seed, "distortions"),
        validate=None if validation is None else partial(validate_classifier, images=validation),
    )


def _optimiser(recipe: Recipe, **options: Any) -> Callable[..., torch.optim.Optimizer]:
    """Return the optimiser of a recipe with its options, in its fused form if it has one."""
    if "fused" in inspect.signature(recipe.optimiser).parameters:  # RMSprop has no such form
        options["fused"] = True
    return partial(recipe.optimiser, **options)


def _generator(train: ImageDataset, seed: int, purpose: str) -> parallel.BatchGenerator:
    """Return the generator that a loop draws from, on the device of the images."""
    generator = parallel.BatchGenerator(train.images.device)
    generator.manual_seed(substream(seed, purpose))
    return generator


def _may_draw(recipe: Recipe, model: Any) -> bool:
    """Return whether a step may draw random numbers outside the loop, in dropout or a reader's code: isolating it costs time."""
    given = vars(recipe).get("objective")
    parts = [type(recipe), *([type(given), *vars(given).values()] if is_dataclass(given) else [given])]
    ours = all(getattr(part, "__module__", "gmlib").startswith("gmlib") for part in parts)
    return not ours or any(map(may_draw, networks_of(model).values()))
