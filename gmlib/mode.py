"""Networks are measured in eval mode and trained in train mode; what was frozen stays frozen."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from gmlib.errors import InputError
from gmlib.shapes import require_gradients


@contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Put a network into eval mode for a while: no dropout, and batch norm by its running statistics.

    Args:
        network: each of its modules goes back to its own mode, also after an error.

    Yields:
        Nothing.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def train_mode(network: nn.Module) -> None:
    """Put a network into train mode, unless it is in train mode already: then modules in eval mode are frozen, and stay so.

    Args:
        network: changed in place.
    """
    if not network.training:
        network.train()


def require_training(**networks: nn.Module) -> None:
    """Refuse to train where nothing could be learned.

    Args:
        **networks: by name.

    Raises:
        InputError: within `torch.no_grad()` or `torch.inference_mode()`, or if a network was made there or has no weight
            that takes gradients.
    """
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
