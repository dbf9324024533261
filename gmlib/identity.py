"""The identity of a recipe: its settings under explicit ids, from which its hash is made.

A trained run belongs to the settings that it was trained with, and not to the names that they have in the code. Each
setting, network and objective therefore has an id here that never changes. To rename one in the code, change its left
side here; the right side stays, and so does the hash of every run. A name without an id is a reader's own and goes as
it is.
"""

import hashlib
import json
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import torch

from gmlib.errors import InputError
from gmlib.models.conv import ConvDecoder, ConvEncoder
from gmlib.models.dcgan import DCCritic, DCGenerator
from gmlib.models.mlp import MLPCritic, MLPDecoder, MLPEncoder, MLPGenerator
from gmlib.models.pixelcnn import GatedPixelCNN, PixelCNN
from gmlib.objectives.adversarial import Adversarial
from gmlib.objectives.bounds import ELBO, IWAE
from gmlib.objectives.gan import discriminator_bce, generator_minimax, generator_non_saturating, r1_penalty
from gmlib.objectives.wasserstein import critic_wasserstein, generator_wasserstein, gradient_penalty

# fields of recipes and of objectives, and arguments of networks
SETTINGS = {
    # training
    "lr": "learning rate",
    "critic_lr": "critic's learning rate",
    "decay": "cosine decay",
    "optimiser": "optimiser",
    "betas": "Adam's betas",
    "batch_size": "batch size",
    "ema": "average of weights",
    "objective": "objective",
    "samples": "importance samples",
    "beta": "weight of the KL divergence",
    "kl_warmup": "KL warm-up",
    "free_nats": "free nats",
    "n_critic": "critic steps",
    "n_generator": "generator steps",
    "warmup": "critic warm-up",
    "stack": "stacked images",
    "pack": "packed images",
    # networks
    "encoder": "encoder",
    "decoder": "decoder",
    "pixelcnn": "autoregressive decoder",
    "spatial_condition": "spatial condition",
    "generator": "generator",
    "critic": "critic",
    "latent_dim": "latent size",
    "conditional": "conditional",
    "hidden": "hidden layers",
    "batch_norm": "batch norm",
    "critic_norm": "critic's norm",
    "norm": "norm",
    "dropout": "dropout",
    "channels": "channels",
    "width": "width",
    "strided": "strided",
    "layers": "layers",
    "kernel": "first kernel",
    "inner_kernel": "inner kernel",
    "rows_above": "rows above",
    # objectives
    "penalty": "penalty",
    "weight": "weight of the penalty",
    "clip": "bound of the weights",
}

# what a setting may be, beside numbers
PARTS: dict[Any, str] = {
    MLPEncoder: "MLP encoder",
    MLPDecoder: "MLP decoder",
    MLPGenerator: "MLP generator",
    MLPCritic: "MLP critic",
    ConvEncoder: "convolutional encoder",
    ConvDecoder: "convolutional decoder",
    DCGenerator: "DCGAN generator",
    DCCritic: "DCGAN critic",
    ELBO: "ELBO",
    IWAE: "importance-weighted bound",
    Adversarial: "game of two networks",
    PixelCNN: "PixelCNN",
    GatedPixelCNN: "gated PixelCNN",
    discriminator_bce: "discriminator's cross-entropy",
    generator_minimax: "generator's minimax loss",
    generator_non_saturating: "generator's non-saturating loss",
    critic_wasserstein: "critic's Wasserstein loss",
    generator_wasserstein: "generator's Wasserstein loss",
    r1_penalty: "R1",
    gradient_penalty: "gradient penalty",
    torch.optim.Adam: "Adam",
    torch.optim.AdamW: "AdamW",
    torch.optim.RMSprop: "RMSprop",
}


def identity(settings: Any) -> dict[str, Any]:
    """Return the settings of a recipe, or of an objective, under their ids.

    Settings that have their default value are left out, so that a new setting whose default changes nothing changes no
    hash. The number of epochs is left out too: it belongs to a run, whose record states it.

    Args:
        settings: a dataclass; fields that are not compared describe it and are left out.

    Returns:
        Id to value, ready for JSON: numbers, texts, lists and dicts.

    Raises:
        InputError: if a network or an objective of gmlib has no id here.
    """
    given = {
        f.name: getattr(settings, f.name)
        for f in fields(settings)
        if f.compare and f.name != "epochs" and _differs(settings, f)
    }
    return {SETTINGS.get(name, name): _value(value) for name, value in given.items()}


def digest(settings: Any) -> str:
    """Return the hash of a recipe.

    Args:
        settings: the recipe.

    Returns:
        sha256 of the sorted JSON of its `identity`, in hexadecimal.
    """
    return hashlib.sha256(json.dumps(identity(settings), sort_keys=True).encode()).hexdigest()


def _differs(settings: Any, field: Any) -> bool:
    """Return whether a field differs from its default, or has none."""
    return getattr(settings, field.name) != field.default


def _value(value: Any) -> Any:
    """Return a setting's value as JSON can hold it: what is not in `PARTS` is a reader's own, and goes by module and name."""
    if isinstance(value, partial):
        positions = {str(position): _value(part) for position, part in enumerate(value.args)}
        return {
            _value(value.func): positions
            | {SETTINGS.get(name, name): _value(part) for name, part in value.keywords.items()}
        }
    if is_dataclass(value) and not isinstance(value, type):
        return {_value(type(value)): identity(value)}
    if callable(value):
        named = value if hasattr(value, "__qualname__") else type(value)
        if value not in PARTS and named.__module__.startswith("gmlib."):
            raise InputError(
                f"got {named.__qualname__} of gmlib in a recipe, expected a part with an id: give it one in PARTS of "
                "gmlib/identity.py, where it stays for good"
            )
        return PARTS.get(value) or f"{named.__module__}:{named.__qualname__}"
    return value
