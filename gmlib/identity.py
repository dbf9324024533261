"""The identity of a recipe: its settings under fixed ids, from which its hash is computed.

Each setting, network and objective of gmlib has an id here that never changes. After a rename in the code, only the left side
here changes, so that the hash stored with each run still matches. A network or objective that a reader wrote has no id: its
module and name stand in the hash.
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
from gmlib.models.residual import ResidualDecoder, ResidualEncoder
from gmlib.objectives.adversarial import Adversarial
from gmlib.objectives.bounds import ELBO, IWAE
from gmlib.objectives.gan import discriminator_bce, generator_minimax, generator_non_saturating, r1_penalty
from gmlib.objectives.relativistic import critic_relativistic, generator_relativistic, r1_r2_penalty
from gmlib.objectives.wasserstein import critic_wasserstein, generator_wasserstein, gradient_penalty

# fields of recipes and of objectives, and arguments of networks
SETTINGS = {
    # training
    "lr": "learning rate",
    "critic_lr": "critic's learning rate",
    "decay": "cosine decay",
    "critic_decay": "critic's cosine decay",
    "cooldown": "linear cooldown",
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
    "blocks": "residual blocks",
    "layers": "layers",
    "kernel": "first kernel",
    "inner_kernel": "inner kernel",
    "rows_above": "rows above",
    # objectives
    "penalty": "penalty",
    "weight": "weight of the penalty",
    "clip": "bound of the weights",
    "relativistic": "relativistic",
}

# networks, objectives and optimisers: the values of settings that are no numbers
PARTS: dict[Any, str] = {
    MLPEncoder: "MLP encoder",
    MLPDecoder: "MLP decoder",
    MLPGenerator: "MLP generator",
    MLPCritic: "MLP critic",
    ConvEncoder: "convolutional encoder",
    ConvDecoder: "convolutional decoder",
    ResidualEncoder: "residual encoder",
    ResidualDecoder: "residual decoder",
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
    critic_relativistic: "critic's relativistic loss",
    generator_relativistic: "generator's relativistic loss",
    r1_penalty: "R1",
    r1_r2_penalty: "R1 and R2",
    gradient_penalty: "gradient penalty",
    torch.optim.Adam: "Adam",
    torch.optim.AdamW: "AdamW",
    torch.optim.RMSprop: "RMSprop",
}


def identity(settings: Any) -> dict[str, Any]:
    """Return the fields of a recipe or of an objective under their ids, ready for JSON.

    A field with its default value is omitted, so that a new setting with a neutral default changes no hash. The length is
    omitted too, since it may differ between runs of one recipe; so are fields with `compare=False`.
    """
    return {
        SETTINGS.get(f.name, f.name): _value(value)
        for f in fields(settings)
        if f.compare and f.name != "epochs" and (value := getattr(settings, f.name)) != f.default
    }


def digest(settings: Any) -> str:
    """Return the hash of a recipe: the sha256 of its `identity` as sorted JSON, in hexadecimal."""
    return hashlib.sha256(json.dumps(identity(settings), sort_keys=True).encode()).hexdigest()


def _value(value: Any) -> Any:
    """Return a setting's value for JSON: a class or function as its id in `PARTS`, or as module and name if not of gmlib."""
    if isinstance(value, partial):
        arguments = {str(position): argument for position, argument in enumerate(value.args)}
        arguments |= {SETTINGS.get(name, name): argument for name, argument in value.keywords.items()}
        return {_value(value.func): {name: _value(argument) for name, argument in arguments.items()}}
    if is_dataclass(value) and not isinstance(value, type):
        return {_value(type(value)): identity(value)}
    if callable(value):
        named = value if hasattr(value, "__qualname__") else type(value)
        if value not in PARTS and named.__module__.startswith("gmlib."):
            raise InputError(
                f"got {named.__qualname__} of gmlib in a recipe, expected a class or function with an id: add one to PARTS in "
                "gmlib/identity.py, where it must never change"
            )
        return PARTS.get(value) or f"{named.__module__}:{named.__qualname__}"
    return value
