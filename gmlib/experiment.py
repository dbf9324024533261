"""An experiment as data: which networks, trained how, for how long."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Generator, nn

from gmlib.data import Batches, mnist
from gmlib.errors import InputError, nearest, require_seed
from gmlib.evaluate.likelihood import mean_elbo
from gmlib.files import write_whole
from gmlib.models.mlp import MLPDecoder, MLPEncoder
from gmlib.models.vae import VAE, BernoulliDecoder
from gmlib.run import Run, versions
from gmlib.train.state import State, load_checkpoint, save_checkpoint
from gmlib.train.vae import fit_vae

PROFILES = {"quick": "mnist5k", "full": "mnist"}  # and the data that each trains on


class Departure(NamedTuple):
    """One place where a recipe does otherwise than the report, and why."""

    what: str
    theirs: str
    ours: str
    why: str


@dataclass(frozen=True, kw_only=True)
class VAERecipe:
    """What a VAE is made of and how it is trained.

    The defaults are neutral and never change; every recipe states the rest. The last four fields describe; they, and the
    length of the quick profile, stand outside comparison and hash.
    """

    hidden: int
    latent_dim: int
    lr: float
    batch_size: int
    epochs: int
    encoder: Callable[..., nn.Module] = MLPEncoder
    decoder: Callable[..., nn.Module] = MLPDecoder
    num_classes: int = 0
    batch_norm: bool = False
    optimiser: Callable[..., torch.optim.Optimizer] = torch.optim.Adam
    decay: bool = False
    quick_epochs: int = field(compare=False)
    name: str = field(default="", compare=False)
    about: str = field(default="", compare=False)
    paper: str = field(default="", compare=False)
    departures: tuple[Departure, ...] = field(default=(), compare=False)

    def settings(self) -> dict[str, Any]:
        """Give all that the recipe is, without what describes it.

        Returns:
            Field to value.
        """
        return {f.name: getattr(self, f.name) for f in fields(self) if f.compare}

    def differences(self) -> dict[str, Any]:
        """Give the settings that differ from the defaults, or have none.

        Returns:
            Field to value, by name where the value is a class.
        """
        defaults = {f.name: f.default for f in fields(self)}
        changed = {name: value for name, value in self.settings().items() if value != defaults[name]}
        return {name: getattr(value, "__name__", value) for name, value in changed.items()}

    @property
    def hash(self) -> str:
        """sha256 of the sorted json of `differences`: a new field with a neutral default changes no hash."""
        return hashlib.sha256(json.dumps(self.differences(), sort_keys=True).encode()).hexdigest()

    def build(self, generator: Generator | None = None) -> dict[str, nn.Module]:
        """Make fresh networks; the global generator stays as it was.

        Args:
            generator: source of the initial weights; without one they are those of seed 0.

        Returns:
            The networks by name: "vae".
        """
        seed = 0 if generator is None else int(torch.randint(2**31, (), generator=generator))
        sizes = {
            "latent_dim": self.latent_dim,
            "num_classes": self.num_classes,
            "hidden": self.hidden,
            "batch_norm": self.batch_norm,
        }
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return {"vae": VAE(self.encoder(**sizes), BernoulliDecoder(self.decoder(**sizes)))}

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
        out: Path | None = None,
        resume: bool = False,
        on_epoch: Callable[[State], None] | None = None,
    ) -> Run:
        """Train the recipe.

        Args:
            profile: "quick" (the embedded digits) or "full" (all of MNIST).
            seed: fixes weights, order, binarisation and latents.
            root: folder of the full data, as for `mnist`.
            device: where to train.
            out: folder for a checkpoint and the history after each epoch; None keeps everything in memory.
            resume: go on from the checkpoint in `out`.
            on_epoch: called after each epoch.

        Returns:
            The trained run, its networks in eval mode.

        Raises:
            InputError: if `out` holds a run already and `resume` is not set.
        """
        epochs, source = self.length(profile), PROFILES[profile]
        require_seed(seed)
        train, validation = (mnist(split, source, root).to(device) for split in ("train", "validation"))
        about = {
            "recipe": self.name,
            "recipe_hash": self.hash,
            "profile": profile,
            "epochs": epochs,
            "seed": seed,
            "data": train.name,
            "device": torch.device(device).type,
        }
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            networks = {name: network.to(device) for name, network in self.build(Generator().manual_seed(seed)).items()}
            optimiser = self.optimiser(networks["vae"].parameters(), lr=self.lr, fused=True)
            batches = Batches(train, self.batch_size, binarised=True, seed=seed)
            state = State(networks, {"vae": optimiser}, batches, Generator(device).manual_seed(seed))

            def keep(state: State) -> None:
                if out is not None:
                    save_checkpoint(out / "checkpoint.safetensors", state, about)
                    write_whole(out / "history.csv", state.history.csv())
                if on_epoch is not None:
                    on_epoch(state)

            if out is not None and resume:
                load_checkpoint(out / "checkpoint.safetensors", state, about)
            elif out is not None:
                if (out / "checkpoint.safetensors").exists():
                    raise InputError(
                        f"{out} holds a run already: add --resume to go on with it, or choose another --out"
                    )
                save_checkpoint(
                    out / "checkpoint.safetensors", state, about
                )  # now, so that a folder that cannot be written to costs no epoch
            fit_vae(state, epochs=epochs, lr=self.lr, decay=self.decay, validation=validation, on_epoch=keep)
        for network in networks.values():
            network.eval()
        about |= {"device": str(device), "seconds": round(state.seconds, 1), "versions": versions()}
        return Run(self, networks, state.history, {}, about)

    def measure(
        self, networks: dict[str, nn.Module], *, full: bool = False, root: Path | str | None = None
    ) -> dict[str, float]:
        """Measure networks on digits that were never used to choose anything.

        Args:
            networks: by name, on the CPU.
            full: also on the 10,000 official test digits, which have to be at hand.
            root: folder of the full data, as for `mnist`.

        Returns:
            "test_elbo", "test_log_px", "kl" and "n" on the official test digits if `full`, and their twins
            `mnist5k_…` on the embedded ones; nats per image.
        """
        metrics: dict[str, float] = {}
        for prefix, source in [("", "mnist")] * full + [("mnist5k_", "mnist5k")]:
            test = mnist("test", source, root)
            found = mean_elbo(cast(VAE, networks["vae"]), test)
            metrics |= {f"{prefix}test_elbo": found["elbo"], f"{prefix}test_log_px": found["log_px"]}
            metrics |= {f"{prefix}kl": found["kl"], f"{prefix}n": len(test)}
        return metrics
