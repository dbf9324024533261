"""Every experiment on one page, each written as its difference from its parent."""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch

from gmlib.errors import InputError, nearest
from gmlib.experiment import ClassifierRecipe, Departure, GANRecipe, Recipe, VAERecipe
from gmlib.models.conv import ConvDecoder, ConvEncoder
from gmlib.models.dcgan import DCCritic, DCGenerator
from gmlib.objectives.adversarial import MINIMAX, NON_SATURATING, NON_SATURATING_R1
from gmlib.run import Run, read_networks
from gmlib.train.history import History

DECAY = Departure(
    "learning rate",
    "1e-2, constant",
    "1e-2, falling to 0 along half a cosine",
    "the steps shrink, so that the last epochs settle; not measured apart from the epochs",
)

VAE = VAERecipe(
    name="vae",
    about="The report's VAE: one hidden layer of 100, two latents, batch norm.",
    hidden=100,
    latent_dim=2,
    batch_norm=True,
    lr=1e-2,
    decay=True,
    batch_size=128,
    epochs=100,
    quick_epochs=40,
    paper="Kingma & Welling 2014, Auto-Encoding Variational Bayes",
    departures=(
        DECAY,
        Departure("epochs", "15", "100 (40 on the embedded digits)", "the bound still rises after 15"),
    ),
)
VAE_NO_BN = replace(VAE, parent=VAE, name="vae_no_bn", about="The same without batch norm.", batch_norm=False)

CONV_VAE = replace(
    VAE,
    parent=VAE,
    name="conv_vae",
    about="The report's ConvVAE: two convolutions in the encoder, the decoder of vae.",
    encoder=ConvEncoder,
    quick_epochs=8,
    departures=(
        DECAY,
        Departure("epochs", "15", "100 (8 on the embedded digits)", "the bound still rises after 15"),
        Departure("channels", "not known here", "8 and 8", "more are slower, on two CPU cores"),
    ),
)
CONV_VAE_DECONV = replace(
    CONV_VAE,
    parent=CONV_VAE,
    name="conv_vae_deconv",
    about="Transposed convolutions in the decoder too, which the report did not try.",
    decoder=ConvDecoder,
)
CVAE = replace(
    VAE,
    parent=VAE,
    name="cvae",
    about="The report's CVAE: the VAE with labels in encoder and decoder.",
    num_classes=10,
    paper="Sohn, Lee & Yan 2015, Learning Structured Output Representation using Deep Conditional Generative Models",
)
VAE_STRONG = replace(
    VAE,
    parent=VAE,
    name="vae_strong",
    about="Fifty latents, two hidden layers, importance-weighted training: a VAE for likelihood.",
    hidden=(512, 512),
    latent_dim=50,
    samples=5,
    lr=5e-3,
    quick_epochs=12,
    finer_samples=5000,
    paper="Burda, Grosse & Salakhutdinov 2016, Importance Weighted Autoencoders",
    departures=(
        Departure(
            "model",
            "2 latents, one layer of 100, the ELBO",
            "50 latents, two layers of 512, the bound of 5 draws",
            "no model of the report's: it shows what the others leave on the table",
        ),
        Departure(
            "learning rate",
            "1e-2, constant",
            "5e-3, falling to 0 along half a cosine",
            "a larger network; not measured apart from the rest",
        ),
        Departure("epochs", "15", "100 (12 on the embedded digits)", "the bound still rises after 15"),
    ),
)

BETAS = Departure(
    "Adam's betas",
    "not known here",
    "0.5 and 0.999",
    "0.9 did worse in a trial of two epochs and one seed, on validation digits",
)
AVERAGE = Departure(
    "average",
    "none",
    "of the generator's weights, 0.999 a step",
    "evens out the last steps; it takes no part in training",
)

GAN = GANRecipe(
    name="gan",
    about="The report's GAN: four layers against four, with the loss that does not saturate.",
    latent_dim=100,
    dropout=0.3,
    lr=2e-4,
    betas=(0.5, 0.999),
    batch_size=64,
    ema=0.999,
    epochs=50,
    quick_epochs=20,
    ships_critic=False,
    paper="Goodfellow et al. 2014, Generative Adversarial Nets",
    departures=(
        BETAS,
        AVERAGE,
        Departure("epochs", "100 and 200", "50 (20 on the embedded digits)", "two CPU cores"),
    ),
)
GAN_MINIMAX = replace(
    GAN,
    parent=GAN,
    name="gan_minimax",
    about="The same with the loss of the minimax game, log(1 - D), which saturates.",
    objective=MINIMAX,
)
GAN_CRITIC_BN = replace(
    GAN, parent=GAN, name="gan_critic_bn", about="The same with batch norm in the critic.", critic_batch_norm=True
)
CGAN = replace(
    GAN,
    parent=GAN,
    name="cgan",
    about="The report's CGAN: the GAN with labels in generator and critic.",
    num_classes=10,
    paper="Mirza & Osindero 2014, Conditional Generative Adversarial Nets",
)
DCGAN = replace(
    GAN,
    parent=GAN,
    name="dcgan",
    about="The report's DCGAN: strided convolutions, and batch norm in the generator.",
    generator=DCGenerator,
    critic=DCCritic,
    objective=NON_SATURATING_R1,
    batch_norm=True,
    dropout=0.0,
    lr=2e-3,
    betas=(0.5, 0.99),
    decay=True,
    batch_size=32,
    epochs=24,
    quick_epochs=4,
    ships_critic=True,
    paper="Radford, Metz & Chintala 2016, Unsupervised Representation Learning with DCGANs",
    departures=(
        Departure(
            "Adam's betas",
            "not known here",
            "0.5 and 0.99",
            "with 0.999, in a trial of one seed, the critic of cdcgan broke loose after a few epochs, and its validation FID rose steeply",
        ),
        AVERAGE,
        Departure(
            "penalty",
            "none",
            "R1, of weight 0.01",
            "meant to bring the game to rest; `dcgan_plain` goes without. In trials of one seed, on validation digits, "
            "the critic of cdcgan could soon tell nothing with 0.1, and FID rose",
        ),
        Departure(
            "learning rate",
            "2e-4, constant",
            "2e-3, falling to 0 along half a cosine",
            "validation FID fell faster than with half of it, in trials of one seed that differed in width or penalty too; faster still with "
            "two generator steps a critic step, but those left the critic of cdcgan blind",
        ),
        Departure("epochs", "not known here", "24 (4 on the embedded digits)", "two CPU cores"),
    ),
)
DCGAN_PLAIN = replace(
    DCGAN,
    parent=DCGAN,
    name="dcgan_plain",
    about="The same in the report's game: no penalty.",
    objective=NON_SATURATING,
)
# R1 asks for the slope at one image alone, which a critic with batch norm has not
DCGAN_CRITIC_BN = replace(
    DCGAN_PLAIN,
    parent=DCGAN_PLAIN,
    name="dcgan_critic_bn",
    about="The same with batch norm in the critic.",
    critic_batch_norm=True,
)
CDCGAN = replace(
    DCGAN,
    parent=DCGAN,
    name="cdcgan",
    about="The DCGAN with labels in generator and critic.",
    num_classes=10,
)

ALL: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        *(VAE, VAE_NO_BN, CONV_VAE, CONV_VAE_DECONV, CVAE, VAE_STRONG),
        *(GAN, GAN_MINIMAX, GAN_CRITIC_BN, CGAN, DCGAN, DCGAN_PLAIN, DCGAN_CRITIC_BN, CDCGAN),
    )
}

# no generative model: the eye with which their samples are judged
CLASSIFIER = ClassifierRecipe(
    name="classifier",
    about="The digit classifier in whose features samples are measured.",
    lr=3e-3,
    batch_size=128,
    optimiser=torch.optim.AdamW,
    epochs=24,
    quick_epochs=12,
    paper="a small convolutional network, as has been usual since LeCun et al. 1998",
)


def by_name(name: str) -> Recipe:
    """Find a recipe.

    Args:
        name: as listed by `gmlib list`, or "classifier".

    Returns:
        The recipe.

    Raises:
        InputError: if there is none of that name; it suggests the nearest.
    """
    known = ALL | {CLASSIFIER.name: CLASSIFIER}
    if name not in known:
        raise InputError(f"got recipe {name!r}, expected one of {', '.join(known)}{nearest(name, known)}")
    return known[name]


def load_run(folder: Path, name: str) -> Run:
    """Read a run back.

    Args:
        folder: where `Run.save` wrote it.
        name: of its recipe.

    Returns:
        The run, its networks on the CPU in eval mode.

    Raises:
        InputError: if it is not there, is damaged, or the recipe has changed since.
    """
    recipe = by_name(name)
    path = folder / f"{name}.json"
    try:
        record = json.loads(path.read_text())
        history, metrics = History(record.pop("history")), record.pop("metrics")
        if not (isinstance(metrics, dict) and all(isinstance(row, dict) for row in history.rows)):
            raise ValueError("its history or metrics are of another form")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"cannot read {path} ({error}), expected the record of a finished run: make it with gmlib train {name} --out {folder}"
        ) from error
    if record.get("recipe_hash") != recipe.hash:
        raise InputError(
            f"{path} is of an earlier recipe {name} (hash {str(record.get('recipe_hash'))[:12]}, now {recipe.hash[:12]}): "
            f"train it again with gmlib train {name}"
        )
    return Run(recipe, read_networks(path.with_suffix(".safetensors"), recipe), history, metrics, record)


WEIGHTS = Path(str(files("gmlib") / "weights"))


def is_shipped(name: str) -> bool:
    """Say whether gmlib ships a full run.

    Args:
        name: of the recipe.

    Returns:
        Whether `pretrained` finds it.
    """
    return (WEIGHTS / f"{name}.json").is_file()


def claim(number: str) -> dict[str, Any]:
    """Look up what came of one of the report's claims.

    Args:
        number: such as "C02".

    Returns:
        Its entry of `weights/claims.json`: claim, experiment, effect, interval, unit, verdict, because, details.

    Raises:
        InputError: if the claim was not tested yet.
    """
    path = WEIGHTS / "claims.json"
    tested = {entry["id"]: entry for entry in json.loads(path.read_text())} if path.exists() else {}
    if number not in tested:
        raise InputError(f"got claim {number!r}, expected one that was tested ({', '.join(tested)}): run make claims")
    return tested[number]


def pretrained(name: str) -> Run:
    """Load the full run that gmlib ships.

    Args:
        name: of the recipe.

    Returns:
        The run: networks, history and metrics.

    Raises:
        InputError: if there is no such recipe, or no full run of it is shipped.
    """
    if not is_shipped(by_name(name).name):
        raise InputError(f"no full run of {name} is shipped: train one with gmlib train {name} --profile full")
    return load_run(WEIGHTS, name)
