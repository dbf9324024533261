"""Networks are measured in eval mode and left as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def eval_mode(network: nn.Module) -> Iterator[None]:
    """Put a network into eval mode for a while: no dropout, and batch norm by its running statistics.

    Args:
        network: goes back to the mode that it had, whatever happens in between.

    Yields:
        Nothing.
    """
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)
