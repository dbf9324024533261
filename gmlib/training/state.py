"""The state of a run between two steps: what has to be saved so that the run can continue bit for bit."""

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from gmlib import parallel
from gmlib.errors import InputError
from gmlib.mode import eval_mode
from gmlib.shapes import Image, Labels, require_whole
from gmlib.training.history import History, Row, require_finite

OptimiserClass = Callable[..., Optimizer]  # takes the parameters and `lr`: a class of torch.optim, or a partial of one
NUMBERS = ("epoch", "step", "rounds", "critic_steps_in_round", "average_updates", "seconds")  # plain numbers of a state


@runtime_checkable
class Loader(Protocol):
    """Batches of one epoch per iteration: `gmlib.data.Batches`, a `DataLoader`, a list of pairs."""

    def __len__(self) -> int:
        """Return the number of batches per epoch."""

    def __iter__(self) -> Iterator[Any]:
        """Yield images and labels."""


class StopTraining(Exception):  # noqa: N818 it is no error
    """Raised by `on_step` or `on_epoch` to end the run there, with the networks as they are."""


def device_of(network: nn.Module) -> torch.device:
    """Return the device of a network's first parameter; the CPU if it has none."""
    parameter = next(network.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def on_device_of(network: nn.Module, batches: Loader) -> Iterator[tuple[Image, Labels | None]]:
    """Yield batches on the device of a network, without labels if its `num_classes` is 0; a network without this attribute takes labels."""
    device, takes_labels = device_of(network), getattr(network, "num_classes", 1) != 0
    for x, y in batches:
        if takes_labels and y is None:
            raise InputError("got images without labels for a network that needs them, expected one label per image")
        yield x.to(device), y.to(device) if takes_labels else None


class State:
    """Networks, optimisers, averages, position in the data, random generators, epoch, step and history of one run."""

    def __init__(
        self,
        networks: dict[str, nn.Module],
        optimisers: dict[str, Optimizer],
        batches: Loader,
        rng: Generator | None = None,
        *,
        averaged: str | None = None,
        ema: float = 0.0,
    ) -> None:
        """Collect what a run starts with.

        Args:
            networks: by name, such as "vae".
            optimisers: by the name of the network that they train.
            batches: the training data; a checkpoint also needs its `state_dict`, the position in the epoch.
            rng: random generator of the loop, on the networks' device; None seeds one from torch's global generator.
            averaged: name of the network whose weights are averaged during training.
            ema: decay of the average, below 1; 0 keeps no average.

        Raises:
            InputError: if there is no batch.
        """
        require_whole(1, batches=len(batches))
        self.networks = networks
        self.optimisers = optimisers
        self.batches: Any = batches
        self.rng = parallel.shared_rng(rng, device_of(next(iter(networks.values()))))
        # random generator of dropout and other functions that are given none: torch's global one, unless `fit` replaces it
        device = self.rng.device
        self.dropout_rng: Any = (
            torch.cuda.default_generators[device.index or 0] if device.type == "cuda" else torch.default_generator
        )
        for optimiser in optimisers.values():
            parallel.share_gradients(optimiser)
        self.ema = ema
        self.averages: dict[str, nn.Module] = {}
        if averaged and ema:
            self.averages[averaged] = copy.deepcopy(networks[averaged]).requires_grad_(False)
        self.average_updates = 0
        self.history = History()
        self.epoch = 0
        self.step = 0
        self.rounds = 0  # completed rounds of a GAN, each of critic steps and then generator steps
        self.critic_steps_in_round = 0  # in the current round
        self.totals: Tensor | None = None  # sums over the steps of this epoch, for its row of the history
        self.total_names: tuple[str, ...] = ()
        self.seconds = 0.0  # training time up to the last call of `update_seconds`
        self.updated_at = time.perf_counter()

    def result(self) -> dict[str, nn.Module]:
        """Return the networks as they are now.

        Returns:
            The networks by name; in place of an averaged network its average.
        """
        return {**self.networks, **self.averages}

    def update_average(self) -> None:
        r"""Move the averages a step towards the networks.

        $$\bar\theta \leftarrow \beta_t \bar\theta + (1 - \beta_t) \theta, \qquad \beta_t = \min\big(\beta, \tfrac{1 + t}{10 + t}\big)$$

        The decay is smaller in the first steps t, so that the initial weights soon lose their influence.

        Source: Polyak & Juditsky 1992, with exponential weights; the rule for the first steps is that of TensorFlow's
        `ExponentialMovingAverage`.
        """
        beta = min(self.ema, (1 + self.average_updates) / (10 + self.average_updates))
        self.average_updates += 1
        for name, average in self.averages.items():
            network = self.networks[name]
            get_ema_multi_avg_fn(beta)(list(average.parameters()), list(network.parameters()), None)
            for averaged_buffer, buffer in zip(average.buffers(), network.buffers(), strict=True):
                averaged_buffer.copy_(buffer)

    def set_rates(self, rates: dict[str, float]) -> None:
        """Set the learning rates of the next step, by the name of the network."""
        for name, rate in rates.items():
            for group in self.optimisers[name].param_groups:
                group["lr"] = rate

    def add_to_totals(self, numbers: Tensor, names: tuple[str, ...]) -> None:
        """Add the numbers of a step, one per name, to the totals of its epoch; the CPU does not wait for the GPU."""
        numbers, self.total_names = parallel.average(numbers.detach()), names
        self.totals = numbers.clone() if self.totals is None else self.totals + numbers

    def take_totals(self) -> dict[str, float]:
        """Return the totals of the epoch by name and reset them; here alone the CPU waits for the GPU."""
        totals, self.totals = self.totals, None
        return {} if totals is None else dict(zip(self.total_names, totals.tolist(), strict=True))

    def end_epoch(
        self,
        row: Row,
        model: nn.Module,
        validate: Callable[[Any], Row] | None,
        on_epoch: Callable[["State"], None] | None,
    ) -> None:
        """Add the validation to the row, append it to the history, and call `on_epoch`; raise DivergedError for NaN or infinity."""
        row = {"epoch": self.epoch + 1, **row}
        require_finite(row)  # a model that diverged is not validated
        if validate:
            with eval_mode(model):
                row |= validate(model)
            require_finite(row)
        self.history.rows.append(row)
        self.epoch += 1
        self.update_seconds()
        if on_epoch:
            on_epoch(self)

    def update_seconds(self) -> float:
        """Add the time since the last call to the training time, and return their sum in seconds."""
        now = time.perf_counter()
        self.seconds, self.updated_at = self.seconds + now - self.updated_at, now
        return self.seconds

    def state_dict(self) -> dict[str, Any]:
        """Return everything that `load_state_dict` needs to continue the run.

        Returns:
            A tree of dicts and lists, with tensors, text and plain numbers as leaves.
        """
        self.update_seconds()
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "averages": {name: network.state_dict() for name, network in self.averages.items()},
            "batches": self.batches.state_dict(),
            "rng": self.rng.get_state(),
            "dropout_rng": self.dropout_rng.get_state(),
            "history": list(self.history.rows),
            "totals": self.totals,
            "total_names": self.total_names,
            **{name: getattr(self, name) for name in NUMBERS},
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
        for name, average in self.averages.items():
            average.load_state_dict(state["averages"][name])
        self.batches.load_state_dict(state["batches"])
        self.rng.set_state(state["rng"])
        self.dropout_rng.set_state(state["dropout_rng"])
        self.history = History(state["history"])
        self.totals = None if state["totals"] is None else state["totals"].to(self.rng.device)
        self.total_names = state["total_names"]
        for name in NUMBERS:
            setattr(self, name, state[name])
        self.updated_at = time.perf_counter()
