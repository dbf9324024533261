"""What training gives: networks ready to use, how they came to be, and what they were measured at."""

import hashlib
import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors.torch import load, save
from torch import Generator, Tensor, nn

from gmlib.data import ImageDataset
from gmlib.errors import InputError
from gmlib.files import replacing, to_json
from gmlib.mode import eval_mode
from gmlib.models.pixel import PixelDecoder
from gmlib.models.vae import VAE
from gmlib.numbers import whole
from gmlib.parallel import draw
from gmlib.shapes import Image, Labels, Latent, Watch
from gmlib.train.history import History

if TYPE_CHECKING:
    from gmlib.experiment import Recipe


@dataclass
class Run:
    """A trained recipe: networks in eval mode, history, metrics, and the facts that make them citable.

    Args:
        recipe: what was trained.
        networks: by name: "vae", or "generator" and, if it was kept, "critic".
        history: a row an epoch.
        metrics: name to number, each with its unit in its documentation.
        about: recipe's name and hash, profile, seed, data, device, seconds and versions, and of a run on disk the checksum of its
            weights.
    """

    recipe: "Recipe"
    networks: dict[str, nn.Module]
    history: History
    metrics: dict[str, float]
    about: dict[str, Any]

    @property
    def vae(self) -> VAE:
        """The network of a VAE recipe."""
        return cast(VAE, self._network("vae"))

    @property
    def generator(self) -> nn.Module:
        """The generator of a GAN recipe, averaged if the recipe says so."""
        return self._network("generator")

    @property
    def critic(self) -> nn.Module:
        """The critic of a GAN recipe, if the run kept it."""
        if "generator" in self.networks and "critic" not in self.networks:
            raise InputError(
                f"got a run of {self.recipe.name} without its critic, which no sample needs, expected one that kept it: "
                f"train it with recipes.{self.recipe.name.upper()}.fit()"
            )
        return self._network("critic")

    def _network(self, name: str) -> nn.Module:
        """Give a network, or say that this kind of model has none of that name."""
        if name not in self.networks:
            raise InputError(
                f"got a run of {self.recipe.name or 'a recipe'}, which has no {name}, expected one that has: it is made of "
                f"{' and '.join(self.networks)}"
            )
        return self.networks[name]

    @property
    def _drawer(self) -> Any:
        """What turns latents into images: the decoder of a VAE, or a generator."""
        return self.vae.decoder if "vae" in self.networks else self.generator

    @property
    def latent_dim(self) -> int:
        """How many numbers z has."""
        return self._drawer.latent_dim

    @property
    def num_classes(self) -> int:
        """How many labels the model knows, 0 for an unconditional one."""
        return self._drawer.num_classes

    @torch.no_grad()
    def sample(
        self,
        n: int,
        labels: Tensor | Sequence[int] | int | None = None,
        *,
        generator: Generator | None = None,
        mean: bool = False,
    ) -> Image:
        """Draw images from the model.

        Args:
            n: how many.
            labels: int64 `(n,)` for a conditional model, or one label for all images; None for an unconditional model.
            generator: source of randomness, on the networks' device.
            mean: give the probability of ink at each pixel instead of drawing it; of a VAE.

        Returns:
            Images `(n, 1, 28, 28)` in [0, 1]: zeros and ones of a VAE unless `mean`, grey ones of a GAN.

        Raises:
            InputError: if n is below 1, or probabilities are asked of a GAN, which has none.
        """
        if (whole(n) or 0) < 1:
            raise InputError(f"got n = {n} samples, expected 1 or more: ask for at least one")
        if "vae" not in self.networks and mean:
            raise InputError(
                "got mean for a GAN, expected draws: its images are no probabilities, so leave mean (--mean) away"
            )
        device = next(self._drawer.parameters()).device
        if labels is not None:
            given = torch.as_tensor(labels, device=device)
            labels = given.expand(n) if given.ndim == 0 else given
        z = draw(torch.randn, (n, self.latent_dim), generator, device)
        if "vae" not in self.networks or mean:
            return self.decode(z, labels)
        with eval_mode(self.vae):
            return self.vae.decoder.sample(z, labels, generator=generator)

    @torch.no_grad()
    def latents(self, digits: ImageDataset) -> Latent:
        """Encode digits, binarised once.

        Args:
            digits: what to encode, on the networks' device; labels go in if the recipe has classes.

        Returns:
            Means of q(z|x), `(n, latent_dim)`.
        """
        with eval_mode(self.vae):
            return self.vae.encoder(digits.binarised(), digits.require_labels() if self.vae.num_classes else None)[0]

    @torch.no_grad()
    def decode(self, z: Latent, labels: Labels | None = None) -> Image:
        """Turn latents into images: the probability of ink at each pixel, or what a generator makes of them.

        Args:
            z: latents `(n, latent_dim)`.
            labels: int64 `(n,)` for a conditional model, otherwise None.

        Returns:
            Images `(n, 1, 28, 28)` in [0, 1].

        Raises:
            InputError: if there is not one label a latent, or pixels are drawn one after the other.
        """
        if "vae" in self.networks:
            if isinstance(self.vae.decoder, PixelDecoder):
                raise InputError(
                    "got latents to decode, expected draws: a pixel has no probability before those above it are drawn, so use "
                    "sample, without mean (--mean)"
                )
            with eval_mode(self.vae):
                return self.vae.decoder.mean(z, labels)
        if labels is not None and len(labels) != len(z):
            raise InputError(f"got {len(labels)} labels for {len(z)} latents, expected one label a latent")
        parts = z.split(1000)  # the hidden planes of ten thousand images would take gigabytes
        given = [None] * len(parts) if labels is None else labels.split(1000)
        with eval_mode(self.generator):
            return torch.cat([self.generator(part, own) for part, own in zip(parts, given, strict=True)])

    def save(self, folder: Path | str, root: Path | str | None = None, watch: Watch = iter) -> "Run":
        """Write `NAME.safetensors` and `NAME.json`, and measure what was written: the networks that the recipe keeps.

        Floating parameters become float16, buffers stay. The metrics are those of the file as it is read back, and the record
        has its checksum. Both files are written under temporary names and renamed at the end: if anything fails, a run that
        was there before is untouched.

        Args:
            folder: where to.
            root: folder of the full data, for the official metrics of a full run.
            watch: passes on what it is given and may show how far it has come, as tqdm does.

        Returns:
            The run as it is on disk, with its metrics.

        Raises:
            InputError: if a weight is too large for float16, the record has something that JSON cannot hold, the data to
                measure on are missing, or the folder cannot be written to.
        """
        folder = Path(folder)
        weights, record = folder / f"{self.recipe.name}.safetensors", folder / f"{self.recipe.name}.json"
        content = save({key: value.contiguous().cpu() for key, value in self._half().items()})
        about = self.about | {"sha256": hashlib.sha256(content).hexdigest()}
        to_json(
            {**about, "history": self.history.rows}, str(record)
        )  # what JSON cannot hold is refused before the work
        with replacing(weights, record) as files:
            reloaded = Run(
                self.recipe, read_networks(files.write(weights, content), self.recipe), self.history, {}, about
            )
            full = self.about["profile"] == "full"
            reloaded.metrics = self.recipe.measure(reloaded.networks, full=full, root=root, watch=watch)
            sick = [f"{name} = {value}" for name, value in reloaded.metrics.items() if not math.isfinite(value)]
            if sick:
                raise InputError(
                    f"measured {', '.join(sick)}, expected finite numbers: the trained network is of no use; try a lower learning rate"
                )
            whole = {**about, "metrics": reloaded.metrics, "history": self.history.rows}
            files.write(record, to_json(whole, str(record)))
        return reloaded

    def _half(self) -> dict[str, Tensor]:
        """Return the tensors of the networks that the recipe keeps, parameters in float16."""
        half = {}
        for name, network in self.networks.items():
            if name not in self.recipe.kept():
                continue
            parameters = {key for key, _ in network.named_parameters()}
            for key, value in network.state_dict().items():
                half[f"{name}.{key}"] = value.half() if key in parameters else value
                if not half[f"{name}.{key}"].isfinite().all():
                    largest = float(value.abs().max())
                    raise InputError(
                        f"got the tensor {name}.{key} with a value of size {largest:g}, expected finite numbers, of weights up to "
                        "65,504, since they are kept in float16: training has diverged; try a lower learning rate"
                    )
        return half


def read_networks(path: Path, recipe: "Recipe", sha256: str | None = None) -> dict[str, nn.Module]:
    """Build a recipe's networks and fill them from a file of weights.

    Args:
        path: what `Run.save` wrote.
        recipe: whose networks they are.
        sha256: checksum of the file; None takes it as it is.

    Returns:
        The networks that the recipe keeps, by name, float32 on the CPU, in eval mode.

    Raises:
        ValueError: if the file is not the one of that checksum. A damaged one, or one of another recipe, raises what
            safetensors and torch raise.
    """
    content = path.read_bytes()
    if sha256 not in (None, hashlib.sha256(content).hexdigest()):
        raise ValueError("it was changed since its record was written")
    networks = {name: network for name, network in recipe.build().items() if name in recipe.kept()}
    tensors = load(content)
    for name, network in networks.items():
        prefix = f"{name}."
        network.load_state_dict(
            {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        )
        network.eval()
    return networks


def versions() -> dict[str, str]:
    """Say which software a run was made with.

    Returns:
        Versions of gmlib, Python and torch.
    """
    from importlib.metadata import version

    return {"gmlib": version("gmlib"), "python": platform.python_version(), "torch": str(torch.__version__)}
