"""All that a run is between two steps, and how it gets to disk and back, bit for bit."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from gmlib.data import Batches
from gmlib.errors import InputError, one_line
from gmlib.files import write_whole
from gmlib.train.history import History


class State:
    """Networks, optimisers, place in the data, random generators, epoch, step and history of one run."""

    def __init__(
        self, networks: dict[str, nn.Module], optimisers: dict[str, Optimizer], batches: Batches, generator: Generator
    ) -> None:
        """Gather what a run starts with.

        Args:
            networks: by name, such as "vae".
            optimisers: by name of the network that they train.
            batches: the training data, with its place in the epoch.
            generator: source of the latents' randomness, on the networks' device.
        """
        self.networks = networks
        self.optimisers = optimisers
        self.batches = batches
        self.generator = generator
        self.history = History()
        self.epoch = 0
        self.step = 0
        self.seconds = 0.0  # spent in training so far
        self.totals = torch.zeros(2, device=generator.device)  # sums over the steps of this epoch, for its row

    def state_dict(self) -> dict[str, Any]:
        """Give everything, as a tree of dicts and lists with tensors and plain numbers as leaves.

        Returns:
            What `load_state_dict` takes.
        """
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "batches": self.batches.state_dict(),
            "generator": self.generator.get_state(),
            "global_generator": torch.get_rng_state(),  # dropout draws from it
            "history": [dict(row) for row in self.history.rows],
            "epoch": self.epoch,
            "step": self.step,
            "seconds": self.seconds,
            "totals": self.totals,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Become the run that gave this state.

        Args:
            state: what `state_dict` gave.
        """
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.batches.load_state_dict(state["batches"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["global_generator"])
        self.totals.copy_(state["totals"])
        self.history = History(state["history"])
        self.epoch, self.step, self.seconds = state["epoch"], state["step"], state["seconds"]


def save_checkpoint(path: Path, state: State, about: dict[str, Any]) -> None:
    """Write a state as one safetensors file: tensors as tensors, the rest as json in its header. No pickle.

    Args:
        path: the file; it is whole or it is the one before.
        state: the run.
        about: what the run is of (recipe, seed, data, device), to be compared when it goes on.
    """
    tensors: dict[str, Tensor] = {}
    tree = _split(state.state_dict(), "", tensors)
    write_whole(path, save(tensors, metadata={"state": json.dumps(tree), "about": json.dumps(about)}))


def load_checkpoint(path: Path, state: State, about: dict[str, Any]) -> None:
    """Bring a run back to where its checkpoint was written.

    Args:
        path: the file that `save_checkpoint` wrote.
        state: a fresh state of the same recipe; it becomes the saved one.
        about: what the run is of, as for `save_checkpoint`.

    Raises:
        InputError: if the file is missing or damaged, or of another recipe, seed, data or device.
    """
    if not path.is_file():
        raise InputError(
            f"found no checkpoint {path}: train without --resume first, or name the folder of the run with --out"
        )
    damaged = (
        "expected a whole file written by gmlib train: it is damaged; remove it and train again, or restore a copy"
    )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        saved, tree = json.loads(metadata["about"]), json.loads(metadata["state"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"cannot read the checkpoint {path} ({error}), {damaged}") from error
    for key, expected in about.items():
        if saved.get(key, expected) != expected:
            raise InputError(
                f"the checkpoint {path} is of {key} {saved[key]!r}, this run is of {expected!r}: "
                "resume with what it was started with, or choose another --out"
            )
    try:
        state.load_state_dict(_join(tree, tensors))
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"cannot use the checkpoint {path} ({one_line(error)}), {damaged}") from error


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
