"""The gradients of each layer of both networks at fixed weights."""

from collections.abc import Callable

import torch
from torch import Tensor

from gmlib.errors import InputError
from gmlib.training.state import State


def layer_gradients(loop: Callable[..., State]) -> dict[str, dict[str, Tensor]]:
    """Train a GAN for one epoch at a learning rate of 0 and return the gradients of each layer's weights.

    No weight changes, so that the gradients of all steps are taken at the same weights. Optimisers and the running
    statistics of batch norm do change.

    Args:
        loop: `fit_gan` as a `partial` with all arguments but `epochs`, the learning rates and the callbacks, such as
            `training_loop(recipe, …)`. Each batch has one step of each network. If weights are clipped, they have to be
            within the bound already.

    Returns:
        Name of each network to its layers, counted from the input, and of each layer to the gradients of its weights
        `(steps * weights,)`, without biases and norms.

    Raises:
        InputError: if a network does not take one step per batch, or a weight changes.
    """
    gradients: dict[str, list[list[Tensor]]] = {}
    initial: dict[str, list[Tensor]] = {}

    def begin(state: State) -> None:
        for name, network in state.networks.items():
            gradients[name] = [[] for p in network.parameters() if p.ndim > 1]
            initial[name] = [p.detach().clone() for p in network.parameters()]

    def collect(state: State) -> None:
        for name, network in state.networks.items():
            for layer, weight in zip(gradients[name], (p for p in network.parameters() if p.ndim > 1), strict=True):
                if weight.grad is not None:
                    layer.append(weight.grad.flatten().clone())

    state = loop(lr=0.0, critic_lr=None, epochs=1, on_start=begin, on_step=collect)
    batches, steps = len(state.batches), state.history.rows[-1]["generator_steps"]
    if not batches == state.rounds == steps:
        raise InputError(
            f"got {batches} critic steps and {steps} generator steps in {state.rounds} rounds, expected one of each per "
            "round: n_critic 1, n_generator 1 and no warm-up"
        )
    for name, network in state.networks.items():
        # shipped weights are float16, which rounds the bound of clipping
        if not all(torch.allclose(a, b, rtol=1e-3) for a, b in zip(initial[name], network.parameters(), strict=True)):
            raise InputError(f"got a {name} whose weights changed, expected weights within the bound of clipping")
    return {name: {f"{i}": torch.cat(layer) for i, layer in enumerate(layers, 1)} for name, layers in gradients.items()}
