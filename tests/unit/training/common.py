"""What the tests of the training loops share."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from gmlib.training import State

SETTINGS = {"recipe": "vae", "recipe_hash": "0123", "seed": 0, "data": "made-up/train"}


def continue_from(state: State, loop: Callable[..., State], model: nn.Module, **options: Any) -> State:
    """Train a model with a loop such as `fit_vae`, whose state is the given one in place of a fresh one."""

    def replace(fresh: State) -> None:
        fresh.__dict__ = state.__dict__  # from here on both are one

    loop(model, state.batches, rng=state.rng, on_start=replace, **options)
    return state


def weights(network: nn.Module) -> torch.Tensor:
    """Return all weights of a network in one vector."""
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def differences(a: Any, b: Any, path: str = "") -> list[str]:
    """Return the paths of the leaves in which two states differ in type or in a bit, except the training time."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [each for key in a if key != "seconds" for each in differences(a[key], b[key], f"{path}/{key}")]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        return [each for i in range(len(a)) for each in differences(a[i], b[i], f"{path}/{i}")]
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [path]
    return [] if type(a) is type(b) and a == b else [path]
