"""Train a recipe on a dataset: its batches, its training loop, the folder of the run, and the record."""

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
from gmlib.experiments.profiles import PROFILES
from gmlib.experiments.recipe import GANRecipe, Recipe, VAERecipe
from gmlib.experiments.recipe_file import require_image_output
from gmlib.experiments.run import Run, model_of, versions
from gmlib.isolated import Isolated, may_draw
from gmlib.metrics.scorer import MNIST_NAMES, Scorer, dataset_name, shipped_scorer
from gmlib.metrics.validation import validate_classifier, validate_gan, validate_vae
from gmlib.seeds import require_seed, stream, substream
from gmlib.shapes import require_gradients
from gmlib.training.checkpoint import Folder, train_in
from gmlib.training.classifier import fit_classifier
from gmlib.training.gan import fit_gan
from gmlib.training.state import State
from gmlib.training.vae import fit_vae

PRECISIONS = ("float32", "bfloat16")
# training images from which on the default number of epochs is that of the full profile, in place of the quick one
MIN_IMAGES_FOR_FULL_PROFILE = 20_000


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
        recipe: settings of the model and of its training.
        train: training images; a conditional recipe and a classifier need their labels.
        validation: images on which the model is measured after each epoch; None measures nothing.
        epochs: length of training; None takes the recipe's number for a dataset of this size, see `default_epochs`.
        seed: fixes initial weights, order of the images, binarisation, latents and dropout.
        scorer: trained on the same dataset, for the validation FID of a GAN; None takes the shipped one for MNIST, and
            computes no FID on other datasets.
        device: "cpu", "cuda", "mps", or "auto" for a GPU if there is one.
        precision: "float32" or "bfloat16", in which the networks compute; None takes the recipe's.
        out: folder for checkpoints and history; None keeps everything in memory.
        resume: continue from the newest checkpoint in `out`, if there is one.
        on_step: called after each step; it may raise `StopTraining` to end the run there.
        on_epoch: called after each epoch; it may raise `StopTraining` too.

    Returns:
        The trained run, its model in eval mode.

    Raises:
        InputError: if `out` holds a run already and `resume` is not set, or holds another run or files that this one would
            replace; if there is no such device, gradients are off, labels are missing, the scorer is of another dataset, or
            a network that you wrote does not return images.
        DivergedError: if a loss or a weight becomes NaN or infinite.
    """
    require_gradients()
    seed, precision = require_seed(seed), precision or recipe.precision
    if precision not in PRECISIONS:
        raise InputError(f"got precision {precision!r}, expected {' or '.join(PRECISIONS)}")
    epochs = default_epochs(recipe, train) if epochs is None else epochs
    if scorer is None and dataset_name(train) in MNIST_NAMES:
        scorer = shipped_scorer()
    if scorer is not None:
        scorer.require_same_dataset(train)
    if recipe.needs_labels:
        train.require_labels()
    device = parallel.init(choose_device(device))
    train, validation = train.to(device), None if validation is None else validation.to(device)
    # a run is resumed only with the same settings
    settings = {
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
    require_image_output(model, train[:4].grey(), None if train.labels is None else train.labels[:4])
    loop: Callable[..., State] = partial(
        training_loop(recipe, model, train, seed, validation, scorer), epochs=epochs, bfloat16=precision == "bfloat16"
    )
    dropout_rng = stream(seed, "dropout", device)
    if _uses_global_rng(recipe, model):
        # Dropout takes no generator. Inside `Isolated` it draws from dropout_rng, so that other code which draws from the
        # global generator does not change the run. `Isolated` slows torch down, so it is used only if a step may draw.
        loop = Isolated(dropout_rng).around(loop)

    def on_start(state: State) -> None:
        state.dropout_rng = dropout_rng  # checkpoints contain the state of this generator too

    folder = None if out is None else Folder(Path(out), settings, recipe.constant_epochs(epochs))
    state = train_in(folder, loop, resume=resume, on_start=on_start, on_step=on_step, on_epoch=on_epoch)
    # averaged weights (ema) required no gradients during training; the weights of the returned model do
    model = model_of(state.result()).eval().requires_grad_()
    measured = {
        "epochs": state.epoch,
        "images": state.step * recipe.batch_size,
        "device": str(device),
        "processes": parallel.world_size(),
    }
    measured |= {"seconds": round(state.seconds, 1), "versions": versions()}
    return Run(recipe, model, state.history, metrics={}, record=settings | measured)


def fit_profile(
    recipe: Recipe,
    profile: str = "quick",
    seed: int = 0,
    *,
    root: Path | str | None = None,
    **options: Any,
) -> Run:
    """Train a recipe on MNIST, for the recipe's number of epochs for a profile.

    Args:
        recipe: settings of the model and of its training.
        profile: "quick" (the embedded digits) or "full" (all of MNIST).
        seed: as for `fit`.
        root: folder of the full data, as for `load`.
        **options: for `fit`, such as `out` and `device`.

    Returns:
        The trained run, its model on the CPU wherever it was trained, so that a chapter goes on with it in the same way.

    Raises:
        InputError: if there is no such profile, or as for `fit`.
    """
    epochs = recipe.length(profile)
    train, validation = (
        load(PROFILES[profile], split, root if profile == "full" else None) for split in ("train", "validation")
    )
    run = fit(recipe, train, validation, epochs=epochs, seed=seed, **options)
    run.model.cpu()
    return run


def default_epochs(recipe: Recipe, train: ImageDataset, profile: str | None = None) -> int:
    """Return a recipe's number of epochs for a profile; None takes the profile that suits the number of training images."""
    return recipe.length(profile or ("quick" if len(train) < MIN_IMAGES_FOR_FULL_PROFILE else "full"))


def training_loop(
    recipe: Recipe,
    model: Any,
    train: ImageDataset,
    seed: int,
    validation: ImageDataset | None = None,
    scorer: Scorer | None = None,
) -> Callable[..., State]:
    """Return `fit_vae`, `fit_gan` or `fit_classifier` with the settings of a recipe, as a function of `epochs` and callbacks.

    The model is new, on the device of the images, and trained in place. Without validation images nothing is measured after
    an epoch; the samples of a GAN are measured only with a scorer.
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
            rng=_shared_rng(train, seed, "latents"),
            validate=None if validation is None else partial(validate_vae, images=validation),
        )
    if isinstance(recipe, GANRecipe):
        validate = None
        if validation is not None and scorer is not None:
            validate = partial(validate_gan, images=validation, scorer=scorer, stack=recipe.stack, pack=recipe.pack)
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
            critic_decay=recipe.critic_decay,
            cooldown=recipe.cooldown,
            ema=recipe.ema,
            rng=_shared_rng(train, seed, "noise"),
            validate=validate,
        )
    return partial(
        fit_classifier,
        model,
        Batches(train, recipe.batch_size, binarised=False, seed=seed),
        lr=recipe.lr,
        optimiser=_optimiser(recipe),
        ema=recipe.ema,
        rng=_shared_rng(train, seed, "distortions"),
        validate=None if validation is None else partial(validate_classifier, images=validation),
    )


def _optimiser(recipe: Recipe, **options: Any) -> Callable[..., torch.optim.Optimizer]:
    """Return the optimiser of a recipe with its options, in its fused form if it has one."""
    if "fused" in inspect.signature(recipe.optimiser).parameters:  # RMSprop has no such form
        options["fused"] = True
    return partial(recipe.optimiser, **options)


def _shared_rng(train: ImageDataset, seed: int, purpose: str) -> parallel.SharedRng:
    """Return the random generator for one purpose, such as "latents"; all processes together draw what a single one would."""
    rng = parallel.SharedRng(train.images.device)
    rng.manual_seed(substream(seed, purpose))
    return rng


def _uses_global_rng(recipe: Recipe, model: Any) -> bool:
    """Return whether a step may draw from torch's global generator: in dropout, or in an objective or layer not of gmlib."""
    objective = getattr(recipe, "objective", None)
    # the class and the fields of a dataclass, or else the objective itself; a number has no __module__ and draws nothing
    parts = [type(objective), *vars(objective).values()] if is_dataclass(objective) else [objective]
    return may_draw(model) or not all(getattr(part, "__module__", "gmlib").startswith("gmlib") for part in parts)
