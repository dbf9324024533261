"""An experiment as data: its networks, objective, optimiser and length. A recipe neither trains nor measures."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

import torch
from torch import Generator, nn

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
from gmlib.objectives.adversarial import NON_SATURATING, Adversarial
from gmlib.objectives.bounds import ELBO, Variational


def checked(name: str, value: Any, kind: Any) -> Any:
    """Return the value of a recipe's field as a Python number of the field's type; refuse what the field cannot mean."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    within = next((get_args(each)[0] for each in kinds if get_origin(each) is tuple), None)
    if value is None and NoneType in kinds:
        return None
    if within and isinstance(value, list | tuple) and value:
        return tuple(checked(name, each, within) for each in value)
    expected = None
    if any(get_origin(each) is Callable for each in kinds) and not callable(value):
        expected = "a class or a function"
    elif get_origin(kind) is Literal and value not in get_args(kind):
        expected = f"one of {', '.join(map(repr, get_args(kind)))}"
    elif bool in kinds and not isinstance(value, bool):
        expected = "True or False"
    elif float in kinds:
        below = 1.0 if name in ("ema", "dropout", "betas") else math.inf
        if isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) < below:
            return float(value)
        expected = "a number of at least 0 and " + ("finite" if below == math.inf else "below 1")
    elif int in kinds:
        least = 0 if name in ("latent_dim", "finer_samples") else 1
        if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least:
            return int(value)
        expected = f"a whole number of at least {least}"
    if expected:
        raise InputError(f"got {name} {value!r} in a recipe, expected {expected}: choose another")
    return value


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """What is trained and how: the fields that every kind of model shares.

    The defaults never change, since a setting with its default value is not in the hash. Not compared and not in the hash
    are the last four fields, which describe the recipe, the length of the quick profile, and the precision. `parent` is the
    recipe that this one was written from.
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
        """Check every setting."""
        for f in fields(self):
            if f.name != "parent":
                object.__setattr__(self, f.name, checked(f.name, getattr(self, f.name), f.type))

    @abstractmethod
    def model(self, num_classes: int) -> Any:
        """Return a fresh model; `build` draws its weights from a generator of its own."""

    def build(self, generator: Generator | None = None, *, num_classes: int = 10) -> Any:
        """Return a fresh model.

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

    @property
    def needs_labels(self) -> bool:
        """Whether training needs labels: a conditional model does, and a classifier, which has no such setting."""
        return getattr(self, "conditional", True)

    def keeps(self, network: str) -> bool:
        """Return whether the file of a run keeps a network, such as "critic"."""
        return True

    def settings(self) -> dict[str, Any]:
        """Return the settings of the recipe, without the fields that describe it.

        Returns:
            Field to value, in the order of the fields.
        """
        return {f.name: getattr(self, f.name) for f in fields(self) if f.compare}

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
    """The networks of a VAE and how they are trained.

    `pixelcnn` makes the network of an autoregressive decoder, in place of `decoder`. `spatial_condition` makes a network from
    z to a feature map, on which this decoder depends; without it z changes the biases of each layer. With `latent_dim` 0
    there is no encoder. In a `conditional` model encoder and decoder take the label. `objective` is the bound that training
    maximises. The last three fields are settings of the likelihood's estimate and not in the hash: log p(x) is estimated from
    `likelihood_samples` draws of z, and again from `finer_samples` draws, for `finer_digits` images with a standard error.
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
        """Return a fresh VAE."""
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
    """The networks of a GAN and how they are trained; in a `conditional` one both take the label.

    `lr` is the generator's learning rate, `critic_lr` the critic's; None takes the same for both. `betas` are Adam's; None
    where the optimiser has none. An image has `stack` digits, one per channel, and the critic scores `pack` images together.
    With `ships_critic` the file of a run keeps the critic, which sampling does not need.
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
        """Return a fresh GAN."""
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
        """Return whether the file of a run keeps a network: the critic only if it ships."""
        return network != "critic" or self.ships_critic


@dataclass(frozen=True, kw_only=True)
class ClassifierRecipe(Recipe):
    """How a classifier is trained, in whose features samples are measured."""

    def model(self, num_classes: int) -> Classifier:
        """Return a fresh classifier."""
        return Classifier(num_classes)
