"""All that a run is between two steps, and how it becomes bytes and comes back, bit for bit."""

import copy
import json
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Generator, Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from gmlib import parallel
from gmlib.errors import DivergedError, InputError, one_line
from gmlib.shapes import Image, Labels, require_whole
from gmlib.training.history import History, Row

FORMAT = 1  # of checkpoints; raised when an older gmlib could not read what a newer one writes
OptimiserClass = Callable[..., Optimizer]  # of the parameters and `lr`: a class of torch.optim, or a partial of one

# what gmlib 1.0 noted at each step, by the first network and how many numbers they are: its checkpoints have no names
NOTED_IN_1_0 = {
    ("vae", 2): ("log_px", "kl"),
    ("vae", 1): ("iwae",),
    ("classifier", 1): ("loss",),
    ("generator", 7): (
        *("critic_loss", "real_score", "fake_score", "real_sigmoid", "fake_sigmoid"),
        *("generator_loss", "generator_steps"),
    ),
}


@runtime_checkable
class Loader(Protocol):
    """Batches of one epoch per iteration: `gmlib.data.Batches`, a `DataLoader`, a list of pairs."""

    def __len__(self) -> int:
        """Return the number of batches per epoch."""

    def __iter__(self) -> Iterator[Any]:
        """Yield images and labels."""


def device_of(network: nn.Module) -> torch.device:
    """Return the device of a network.

    Args:
        network: any.

    Returns:
        The device of its first parameter; the CPU if it has none.
    """
    parameter = next(network.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def on_device_of(network: nn.Module, batches: Loader) -> Iterator[tuple[Image, Labels | None]]:
    """Yield batches on the device of a network, without labels if the network has no classes.

    Args:
        network: with `num_classes`, if it takes labels only where that is above 0; without, it gets them.
        batches: pairs of images and labels, of which those already on the device are passed on as they are.

    Yields:
        Images `(b, c, h, w)`, and labels `(b,)` or None.
    """
    device, labelled = device_of(network), getattr(network, "num_classes", 1) != 0
    for x, y in batches:
        if labelled and y is None:
            raise InputError("got images without labels for a network that needs them, expected one label per image")
        yield x.to(device), y.to(device) if labelled else None


class DamagedError(InputError):
    """A checkpoint is not what was written."""


class StopTraining(Exception):  # noqa: N818 it is no error
    """Raised by `on_step` or `on_epoch`: the run ends there, with what it has learnt so far."""


class State:
    """Networks, optimisers, averages, place in the data, random generators, epoch, step and history of one run."""

    def __init__(
        self,
        networks: dict[str, nn.Module],
        optimisers: dict[str, Optimizer],
        batches: Loader,
        generator: Generator | None = None,
        *,
        averaged: str | None = None,
        ema: float = 0.0,
    ) -> None:
        """Gather what a run starts with.

        Args:
            networks: by name, such as "vae".
            optimisers: by name of the network that they train.
            batches: the training data, with its place in the epoch if it has a `state_dict`.
            generator: source of the latents' randomness, on the networks' device; None seeds one from torch's global
                generator.
            averaged: name of the network whose weights are averaged along training.
            ema: how much of the average stays at each step, below 1; less in the first steps; 0 keeps no average.

        Raises:
            InputError: if there is no batch.
        """
        if not hasattr(batches, "__len__"):
            raise InputError(
                f"got batches of type {type(batches).__name__} without a length, expected Batches or a DataLoader"
            )
        require_whole(1, batches=len(batches))
        self.networks = networks
        self.optimisers = optimisers
        self.batches: Any = batches
        self.generator = parallel.batch_generator(generator, lambda: device_of(next(iter(networks.values()))))
        for each in optimisers.values():
            parallel.share_gradients(each)
        self.averaged = averaged if ema else None
        self.ema = ema
        self.averages = {
            name: copy.deepcopy(networks[name]).requires_grad_(False) for name in (averaged,) if name and ema
        }
        self.history = History()
        self.epoch = 0
        self.step = 0
        self.averagings = 0  # times that the averages moved
        self.rounds = 0  # of a game, each of critic steps and then generator steps
        self.since = 0  # critic steps in the round that is under way
        self.seconds = 0.0  # spent in training, up to the last `tick`
        self.totals: Tensor | None = None  # sums over the steps of this epoch, for its row
        self.names: tuple[str, ...] = ()  # of these sums
        self.started = time.perf_counter()
        self.dropout: Generator | None = None  # source of dropout's randomness; None for torch's global generator

    def result(self) -> dict[str, nn.Module]:
        """Return the networks as they are now.

        Returns:
            The networks by name, the averaged one where there is an average.
        """
        return {**self.networks, **self.averages}

    def average(self) -> None:
        r"""Move the averages a step towards the networks; nothing is done where none is kept.

        $$\bar\theta \leftarrow \beta_t \bar\theta + (1 - \beta_t) \theta, \qquad \beta_t = \min\big(\beta, \tfrac{1 + t}{10 + t}\big)$$

        The memory is short at first, so that the average soon forgets the weights that the run began with.

        Source: Polyak & Juditsky 1992; with exponential weights, as is usual today. The rule for the first steps t is that
        of TensorFlow's `ExponentialMovingAverage`.
        """
        beta = min(self.ema, (1 + self.averagings) / (10 + self.averagings))
        self.averagings += 1
        for name, average in self.averages.items():
            network = self.networks[name]
            get_ema_multi_avg_fn(beta)(list(average.parameters()), list(network.parameters()), None)
            for ours, theirs in zip(average.buffers(), network.buffers(), strict=True):
                ours.copy_(theirs)

    def set_rates(self, rates: dict[str, float]) -> None:
        """Set the learning rates of the next step.

        Args:
            rates: by name of the network.
        """
        for name, rate in rates.items():
            for group in self.optimisers[name].param_groups:
                group["lr"] = rate

    def note(self, numbers: Tensor, names: tuple[str, ...]) -> None:
        """Add numbers of a step to the sums of its epoch; the CPU does not wait for the GPU.

        Args:
            numbers: of one step, one per name, `(n,)`; of several processes, means over the rows of this one.
            names: the same at each step.
        """
        numbers, self.names = parallel.average(numbers.detach()), names
        self.totals = numbers.clone() if self.totals is None else self.totals + numbers

    def noted(self) -> dict[str, float]:
        """Return the sums of the epoch and begin those of the next: the only synchronisation of an epoch.

        Returns:
            By the names of `note`.
        """
        totals, self.totals = self.totals, None
        return {} if totals is None else dict(zip(self.names, totals.tolist(), strict=True))

    def end_epoch(self, row: Row) -> None:
        """Write the row of an epoch, and begin the next.

        Args:
            row: its numbers.

        Raises:
            DivergedError: if one of them is infinite or none.
        """
        self.history.add(row)
        self.epoch += 1
        self.tick()

    def tick(self) -> float:
        """Add the time since the last tick, or since the start, to the seconds spent in training.

        Returns:
            All seconds so far.
        """
        now = time.perf_counter()
        self.seconds, self.started = self.seconds + now - self.started, now
        return self.seconds

    def state_dict(self) -> dict[str, Any]:
        """Give everything, as a tree of dicts and lists with tensors and plain numbers as leaves.

        Returns:
            What `load_state_dict` takes.

        Raises:
            InputError: if the batches have no `state_dict`.
        """
        if not hasattr(self.batches, "state_dict"):
            raise InputError(
                f"got batches of type {type(self.batches).__name__}, which cannot save their place in the epoch, for a "
                "checkpoint, expected gmlib.data.Batches or a loader with state_dict and load_state_dict"
            )
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "batches": self.batches.state_dict(),
            "averages": {name: network.state_dict() for name, network in self.averages.items()},
            "generator": self.generator.get_state(),
            "global_generator": self._dropout_state(),  # the name dates from when dropout drew from it in every run
            "history": [dict(row) for row in self.history.rows],
            "epoch": self.epoch,
            "step": self.step,
            "averagings": self.averagings,
            "rounds": self.rounds,
            "since": self.since,
            "seconds": self.tick(),
            "totals": self.totals,
            "names": list(self.names),
        }

    def _dropout_state(self) -> Tensor:
        """Return the state of the generator that dropout draws from."""
        if self.dropout is None:
            return _global_generator(self.generator.device).get_rng_state()
        return self.dropout.get_state()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Become the run that gave this state.

        Args:
            state: what `state_dict` gave.
        """
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
            # fused optimisers go through memory in order, so moments must lie there as their weights do
            for parameter, moments in optimiser.state.items():
                for key, moment in moments.items():
                    if isinstance(moment, Tensor) and moment.shape == parameter.shape:
                        moments[key] = torch.empty_like(parameter, requires_grad=False).copy_(moment)
        for name, average in self.averages.items():
            average.load_state_dict(state["averages"][name])
        self.batches.load_state_dict(state["batches"])
        self.generator.set_state(state["generator"])
        if self.dropout is None:
            _global_generator(self.generator.device).set_rng_state(state["global_generator"])
        else:
            self.dropout.set_state(state["global_generator"])
        self.totals = None if state["totals"] is None else state["totals"].to(self.generator.device)
        self.names = tuple(state.get("names", ()))
        if self.totals is not None and not self.names:
            self.names = NOTED_IN_1_0[next(iter(self.networks)), len(self.totals)]
        self.history = History(state["history"])
        self.epoch, self.step, self.seconds = state["epoch"], state["step"], state["seconds"]
        # checkpoints from before there were games have no such counts
        self.averagings, self.rounds, self.since = (state.get(key, 0) for key in ("averagings", "rounds", "since"))
        self.started = time.perf_counter()


def pack(state: State, about: dict[str, Any]) -> bytes:
    """Turn a state into a safetensors file: tensors as tensors, the rest as json in its header. No pickle.

    Args:
        state: the run.
        about: what the run is of (recipe, seed, data, device), to be compared when it goes on.

    Returns:
        The file's content, with a checksum over all of it in the header.

    Raises:
        DivergedError: if a number of the run is not finite, for nothing good comes of such a checkpoint.
    """
    tensors: dict[str, Tensor] = {}
    tree = _split(state.state_dict(), "", tensors)
    sick = [name for name, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if sick:
        raise DivergedError(f"{sick[0].strip('/')} is not finite in epoch {state.epoch + 1}, step {state.step}")
    tensors = {name: tensor.detach().cpu() for name, tensor in tensors.items()}
    metadata = {"format": str(FORMAT), "state": json.dumps(tree), "about": json.dumps(about)}
    return save(tensors, metadata={**metadata, "crc32": str(_checksum(metadata, tensors))})


def unpack(content: bytes, state: State, about: dict[str, Any]) -> None:
    """Bring a run back to where its checkpoint was written.

    Args:
        content: what `pack` gave.
        state: a fresh state of the same recipe; it becomes the saved one.
        about: what the run is of, as for `pack`.

    Raises:
        DamagedError: if the content is not what `pack` gave.
        InputError: if it is of a newer gmlib, or of another recipe, seed, data or device.
    """
    try:
        tensors = load(content)
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        found, expected = metadata.pop("crc32"), str(_checksum(metadata, tensors))
        saved, tree, version = json.loads(metadata["about"]), json.loads(metadata["state"]), int(metadata["format"])
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(f"it cannot be read ({one_line(error)})") from error
    if found != expected:
        raise DamagedError(f"its checksum is {expected}, it was written with {found}")
    if version > FORMAT:
        raise InputError(
            f"it was written by a newer gmlib (format {version}, this one reads up to {FORMAT}): update gmlib to go on with it"
        )
    for key, value in about.items():
        if saved.get(key, value) != value:
            advice = "resume with what it was started with, or choose another --out"
            if key == "epochs":
                advice += "; a run cannot be made longer, since its schedules depend on its length: train anew for that"
            raise InputError(f"it is of {key} {saved[key]!r}, this run is of {value!r}: {advice}")
    state.load_state_dict(_join(tree, tensors))


def _checksum(metadata: dict[str, str], tensors: dict[str, Tensor]) -> int:
    """CRC-32 of everything, in a fixed order."""
    total = zlib.crc32(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        data: Any = tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy()
        total = zlib.crc32(data, zlib.crc32(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode(), total))
    return total


def _global_generator(device: torch.device) -> Any:
    """Give the module that holds a device's global generator: torch, torch.cuda or torch.mps."""
    return torch if device.type == "cpu" else torch.get_device_module(device)


def _split(tree: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """Move the tensors of a tree into a flat dict, and leave each one's name in its place."""
    if isinstance(tree, Tensor):
        tensors[path] = tree.contiguous()
        return {"tensor": path}
    if isinstance(tree, dict):
        return {"items": [[key, _split(value, f"{path}/{key}", tensors)] for key, value in tree.items()]}
    if isinstance(tree, list | tuple):
        return {"list": [_split(value, f"{path}/{i}", tensors) for i, value in enumerate(tree)]}
    return {"value": tree}


def _join(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """Undo `_split`."""
    if "tensor" in tree:
        return tensors[tree["tensor"]]
    if "items" in tree:
        return {key: _join(value, tensors) for key, value in tree["items"]}
    if "list" in tree:
        return [_join(value, tensors) for value in tree["list"]]
    return tree["value"]
