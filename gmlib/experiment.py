"""An experiment as data: which networks, trained how, for how long."""

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NamedTuple, cast, get_args, get_origin

import numpy as np
import torch
from torch import Generator, Tensor, nn

from gmlib import parallel
from gmlib.data import SPLITS, Batches, ImageDataset, join_channels, mnist
from gmlib.device import choose_device
from gmlib.errors import InputError, nearest
from gmlib.evaluate.classifier import Classifier, fit_classifier, shipped_classifier
from gmlib.evaluate.conditional import label_accuracy
from gmlib.evaluate.likelihood import log_likelihood, log_likelihood_by_label, mean_elbo, sum_out_labels
from gmlib.evaluate.samples import measure_samples
from gmlib.evaluate.stacks import STACKS, count_modes
from gmlib.identity import digest
from gmlib.isolated import Isolated, may_draw
from gmlib.models.causal import CausalNetwork
from gmlib.models.mlp import MLPCritic, MLPDecoder, MLPEncoder, MLPGenerator
from gmlib.models.pixel import NoLatent, PixelDecoder
from gmlib.models.vae import VAE, BernoulliDecoder
from gmlib.numbers import count_of, plain_number, whole
from gmlib.objectives.adversarial import NON_SATURATING, Adversarial
from gmlib.run import Run, versions
from gmlib.seeds import require_seed, stream, substream
from gmlib.shapes import Watch, require_gradients
from gmlib.train.folder import Folder, train_in
from gmlib.train.gan import fit_gan
from gmlib.train.history import History
from gmlib.train.state import State
from gmlib.train.vae import fit_vae

PROFILES = {"quick": "mnist5k", "full": "mnist"}  # and the data that each trains on
PRECISIONS = ("float32", "bfloat16")
IWAE_SAMPLES = 1000  # draws of z an image, where log p(x) is estimated


class Departure(NamedTuple):
    """One place where a recipe does otherwise than the report, and why."""

    what: str
    theirs: str
    ours: str
    why: str


def plain(value: Any) -> Any:
    """Give a setting as json can hold it.

    Args:
        value: of a field.

    Returns:
        The name of a class or a function; of a `partial` that name to its arguments; of a dataclass, its fields that
        differ from their defaults; all else as it is.
    """
    if isinstance(value, partial):
        given = dict(enumerate(value.args)) | value.keywords
        return {plain(value.func): {str(name): plain(part) for name, part in given.items()}}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(part) for name, part in _changed(value).items()}
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
        InputError: if it is an array, or no number where the field takes numbers, or one that is too small, too large or
            not finite.
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
        return count_of(name, value, 0 if name in ("latent_dim", "num_classes", "finer_samples") else 1)
    return value


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """What is trained and how: the part that every kind of model shares.

    The defaults are neutral and never change; every recipe states the rest. The last five fields describe; they, the
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
    departures: tuple[Departure, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        """Take every setting as Python's numbers."""
        for f in fields(self):
            if f.name not in ("parent", "departures"):
                object.__setattr__(self, f.name, as_setting(f.name, getattr(self, f.name), f.type))

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """Make fresh networks; `build` draws their weights from a generator of its own.

        Returns:
            Networks by name.
        """

    def kept(self) -> set[str]:
        """Say which networks a finished run keeps: those that a reader needs.

        Returns:
            Their names; here of all.
        """
        return set(self.build())

    @abstractmethod
    def start(self, networks: dict[str, nn.Module], train: ImageDataset, seed: int) -> State:
        """Put together what a run starts with.

        Args:
            networks: fresh, on the device of the digits.
            train: digits to train on.
            seed: of the run.

        Returns:
            The state before the first step.
        """

    def start_with(
        self,
        networks: dict[str, nn.Module],
        train: ImageDataset,
        seed: int,
        *,
        averaged: str,
        noise: str,
        binarised: bool,
        stack: int = 1,
        **options: Any,
    ) -> State:
        """Put a run together: each network gets an optimiser of its own.

        Args:
            networks: fresh, on the device of the digits.
            train: digits to train on.
            seed: of the run.
            averaged: name of the network whose weights are averaged, if the recipe keeps an average.
            noise: name of the stream of random numbers that the loop draws from.
            binarised: whether digits are binarised afresh at each step, or stay grey.
            stack: digits an image, one a channel.
            **options: for the optimisers, beside the learning rate.

        Returns:
            The state before the first step.
        """
        if "fused" in inspect.signature(self.optimiser).parameters:  # RMSprop has no such form
            options["fused"] = True
        optimisers = {
            name: self.optimiser(network.parameters(), lr=self.lr, **options) for name, network in networks.items()
        }
        batches = Batches(train, self.batch_size, binarised=binarised, stack=stack, seed=seed)
        generator = parallel.BatchGenerator(train.images.device)
        generator.manual_seed(substream(seed, noise))
        return State(networks, optimisers, batches, generator, averaged=averaged, ema=self.ema)

    @abstractmethod
    def loop(self) -> Callable[..., History]:
        """Give the loop that trains this kind of model, with what this recipe says about it.

        Returns:
            A function of the state and of `epochs`, `bfloat16`, `validation`, `on_step` and `on_epoch`.
        """

    def measure(
        self,
        networks: dict[str, nn.Module],
        *,
        full: bool = False,
        root: Path | str | None = None,
        watch: Watch = iter,
    ) -> dict[str, float]:
        """Measure networks on test digits.

        Args:
            networks: by name, on the CPU.
            full: also on the 10,000 official test digits, which have to be at hand.
            root: folder of the full data, as for `mnist`.
            watch: passes on what it is given and may show how far it has come, as tqdm does.

        Returns:
            Name to number: what `measure_on` finds on the official test digits if `full`, and as `mnist5k_…` on the
            embedded ones, with "n", how many they are.
        """
        metrics: dict[str, float] = {}
        for prefix, source in [("", "mnist")] * full + [("mnist5k_", "mnist5k")]:
            test, train = (mnist(split, source, root) for split in ("test", "train"))
            found = {"n": len(test)} | self.measure_on(test, train, networks, watch)
            metrics |= {f"{prefix}{name}": value for name, value in found.items()}
        return metrics

    @abstractmethod
    def measure_on(
        self, test: ImageDataset, train: ImageDataset, networks: dict[str, nn.Module], watch: Watch
    ) -> dict[str, float]:
        """Measure networks on one set of digits.

        Args:
            test: digits to measure on.
            train: digits of the same source, for floors and frequencies.
            networks: by name, on the CPU.
            watch: passes on what it is given and may show how far it has come, as tqdm does.

        Returns:
            Name to number.
        """

    def settings(self) -> dict[str, Any]:
        """Give all that the recipe is, without what describes it.

        Returns:
            Field to value.
        """
        return {f.name: getattr(self, f.name) for f in fields(self) if f.compare}

    def differences(self) -> dict[str, Any]:
        """Give the settings that differ from the defaults, or have none.

        Returns:
            Field to value, as `plain` gives it.
        """
        return {name: plain(value) for name, value in _changed(self).items() if name in self.settings()}

    @property
    def hash(self) -> str:
        """Hash of the settings, from explicit ids: see `gmlib.identity`."""
        return digest(self)

    def build(self, generator: Generator | None = None) -> dict[str, nn.Module]:
        """Make fresh networks.

        Args:
            generator: source of the initial weights; without one they are those of seed 0.

        Returns:
            The networks by name, such as "vae".
        """
        seed = 0 if generator is None else int(torch.randint(2**31, (), generator=generator, device=generator.device))
        with Isolated(Generator().manual_seed(seed)):
            return self.networks()

    def length(self, profile: str) -> int:
        """Say how long a profile trains.

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

    def fit(
        self,
        profile: str = "quick",
        seed: int = 0,
        *,
        root: Path | str | None = None,
        device: torch.device | str = "cpu",
        precision: str | None = None,
        out: Path | str | None = None,
        resume: bool = False,
        on_step: Callable[[State], None] | None = None,
        on_epoch: Callable[[State], None] | None = None,
    ) -> Run:
        """Train the recipe.

        Args:
            profile: "quick" (the embedded digits) or "full" (all of MNIST).
            seed: fixes weights, order, binarisation and latents.
            root: folder of the full data, as for `mnist`.
            device: where to train: "cpu", "cuda", "mps", or "auto" for a GPU if there is one.
            precision: "float32" or "bfloat16", in which the networks compute; None takes the recipe's.
            out: folder for checkpoints and history; None keeps everything in memory.
            resume: go on from the newest checkpoint in `out`, if there is one.
            on_step: called after each step; it may raise `StopTraining`, and then the run ends there.
            on_epoch: called after each epoch; it may raise the same.

        Returns:
            The trained run, its networks in eval mode.

        Raises:
            InputError: if `out` holds a run already and `resume` is not set, or holds another run or files that this one would
                replace; if there is no such device, or gradients are off.
            DivergedError: if the run leaves the finite numbers.
        """
        require_gradients()
        epochs, source, precision = self.length(profile), PROFILES[profile], precision or self.precision
        seed = require_seed(seed)
        if precision not in PRECISIONS:
            raise InputError(f"got precision {precision!r}, expected {' or '.join(PRECISIONS)}")
        device = parallel.init(choose_device(device))
        train, validation = (mnist(split, source, root).to(device) for split in ("train", "validation"))
        about = {
            "recipe": self.name,
            "recipe_hash": self.hash,
            "profile": profile,
            "epochs": epochs,
            "seed": seed,
            "data": train.name,
            "device": device.type,
            "precision": precision,
        }
        loop: Callable[..., object] = partial(
            self.loop(), epochs=epochs, bfloat16=precision == "bfloat16", validation=validation
        )
        networks = self.build(stream(seed, "weights"))
        shared = {name: parallel.sync_batch_norm(network.to(device)) for name, network in networks.items()}
        state = self.start(shared, train, seed)
        state.dropout = stream(seed, "dropout", device)
        if self._may_draw(shared):
            loop = Isolated(state.dropout).around(loop)
        folder = None if out is None else Folder(Path(out), about)
        train_in(folder, state, loop, resume=resume, on_step=on_step, on_epoch=on_epoch)
        # an average takes no gradients in training; as part of a run it is a network like any other
        networks = {name: network.eval().requires_grad_() for name, network in state.result().items()}
        about |= {"epochs": state.epoch, "device": str(device), "processes": parallel.world_size()}
        about |= {"seconds": round(state.seconds, 1), "versions": versions()}
        return Run(self, networks, state.history, {}, about)

    def _may_draw(self, networks: dict[str, nn.Module]) -> bool:
        """Return whether a step may draw numbers beside those of the loop, by dropout or by what a caller wrote; to isolate it costs time."""
        game = vars(self).get("objective")
        parts = [type(self), *(vars(game).values() if is_dataclass(game) else ())]
        own = all(getattr(part, "__module__", "gmlib").startswith("gmlib") for part in parts)
        return not own or any(map(may_draw, networks.values()))


def require_measurable(recipe: Recipe, profile: str, root: Path | str | None = None) -> None:
    """Read what a run and the measuring at its end need, so that damaged files are noticed before training.

    Args:
        recipe: to be trained.
        profile: "quick" or "full".
        root: folder of the full data, as for `mnist`.

    Raises:
        InputError: if the data or the shipped classifier are missing or damaged.
    """
    for split in SPLITS:
        mnist(split, PROFILES[profile], root)
    if not isinstance(recipe, ClassifierRecipe):
        shipped_classifier()


@dataclass(frozen=True, kw_only=True)
class VAERecipe(Recipe):
    """What a VAE is made of and how it is trained.

    `pixels` makes a network of the decoder in which pixels hear of each other, and takes the place of `decoder`; with `plane`
    they look at a plane that it makes of z, else their biases hear of z. Without latents there is no encoder either. Of
    training, `beta`, `kl_warmup` and `free_nats` are as in `fit_vae`. What is measured changes no training, hence no hash:
    `likelihood_samples` says of how many draws log p(x) is estimated, and `finer_samples` asks for a second estimate of so
    many; where that takes too long for all digits, `finer_digits` of them say how much it gains, with a standard error.
    """

    hidden: int | tuple[int, ...]
    latent_dim: int
    samples: int = 1
    encoder: Callable[..., nn.Module] = MLPEncoder
    decoder: Callable[..., nn.Module] = MLPDecoder
    pixels: Callable[[int, int], CausalNetwork] | None = None
    plane: Callable[..., nn.Module] | None = None
    num_classes: int = 0
    batch_norm: bool = False
    beta: float = 1.0
    kl_warmup: float = 0.0
    free_nats: float = 0.0
    likelihood_samples: int | None = field(default=None, compare=False)
    finer_samples: int = field(default=0, compare=False)
    finer_digits: int | None = field(default=None, compare=False)

    def networks(self) -> dict[str, nn.Module]:
        """Make a fresh VAE.

        Returns:
            The network, named "vae".
        """
        sizes = {
            "latent_dim": self.latent_dim,
            "num_classes": self.num_classes,
            "hidden": self.hidden,
            "batch_norm": self.batch_norm,
        }
        encoder = self.encoder(**sizes) if self.latent_dim else NoLatent()
        if self.pixels:
            plane = self.plane(**sizes) if self.plane else None
            return {"vae": VAE(encoder, PixelDecoder(self.latent_dim, self.num_classes, self.pixels, plane))}
        return {"vae": VAE(encoder, BernoulliDecoder(self.decoder(**sizes)))}

    def start(self, networks: dict[str, nn.Module], train: ImageDataset, seed: int) -> State:
        """Put together what a run starts with: digits are binarised afresh at each step.

        Args:
            networks: "vae", on the device of the digits.
            train: digits to train on.
            seed: of the run.

        Returns:
            The state before the first step.
        """
        return self.start_with(networks, train, seed, averaged="vae", noise="latents", binarised=True)

    def loop(self) -> Callable[..., History]:
        """Give `fit_vae` with this recipe's learning rate.

        Returns:
            A function of the state and of `epochs`, `bfloat16`, `validation`, `on_step` and `on_epoch`.
        """
        names = ("lr", "decay", "samples", "beta", "kl_warmup", "free_nats")
        return partial(fit_vae, **{name: getattr(self, name) for name in names})

    def measure_on(
        self, test: ImageDataset, train: ImageDataset, networks: dict[str, nn.Module], watch: Watch
    ) -> dict[str, float]:
        """Measure a VAE: the likelihood of test digits, and how near to them its samples are.

        Args:
            test: digits to measure on.
            train: digits of the same source, for floors and frequencies.
            networks: "vae", on the CPU.
            watch: passes on what it is given and may show how far it has come, as tqdm does.

        Returns:
            "test_elbo", "test_log_px", "kl" and "test_log_likelihood" (of log p(x), importance-weighted, of
            "log_likelihood_samples" draws) in nats per image, "test_log_likelihood_5000" or the like where the recipe
            asks for a finer estimate, and what `measure_drawn` finds: of draws against binarised digits, and as
            "mean_…" of probabilities against grey ones. The ELBO of a conditional model bounds log p(x|y);
            "test_log_likelihood_given_label" estimates that, "test_log_likelihood" sums the labels out, and
            "bayes_accuracy" is the share of digits whose own label makes them likeliest.
        """
        run, vae = Run(self, networks, History(), {}, {}), cast(VAE, networks["vae"])
        elbo = mean_elbo(vae, test)
        found = {"test_elbo": elbo["elbo"], "test_log_px": elbo["log_px"], "kl": elbo["kl"]}
        found |= self._measure_likelihood(vae, test, watch)
        found |= measure_drawn(run, test, train, binarised=True)
        if self.pixels:  # they have no probabilities before others are drawn
            return found
        grey = measure_drawn(run, test, train, mean=True)
        return found | {f"mean_{name}": value for name, value in grey.items()}

    def _measure_likelihood(self, vae: VAE, test: ImageDataset, watch: Watch) -> dict[str, float]:
        """Estimate log p(x), and log p(x|y) if there are labels."""
        x, draws = test.binarised(), self.likelihood_samples or IWAE_SAMPLES
        found: dict[str, float] = {"log_likelihood_samples": draws}
        if vae.num_classes:
            by_label = log_likelihood_by_label(vae, x, draws, watch=watch).double()
            nats = sum_out_labels(by_label)
            found["test_log_likelihood_given_label"] = _mean(by_label[test.require_labels(), torch.arange(len(x))])
            found["bayes_accuracy"] = _mean(by_label.argmax(0) == test.require_labels())
        else:
            nats = log_likelihood(vae, x, samples=draws, watch=watch)
        found["test_log_likelihood"] = _mean(nats)
        if self.finer_samples:
            # a gain varies far less from digit to digit than log p(x) does, so that few digits tell it
            some = torch.randperm(len(x), generator=stream(0, "finer digits"))[: self.finer_digits].sort().values
            finer = log_likelihood(vae, x[some], samples=self.finer_samples, watch=watch)
            gains = finer.double() - nats[some].double()
            name = f"test_log_likelihood_{self.finer_samples}"
            found[name] = round((nats.double().mean() + gains.mean()).item(), 4)
            if len(some) < len(x):
                found[f"{name}_error"] = round((gains.std() / len(some) ** 0.5).item(), 4)
        return found


def measure_drawn(
    run: Run, test: ImageDataset, train: ImageDataset, *, mean: bool = False, binarised: bool = False
) -> dict[str, float]:
    """Draw as many samples as there are test digits, labels as often as in training, and measure them.

    Args:
        run: what to draw from.
        test: digits that the samples should resemble.
        train: digits from which as many are drawn for the floor.
        mean: whether probabilities are measured in place of draws.
        binarised: whether samples are compared with binarised digits, or with grey ones.

    Returns:
        What `measure_samples` finds.

    Raises:
        InputError: if there are fewer training digits than test digits.
    """
    n, frequencies = len(test), train.require_labels().bincount(minlength=10).float() / len(train)
    if len(train) < n:
        raise InputError(
            f"got {n} test digits and {len(train)} training digits, expected at least as many of these: the floor is taken of {n}"
        )
    floor = train[torch.randperm(len(train), generator=stream(0, "floor"))[:n]]
    labels = frequencies.multinomial(n, replacement=True, generator=stream(0, "labels"))
    given: dict[str, Any] = {"labels": labels, "floor_labels": floor.labels} if run.num_classes else {}
    samples = run.sample(n, given.get("labels"), generator=stream(0, "samples"), mean=mean)
    real, others = (digits.binarised() if binarised else digits.grey() for digits in (test, floor))
    return measure_samples(samples, real, others, frequencies, **given)


def _mean(values: Tensor) -> float:
    return round(values.double().mean().item(), 4)


@dataclass(frozen=True, kw_only=True)
class GANRecipe(Recipe):
    """What a GAN is made of and how the game is played; `num_classes` makes both networks conditional.

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
    num_classes: int = 0
    batch_norm: bool = False
    critic_batch_norm: bool = False
    dropout: float = 0.0
    n_critic: int = 1
    n_generator: int = 1
    warmup: bool = False
    stack: int = 1
    pack: int = 1
    ships_critic: bool = field(default=True, compare=False)

    def networks(self) -> dict[str, nn.Module]:
        """Make both networks afresh.

        Returns:
            "generator" and "critic".

        Raises:
            InputError: if stacks of digits are to have a label.
        """
        if self.stack > 1 and self.num_classes:
            raise InputError(
                f"got stacks of {self.stack} digits and {self.num_classes} classes, expected one or the other: a stack has no one label"
            )
        return {
            "generator": self.generator(
                self.latent_dim, self.num_classes, batch_norm=self.batch_norm, channels=self.stack
            ),
            "critic": self.critic(
                self.num_classes,
                batch_norm=self.critic_batch_norm,
                dropout=self.dropout,
                channels=self.stack * self.pack,
            ),
        }

    def kept(self) -> set[str]:
        """Say which networks a finished run keeps.

        Returns:
            The generator, and the critic if it ships.
        """
        return {"generator", "critic"} if self.ships_critic else {"generator"}

    def start(self, networks: dict[str, nn.Module], train: ImageDataset, seed: int) -> State:
        """Put together what a run starts with: digits stay grey, and each network has its optimiser.

        Convolutions of many channels run faster with the channels of a pixel side by side in memory.

        Args:
            networks: "generator" and "critic", on the device of the digits.
            train: digits to train on.
            seed: of the run.

        Returns:
            The state before the first step.
        """
        networks = {name: network.to(memory_format=torch.channels_last) for name, network in networks.items()}
        options = {} if self.betas is None else {"betas": self.betas}
        return self.start_with(
            networks, train, seed, averaged="generator", noise="noise", binarised=False, stack=self.stack, **options
        )

    def loop(self) -> Callable[..., History]:
        """Give `fit_gan` with this recipe's game.

        Returns:
            A function of the state and of `epochs`, `bfloat16`, `validation`, `on_step` and `on_epoch`.
        """
        names = ("lr", "critic_lr", "decay", "objective", "n_critic", "n_generator", "warmup", "pack")
        return partial(fit_gan, **{name: getattr(self, name) for name in names})

    def measure_on(
        self, test: ImageDataset, train: ImageDataset, networks: dict[str, nn.Module], watch: Watch
    ) -> dict[str, float]:
        """Measure how near to test digits a generator's samples are, grey ones to grey ones; of stacks, count the modes.

        Args:
            test: digits to measure on.
            train: digits of the same source, for floors and frequencies.
            networks: "generator", on the CPU.
            watch: passes on what it is given and may show how far it has come, as tqdm does.

        Returns:
            What `measure_drawn` finds; of stacks, what `count_modes` does, and as "…_floor" the same of stacked test
            digits.
        """
        run = Run(self, networks, History(), {}, {})
        if self.stack == 1:
            return measure_drawn(run, test, train)
        chosen = torch.randint(len(test), (STACKS * self.stack,), generator=stream(0, "floor"))
        floor = count_modes(join_channels(test[chosen].grey(), self.stack))
        found = count_modes(run.sample(STACKS, generator=stream(0, "samples")))
        return {"stacks": STACKS} | found | {f"{name}_floor": value for name, value in floor.items()}


@dataclass(frozen=True, kw_only=True)
class ClassifierRecipe(Recipe):
    """How the digit classifier is trained, in whose features samples are measured. It generates nothing."""

    def networks(self) -> dict[str, nn.Module]:
        """Make a fresh classifier.

        Returns:
            The network, named "classifier".
        """
        return {"classifier": Classifier()}

    def start(self, networks: dict[str, nn.Module], train: ImageDataset, seed: int) -> State:
        """Put together what a run starts with.

        Args:
            networks: "classifier", on the device of the digits.
            train: digits to train on.
            seed: of the run.

        Returns:
            The state before the first step.
        """
        return self.start_with(networks, train, seed, averaged="classifier", noise="distortions", binarised=False)

    def loop(self) -> Callable[..., History]:
        """Give `fit_classifier` with this recipe's learning rate.

        Returns:
            A function of the state and of `epochs`, `bfloat16`, `validation`, `on_step` and `on_epoch`.
        """
        return partial(fit_classifier, lr=self.lr)

    def measure_on(
        self, test: ImageDataset, train: ImageDataset, networks: dict[str, nn.Module], watch: Watch
    ) -> dict[str, float]:
        """Measure how many digits are recognised, grey and binarised.

        Args:
            test: digits to measure on.
            train: digits of the same source, for floors and frequencies.
            networks: "classifier", on the CPU.
            watch: passes on what it is given and may show how far it has come, as tqdm does.

        Returns:
            "test_accuracy" and "test_accuracy_binarised", from 0 to 1.
        """
        classifier = cast(Classifier, networks["classifier"])
        return {
            "test_accuracy": label_accuracy(test.grey(), test.require_labels(), classifier),
            "test_accuracy_binarised": label_accuracy(test.binarised(), test.require_labels(), classifier),
        }
