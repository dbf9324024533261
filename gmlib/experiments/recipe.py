"""An experiment as data: which networks, trained how, for how long. A recipe neither trains nor measures."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

import numpy as np
import torch
from torch import Generator, Tensor, nn

from gmlib.errors import InputError, nearest
from gmlib.experiments.profiles import PROFILES
from gmlib.identity import digest
from gmlib.isolated import Isolated
from gmlib.models.classifier import Classifier
from gmlib.models.gan import GAN
from gmlib.models.mlp import MLPCritic, MLPDecoder, MLPEncoder, MLPGenerator, Norm
from gmlib.models.pixelcnn import CausalNetwork
from gmlib.models.pixelvae import NoLatent, PixelDecoder
from gmlib.models.vae import VAE, BernoulliDecoder
from gmlib.numbers import count_of, plain_number, whole
from gmlib.objectives.adversarial import NON_SATURATING, Adversarial
from gmlib.objectives.bounds import ELBO, Variational


def plain(value: Any) -> Any:
    """Return a setting as JSON can hold it.

    Args:
        value: of a field.

    Returns:
        The name of a class or a function; of a `partial` that name to its arguments; of a dataclass the name of its class
        to the fields that differ from their defaults; all else as it is.
    """
    if isinstance(value, partial):
        given = dict(enumerate(value.args)) | value.keywords
        return {plain(value.func): {str(name): plain(part) for name, part in given.items()}}
    if is_dataclass(value) and not isinstance(value, type):
        return {type(value).__name__: {name: plain(part) for name, part in _changed(value).items()}}
    return getattr(value, "__name__", value)


def _changed(thing: Any) -> dict[str, Any]:
    """Find the fields of a dataclass that differ from their defaults, or have none."""
    return {f.name: value for f in fields(thing) if (value := getattr(thing, f.name)) != f.default}


def as_setting(name: str, value: Any, kind: Any) -> Any:
    """Turn a setting into numbers of Python, and refuse what its field cannot mean.

    A recipe is compared, hashed and written as JSON by its settings: 3, np.int64(3) and, where a number may have a fraction,
    3.0 are one setting.

    Args:
        name: of the field.
        value: of a number, a tuple of numbers, a `partial` or a dataclass with numbers in it, or anything else.
        kind: the field's type.

    Returns:
        The value with every number as a Python number of the field's type; anything else as it is.

    Raises:
        InputError: if it is an array; if it cannot be called and the field takes functions; if it is not a number and the field
            takes numbers; or if the number is too small, too large or not finite.
    """
    value = plain_number(value)
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if isinstance(value, np.ndarray | Tensor):
        raise InputError(f"got {name} as an array, expected Python numbers: convert it with tuple(values.tolist())")
    if isinstance(value, list | tuple):
        if not value:
            raise InputError(f"got {name} {value!r}, expected at least one number: give it")
        (within,) = {get_args(each)[0] for each in kinds if get_origin(each) is tuple} or {Any}
        return tuple(as_setting(name, each, within) for each in value)
    if isinstance(value, partial):
        args = [as_setting(name, each, Any) for each in value.args]
        keywords = {key: as_setting(key, each, Any) for key, each in value.keywords.items()}
        same = [*map(type, (*args, *keywords.values()))] == [*map(type, (*value.args, *value.keywords.values()))]
        return value if same else partial(value.func, *args, **keywords)  # two partials are equal only if they are one
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: (getattr(value, f.name), f.type) for f in fields(value)}
        return replace(value, **{key: as_setting(f"{name}.{key}", *each) for key, each in parts.items()})
    if value is None and NoneType in kinds:
        return None
    if any(get_origin(each) is Callable for each in kinds) and not callable(value):
        raise InputError(f"got {name} {value!r}, expected a class or a function: give one that can be called")
    if get_origin(kind) is Literal and value not in get_args(kind):
        known = ", ".join(map(repr, get_args(kind)))
        raise InputError(f"got {name} {value!r}, expected one of {known}: choose one of them")
    if bool in kinds:
        if value not in (0, 1):
            raise InputError(f"got {name} {value!r}, expected True or False: choose one of them")
        return bool(value)
    if float in kinds:
        below = 1.0 if name in ("ema", "dropout", "betas") else math.inf
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < below:
            expected = "finite" if below == math.inf else f"below {below:g}"
            raise InputError(f"got {name} {value!r}, expected a number of at least 0 and {expected}: choose another")
        return float(value)
    if int in kinds:
        if name == "latent_dim" and whole(value) is not None:
            return whole(value)  # the networks know which size they need
        return count_of(name, value, 0 if name in ("latent_dim", "finer_samples") else 1)
    return value


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """What is trained and how: the part that every kind of model shares.

    The defaults are neutral and never change; every recipe states the rest. The last four fields describe; they, the
    length of the quick profile and the precision, which a caller may choose, stand outside comparison and hash. `parent`
    is the recipe that this one was written from.
    """

    lr: float
    batch_size: int
    epochs: int
    optimiser: Callable[..., torch.optim.Optimizer] = torch.optim.Adam
    decay: bool = False
    ema: float = 0.0
    quick_epochs: int = field(compare=False)
    precision: str = field(default="float32", compare=False)
    name: str = field(default="", compare=False)
    parent: "Recipe | None" = field(default=None, compare=False, repr=False)
    about: str = field(default="", compare=False)
    paper: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Take every setting as Python's numbers."""
        for f in fields(self):
            if f.name != "parent":
                object.__setattr__(self, f.name, as_setting(f.name, getattr(self, f.name), f.type))

    @abstractmethod
    def model(self, num_classes: int) -> Any:
        """Make a fresh model; `build` draws its weights from a generator of its own.

        Args:
            num_classes: number of classes of the dataset, for a conditional model or a classifier.

        Returns:
            A VAE, a GAN or a classifier.
        """

    def build(self, generator: Generator | None = None, *, num_classes: int = 10) -> Any:
        """Make a fresh model.

        Args:
            generator: source of the initial weights; without one they are those of seed 0.
            num_classes: number of classes of the dataset, for a conditional model or a classifier.

        Returns:
            A VAE, a GAN or a classifier.

        Raises:
            InputError: if the settings fit no model.
        """
        seed = 0 if generator is None else int(torch.randint(2**31, (), generator=generator, device=generator.device))
        with Isolated(Generator().manual_seed(seed)):
            return self.model(num_classes)

    def keeps(self, network: str) -> bool:
        """Return whether a finished run keeps a network.

        Args:
            network: such as "critic".

        Returns:
            True; a GAN that does not ship its critic keeps the generator alone.
        """
        return True

    def settings(self) -> dict[str, Any]:
        """Return the settings of the recipe, without the fields that describe it.

        Returns:
            Field to value.
        """
        return {f.name: getattr(self, f.name) for f in fields(self) if f.compare}

    def differences(self) -> dict[str, Any]:
        """Return the settings that differ from their defaults, or that have no default.

        Returns:
            Field to value, as `plain` gives it.
        """
        return {name: plain(value) for name, value in _changed(self).items() if name in self.settings()}

    @property
    def hash(self) -> str:
        """Hash of the settings, from explicit ids: see `gmlib.identity`."""
        return digest(self)

    def length(self, profile: str) -> int:
        """Return the number of epochs of a profile.

        Args:
            profile: "quick" or "full".

        Returns:
            Epochs.

        Raises:
            InputError: if there is no such profile.
        """
        if profile not in PROFILES:
            known = " or ".join(PROFILES)
            raise InputError(f"got profile {profile!r}, expected {known}{nearest(profile, PROFILES)}")
        return self.quick_epochs if profile == "quick" else self.epochs


@dataclass(frozen=True, kw_only=True)
class VAERecipe(Recipe):
    """What a VAE is made of and how it is trained.

    `pixelcnn` makes the network of an autoregressive decoder, and takes the place of `decoder`. `spatial_condition` makes a
    network from z to a feature map, on which this decoder depends; without it z changes the biases of each layer. Without
    latents there is no encoder either. `conditional` gives encoder and decoder the label. `objective` is the bound that
    training maximises. The last three fields say how the likelihood is measured; they change no training and no hash:
    log p(x) is estimated from `likelihood_samples` draws of z, and a second time from `finer_samples`; if that takes too long
    for all images, from `finer_digits` of them, with a standard error.
    """

    hidden: int | tuple[int, ...]
    latent_dim: int
    objective: Variational = ELBO()
    encoder: Callable[..., nn.Module] = MLPEncoder
    decoder: Callable[..., nn.Module] = MLPDecoder
    pixelcnn: Callable[[int, int], CausalNetwork] | None = None
    spatial_condition: Callable[..., nn.Module] | None = None
    conditional: bool = False
    batch_norm: bool = False
    likelihood_samples: int | None = field(default=None, compare=False)
    finer_samples: int = field(default=0, compare=False)
    finer_digits: int | None = field(default=None, compare=False)

    def model(self, num_classes: int) -> VAE:
        """Make a fresh VAE.

        Args:
            num_classes: number of classes of the dataset, used if the recipe is conditional.

        Returns:
            The model.
        """
        num_classes = num_classes if self.conditional else 0
        sizes = {
            "latent_dim": self.latent_dim,
            "num_classes": num_classes,
            "hidden": self.hidden,
            "batch_norm": self.batch_norm,
        }
        encoder = self.encoder(**sizes) if self.latent_dim else NoLatent()
        if self.pixelcnn:
            spatial = self.spatial_condition(**sizes) if self.spatial_condition else None
            return VAE(encoder, PixelDecoder(self.latent_dim, num_classes, self.pixelcnn, spatial))
        return VAE(encoder, BernoulliDecoder(self.decoder(**sizes)))


@dataclass(frozen=True, kw_only=True)
class GANRecipe(Recipe):
    """What a GAN is made of and how the game is played; `conditional` gives both networks the label.

    `lr` is the generator's learning rate, `critic_lr` the critic's; None takes the same for both.
    `betas` are Adam's; None where the optimiser has none. An image has `stack` digits, one a channel, and the critic
    judges `pack` images together. `ships_critic` says whether a finished run keeps the critic,
    which no sample needs; it changes no training.
    """

    latent_dim: int
    generator: Callable[..., nn.Module] = MLPGenerator
    critic: Callable[..., nn.Module] = MLPCritic
    objective: Adversarial = NON_SATURATING
    betas: tuple[float, float] | None = None
    critic_lr: float | None = None
    conditional: bool = False
    batch_norm: bool = False
    critic_norm: Norm = None
    dropout: float = 0.0
    n_critic: int = 1
    n_generator: int = 1
    warmup: bool = False
    stack: int = 1
    pack: int = 1
    ships_critic: bool = field(default=True, compare=False)

    def model(self, num_classes: int) -> GAN:
        """Make a fresh GAN.

        Args:
            num_classes: number of classes of the dataset, used if the recipe is conditional.

        Returns:
            The model.

        Raises:
            InputError: if stacks of images are to have a label.
        """
        num_classes = num_classes if self.conditional else 0
        if self.stack > 1 and num_classes:
            raise InputError(
                f"got stacks of {self.stack} images and {num_classes} classes, expected one or the other: a stack has no one label"
            )
        return GAN(
            self.generator(self.latent_dim, num_classes, batch_norm=self.batch_norm, channels=self.stack),
            self.critic(
                num_classes,
                norm=self.critic_norm,
                dropout=self.dropout,
                channels=self.stack * self.pack,
            ),
        )

    def keeps(self, network: str) -> bool:
        """Return whether a finished run keeps a network.

        Args:
            network: "generator" or "critic".

        Returns:
            True for the generator, and for the critic if it ships.
        """
        return network != "critic" or self.ships_critic


@dataclass(frozen=True, kw_only=True)
class ClassifierRecipe(Recipe):
    """How a classifier is trained, in whose features samples are measured. It generates nothing."""

    def model(self, num_classes: int) -> Classifier:
        """Make a fresh classifier.

        Args:
            num_classes: number of classes of the dataset.

        Returns:
            The model.
        """
        return Classifier(num_classes)
