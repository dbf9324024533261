"""Train and eval mode of a network, and a check that it can be trained."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from gmlib.errors import InputError
from gmlib.shapes import require_gradients


@contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Put a network into eval mode within a `with` block; then restore the mode of each module, also after an error."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def train_mode(network: nn.Module) -> None:
    """Put a network into train mode. In a network in train mode, modules that the user put into eval mode stay there."""
    if not network.training:
        network.train()


def require_training(**networks: nn.Module) -> None:
    """Raise InputError if gradients are switched off, or if all weights of a network are frozen."""
    require_gradients()
    for name, network in networks.items():
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise InputError(
                f"got a {name} whose weights are all frozen, expected one to train: call its method requires_grad_()"
            )
