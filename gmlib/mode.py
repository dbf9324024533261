"""Networks are measured in eval mode and trained in train mode; what was frozen stays frozen."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from gmlib.errors import InputError
from gmlib.shapes import require_gradients


@contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Put a network into eval mode for a block; afterwards each module is in its own mode again, also after an error."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def train_mode(network: nn.Module) -> None:
    """Put a network into train mode, unless it is in train mode already: then modules in eval mode are frozen, and stay so."""
    if not network.training:
        network.train()


def require_training(**networks: nn.Module) -> None:
    """Raise InputError if gradients are switched off, or if a network of this name has no weight that takes gradients."""
    require_gradients()
    for name, network in networks.items():
        if any(parameter.is_inference() for parameter in network.parameters()):
            raise InputError(
                f"got a {name} that was made within torch.inference_mode(), expected one that can take gradients: "
                "build it outside of that block"
            )
        if not any(parameter.requires_grad for parameter in network.parameters()):
            raise InputError(
                f"got a {name} whose weights are all frozen, expected some to train: call requires_grad_() on it"
            )
