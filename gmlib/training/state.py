"""Everything that a run is between two steps, and its way into a checkpoint and back, bit for bit."""

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
from gmlib.training.history import History, Row, require_finite

OptimiserClass = Callable[..., Optimizer]  # of the parameters and `lr`: a class of torch.optim, or a partial of one


@runtime_checkable
class Loader(Protocol):
    """Batches of one epoch per iteration: `gmlib.data.Batches`, a `DataLoader`, a list of pairs."""

    def __len__(self) -> int:
        """Return the number of batches per epoch."""

    def __iter__(self) -> Iterator[Any]:
        """Yield images and labels."""


class DamagedError(InputError):
    """A checkpoint differs from what was written."""


class StopTraining(Exception):  # noqa: N818 it is no error
    """Raised by `on_step` or `on_epoch` to end the run there, with the networks as they are."""


def device_of(network: nn.Module) -> torch.device:
    """Return the device of a network's first parameter; the CPU if it has none."""
    parameter = next(network.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def on_device_of(network: nn.Module, batches: Loader) -> Iterator[tuple[Image, Labels | None]]:
    """Yield batches on the device of a network, without labels if its `num_classes` is 0."""
    device, labelled = device_of(network), getattr(network, "num_classes", 1) != 0
    for x, y in batches:
        if labelled and y is None:
            raise InputError("got images without labels for a network that needs them, expected one label per image")
        yield x.to(device), y.to(device) if labelled else None


class State:
    """Networks, optimisers, averages, position in the data, random generators, epoch, step and history of one run."""

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
        """Collect what a run starts with.

        Args:
            networks: by name, such as "vae".
            optimisers: by the name of the network that they train.
            batches: the training data; a checkpoint also needs its `state_dict`, the position in the epoch.
            generator: source of the latents' randomness, on the networks' device; None seeds one from torch's global
                generator.
            averaged: name of the network whose weights are averaged during training.
            ema: decay of the average, below 1; 0 keeps no average.

        Raises:
            InputError: if there is no batch.
        """
        require_whole(1, batches=len(batches))
        self.networks = networks
        self.optimisers = optimisers
        self.batches: Any = batches
        self.generator = parallel.batch_generator(generator, lambda: device_of(next(iter(networks.values()))))
        self.dropout: Generator | None = None  # source of dropout's randomness; None for torch's global generator
        for each in optimisers.values():
            parallel.share_gradients(each)
        self.ema = ema
        self.averages: dict[str, nn.Module] = {}
        if averaged and ema:
            self.averages[averaged] = copy.deepcopy(networks[averaged]).requires_grad_(False)
        self.averagings = 0  # updates of the average
        self.history = History()
        self.epoch = 0
        self.step = 0
        self.rounds = 0  # of a GAN, each of critic steps and then generator steps
        self.since = 0  # critic steps in the current round
        self.totals: Tensor | None = None  # sums over the steps of this epoch, for its row
        self.names: tuple[str, ...] = ()  # of these sums
        self.seconds = 0.0  # spent in training, up to the last `tick`
        self.started = time.perf_counter()

    def result(self) -> dict[str, nn.Module]:
        """Return the networks as they are now.

        Returns:
            The networks by name; in place of an averaged network its average.
        """
        return {**self.networks, **self.averages}

    def average(self) -> None:
        r"""Move the averages a step towards the networks.

        $$\bar\theta \leftarrow \beta_t \bar\theta + (1 - \beta_t) \theta, \qquad \beta_t = \min\big(\beta, \tfrac{1 + t}{10 + t}\big)$$

        The decay is smaller in the first steps t, so that the initial weights soon lose their influence.

        Source: Polyak & Juditsky 1992, with exponential weights; the rule for the first steps is that of TensorFlow's
        `ExponentialMovingAverage`.
        """
        beta = min(self.ema, (1 + self.averagings) / (10 + self.averagings))
        self.averagings += 1
        for name, average in self.averages.items():
            network = self.networks[name]
            get_ema_multi_avg_fn(beta)(list(average.parameters()), list(network.parameters()), None)
            for ours, theirs in zip(average.buffers(), network.buffers(), strict=True):
                ours.copy_(theirs)

    def set_rates(self, rates: dict[str, float]) -> None:
        """Set the learning rates of the next step, by the name of the network."""
        for name, rate in rates.items():
            for group in self.optimisers[name].param_groups:
                group["lr"] = rate

    def note(self, numbers: Tensor, names: tuple[str, ...]) -> None:
        """Add the numbers of a step, one per name, to the sums of its epoch; the CPU does not wait for the GPU."""
        numbers, self.names = parallel.average(numbers.detach()), names
        self.totals = numbers.clone() if self.totals is None else self.totals + numbers

    def noted(self) -> dict[str, float]:
        """Return the sums of the epoch by name and start those of the next: the only synchronisation of an epoch."""
        totals, self.totals = self.totals, None
        return {} if totals is None else dict(zip(self.names, totals.tolist(), strict=True))

    def end_epoch(self, row: Row) -> None:
        """Append the row of an epoch to the history and start the next epoch; raise DivergedError for NaN or infinity."""
        require_finite(row)
        self.history.rows.append(row)
        self.epoch += 1
        self.tick()

    def tick(self) -> float:
        """Add the time since the last call to the seconds spent in training, and return their sum."""
        now = time.perf_counter()
        self.seconds, self.started = self.seconds + now - self.started, now
        return self.seconds

    def state_dict(self) -> dict[str, Any]:
        """Return everything that `load_state_dict` needs to continue the run.

        Returns:
            A tree of dicts and lists, with tensors and plain numbers as leaves.
        """
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "batches": self.batches.state_dict(),
            "averages": {name: network.state_dict() for name, network in self.averages.items()},
            "generator": self.generator.get_state(),
            "global_generator": self._dropout_generator().get_state(),
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

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Become the run that returned this state.

        Args:
            state: the result of `state_dict`.
        """
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
            # fused optimisers read memory in order, so that moments need the memory layout of their weights
            for parameter, moments in optimiser.state.items():
                for key, moment in moments.items():
                    if isinstance(moment, Tensor) and moment.shape == parameter.shape:
                        moments[key] = torch.empty_like(parameter, requires_grad=False).copy_(moment)
        for name, average in self.averages.items():
            average.load_state_dict(state["averages"][name])
        self.batches.load_state_dict(state["batches"])
        self.generator.set_state(state["generator"])
        self._dropout_generator().set_state(state["global_generator"])
        self.totals = None if state["totals"] is None else state["totals"].to(self.generator.device)
        self.names = tuple(state["names"])
        self.history = History(state["history"])
        for count in ("epoch", "step", "averagings", "rounds", "since", "seconds"):
            setattr(self, count, state[count])
        self.started = time.perf_counter()

    def _dropout_generator(self) -> Any:
        """Return the generator that dropout draws from: an own one, or the global one of the device."""
        device = self.generator.device
        shared = torch.cuda.default_generators[device.index or 0] if device.type == "cuda" else torch.default_generator
        return self.dropout or shared


def pack(state: State, about: dict[str, Any]) -> bytes:
    """Return a run as a safetensors file, without pickle: the tensors, and all else as JSON in the header, with a checksum.

    `about` is what the run is of (recipe, seed, data, device). Raise DivergedError if a tensor holds NaN or infinity.
    """
    tensors: dict[str, Tensor] = {}
    tree = _split(state.state_dict(), "", tensors)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise DivergedError(f"{name.strip('/')} is not finite in epoch {state.epoch + 1}, step {state.step}")
    record = json.dumps({"state": tree, "about": about})
    crc32 = zlib.crc32(save(tensors, metadata={"record": record}))
    return save(tensors, metadata={"record": record, "crc32": str(crc32)})


def unpack(content: bytes, state: State, about: dict[str, Any]) -> None:
    """Load what `pack` returned into a fresh state of the same run.

    Raise DamagedError if a byte has changed, and InputError if the checkpoint is of another recipe, seed, data or device.
    """
    try:
        tensors = load(content)
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        record = json.loads(metadata["record"])
        saved, tree = record["about"], record["state"]
        whole = metadata["crc32"] == str(zlib.crc32(save(tensors, metadata={"record": metadata["record"]})))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"it cannot be read ({one_line(error)})") from error
    if not whole:
        raise DamagedError("its checksum differs from the one that it was written with")
    for key, value in about.items():
        if saved.get(key) != value:
            advice = "resume with the settings that it was started with, or choose another --out"
            if key == "epochs":
                advice += "; a run cannot be made longer, since its schedules depend on its length"
            raise InputError(f"it is of {key} {saved.get(key)!r}, this run is of {value!r}: {advice}")
    state.load_state_dict(_join(tree, tensors))


def _split(tree: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """Move the tensors of a tree into a flat dict, and put the name of each in its place."""
    if isinstance(tree, Tensor):
        tensors[path] = tree.detach().cpu().contiguous()
        return {"tensor": path}
    if isinstance(tree, dict):
        return {"items": [[key, _split(value, f"{path}/{key}", tensors)] for key, value in tree.items()]}
    if isinstance(tree, list | tuple):
        return {"list": [_split(value, f"{path}/{i}", tensors) for i, value in enumerate(tree)]}
    return {"value": tree}


def _join(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """Return the tree that `_split` took apart."""
    if "tensor" in tree:
        return tensors[tree["tensor"]]
    if "items" in tree:
        return {key: _join(value, tensors) for key, value in tree["items"]}
    if "list" in tree:
        return [_join(value, tensors) for value in tree["list"]]
    return tree["value"]
