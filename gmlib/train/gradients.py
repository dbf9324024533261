"""What the layers of both networks are told: their gradients in a game that stands still."""

from collections.abc import Callable

import torch
from torch import Tensor

from gmlib.errors import InputError
from gmlib.train.history import History
from gmlib.train.state import State


def layer_gradients(state: State, loop: Callable[..., History]) -> dict[str, dict[str, Tensor]]:
    """Play an epoch at a learning rate of 0 and collect the gradients of each layer's weights.

    No weight moves, so that the gradients of all steps are those of one moment. The state is spent: its history, its
    optimisers and the running statistics of its norms go on.

    Args:
        state: the run, its data a few batches. Where weights are clipped, they have to be within the bound already.
        loop: of the recipe that the state was started with, with one step of each network for each batch.

    Returns:
        Name of each network to its layers, counted from the input, and of each layer to the gradients of its weights
        `(steps * weights,)`; biases and norms are left out.

    Raises:
        InputError: if a network does not take one step for a batch, or a weight moves.
    """
    weights = {name: [p for p in network.parameters() if p.ndim > 1] for name, network in state.networks.items()}
    before = {name: [p.detach().clone() for p in network.parameters()] for name, network in state.networks.items()}
    found: dict[str, list[list[Tensor]]] = {name: [[] for _ in each] for name, each in weights.items()}

    def collect(state: State) -> None:
        for name, each in weights.items():
            for layer, weight in zip(found[name], each, strict=True):
                if weight.grad is None:
                    raise InputError(f"got no step of the {name} for a batch, expected one: n_critic 1 and no warm-up")
                layer.append(weight.grad.detach().flatten().clone())
        state.optimisers["generator"].zero_grad()

    loop(state, lr=0.0, epochs=state.epoch + 1, on_step=collect)
    steps = state.history.rows[-1]["generator_steps"]
    if steps != len(state.batches):
        raise InputError(
            f"got {steps} steps of the generator for {len(state.batches)} batches, expected one for each: n_generator 1"
        )
    for name, network in state.networks.items():
        # a bound that was rounded to float16 is not quite the bound
        if not all(torch.allclose(a, b, rtol=1e-3) for a, b in zip(before[name], network.parameters(), strict=True)):
            raise InputError(
                f"got a {name} whose weights moved, expected weights within the bound that they are clipped to"
            )
    return {name: {f"{i}": torch.cat(layer) for i, layer in enumerate(layers, 1)} for name, layers in found.items()}
