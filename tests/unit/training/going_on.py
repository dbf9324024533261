"""Let a training loop go on with a state that a test has put together."""

from collections.abc import Callable
from typing import Any

from torch import nn

from gmlib.training import History, State


def go_on(loop: Callable[..., State], model: nn.Module, state: State, **options: Any) -> History:
    """Train from a state, which becomes the state after the last step.

    Args:
        loop: `fit_vae` or the like.
        model: what it trains.
        state: networks, optimisers, batches and generators.
        **options: of the loop.

    Returns:
        The history of the state.
    """
    own = options.pop("on_start", None)

    def on_start(fresh: State) -> None:
        fresh.__dict__ = state.__dict__  # from here on both are one
        if own:
            own(fresh)

    loop(model, state.batches, generator=state.generator, on_start=on_start, **options)
    return state.history
