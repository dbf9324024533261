"""A recipe: an experiment as data, with its networks, objective, optimiser and length. It has no method that trains."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

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

BELOW_ONE = ("ema", "dropout", "betas", "cooldown")  # settings that are at least 0 and below 1
MAY_BE_ZERO = ("latent_dim", "finer_samples")  # other whole numbers are at least 1


def as_number(name: str, value: Any, kind: Any) -> Any:
    """Return a recipe's number as a Python number of the field's type, for the hash; raise InputError outside its range."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    element_kind = next((get_args(each)[0] for each in kinds if get_origin(each) is tuple), None)
    if element_kind and isinstance(value, list | tuple) and value:
        return tuple(as_number(name, element, element_kind) for element in value)
    if not {int, float} & set(kinds) or (value is None and NoneType in kinds):
        return value
    if float in kinds:
        limit = 1.0 if name in BELOW_ONE else math.inf
        if isinstance(value, Real) and 0 <= float(value) < limit:
            return float(value)
        expected = "a number of at least 0 and " + ("finite" if limit == math.inf else "below 1")
    else:
        smallest = 0 if name in MAY_BE_ZERO else 1
        if isinstance(value, Integral) and int(value) >= smallest:
            return int(value)
        expected = f"a whole number of at least {smallest}"
    raise InputError(f"got {name} {value!r} in a recipe, expected {expected}: choose another")


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """The settings of a model and of its training: the fields that every kind of model shares.

    A default never changes, since a setting with its default value is not in the hash. Fields with `compare=False` are
    neither compared nor in the hash. `epochs` and `quick_epochs` are the lengths of the two profiles. `parent` is the recipe
    from which this one was written.
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
        """Check and convert every number."""
        for f in fields(self):
            object.__setattr__(self, f.name, as_number(f.name, getattr(self, f.name), f.type))

    @abstractmethod
    def model(self, num_classes: int) -> Any:
        """Return a new model, with initial weights from torch's global generator; use `build` instead."""

    def build(self, generator: Generator | None = None, *, num_classes: int = 10) -> Any:
        """Return a new model: a VAE, a GAN or a classifier.

        Args:
            generator: random generator of the initial weights; without one they are those of seed 0.
            num_classes: number of classes of the dataset, for a conditional model or a classifier.

        Returns:
            The model, on the CPU and in training mode.
        """
        seed = 0 if generator is None else int(torch.randint(2**31, (), generator=generator, device=generator.device))
        with Isolated(Generator().manual_seed(seed)):  # torch draws initial weights from its global generator otherwise
            return self.model(num_classes)

    @property
    def needs_labels(self) -> bool:
        """Whether training needs labels, as for a conditional model or a classifier (which has no setting `conditional`)."""
        return getattr(self, "conditional", True)

    def keeps(self, network: str) -> bool:
        """Return whether the file of a run keeps a network, such as "critic"."""
        return True

    def constant_epochs(self, epochs: int) -> int:
        """Return for how many epochs of a run of this length the length changes nothing; 0 if a rate depends on it at once."""
        return 0

    def settings(self) -> dict[str, Any]:
        """Return the settings by name, in the order of the fields, without the fields that describe the recipe."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.compare}

    @property
    def hash(self) -> str:
        """Hash of the settings, from explicit ids: see `gmlib.identity`."""
        return digest(self)

    def length(self, profile: str) -> int:
        """Return the number of epochs of a profile, "quick" or "full"."""
        if profile not in PROFILES:
            known = " or ".join(PROFILES)
            raise InputError(f"got profile {profile!r}, expected {known}{nearest(profile, PROFILES)}")
        return self.quick_epochs if profile == "quick" else self.epochs


@dataclass(frozen=True, kw_only=True)
class VAERecipe(Recipe):
    """The settings of a VAE and of its training.

    `objective` is the bound that training maximises. `encoder` and `decoder` make networks of linear layers by default; in a
    `conditional` model both take the label. With `latent_dim` 0 there is no encoder.

    `pixelcnn` makes the network of an autoregressive decoder, in place of `decoder`. `spatial_condition` makes a network from
    z to a feature map that is added in each layer of the PixelCNN; without it, z changes the biases of each layer.

    The last three fields concern the estimate of log p(x) by importance sampling, and are not in the hash.
    `likelihood_samples` is the number of draws of z per test image; None takes 1,000. With `finer_samples` above 0, a second
    estimate uses this number of draws: for all test images, or for `finer_digits` of them, and then with a standard error.
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
        """Return a new VAE."""
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
    """The settings of a GAN and of its training; in a `conditional` GAN, generator and critic take the label.

    `lr` is the generator's learning rate, and `critic_lr` the critic's; None takes `lr` for both. `decay` and `critic_decay`
    say in the same way whether they fall along a cosine; else they fall linearly over the last `cooldown` of the run. `betas` are Adam's; an
    optimiser without betas has None. `n_critic` critic steps alternate with `n_generator` generator steps; with `warmup` the
    critic takes more steps at the start. An image has `stack` digits, one per channel. The critic scores `pack` images
    together, as in PacGAN. The file of a run keeps the critic, which sampling does not need, if `ships_critic` is set.
    """

    latent_dim: int
    generator: Callable[..., nn.Module] = MLPGenerator
    critic: Callable[..., nn.Module] = MLPCritic
    objective: Adversarial = NON_SATURATING
    betas: tuple[float, float] | None = None
    critic_lr: float | None = None
    critic_decay: bool | None = None
    cooldown: float = 0.0
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
        """Return a new GAN."""
        num_classes = num_classes if self.conditional else 0
        if num_classes and self.stack * self.pack > 1:
            raise InputError(
                f"got stack {self.stack}, pack {self.pack} and {num_classes} classes, expected 1 and 1 or an unconditional recipe: "
                "several images together have no label"
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

    def constant_epochs(self, epochs: int) -> int:
        """Return for how many epochs of a run of this length the length changes nothing: those before the cooldown.

        A rate that falls along a cosine depends on the length at once, and so does the warm-up of the critic.
        """
        if not self.cooldown or self.decay or self.critic_decay or self.warmup:
            return 0
        return int((1 - self.cooldown) * epochs)

    def keeps(self, network: str) -> bool:
        """Return whether the file of a run keeps a network: the critic only if it ships."""
        return network != "critic" or self.ships_critic


@dataclass(frozen=True, kw_only=True)
class ClassifierRecipe(Recipe):
    """The settings of a classifier, whose features are used to measure samples, and of its training."""

    def model(self, num_classes: int) -> Classifier:
        """Return a new classifier."""
        return Classifier(num_classes)
