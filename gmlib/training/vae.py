"""The training loop of every VAE."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, nn

from gmlib.mode import require_training, train_mode
from gmlib.objectives.bounds import ELBO, Variational
from gmlib.shapes import require_whole
from gmlib.training.history import Row
from gmlib.training.schedule import cosine_decay
from gmlib.training.state import Loader, OptimiserClass, State, on_device_of


def fit_vae(
    vae: nn.Module,
    batches: Loader,
    *,
    epochs: int,
    lr: float = 1e-3,
    optimiser: OptimiserClass = torch.optim.Adam,
    objective: Variational = ELBO(),
    decay: bool = False,
    ema: float = 0.0,
    rng: Generator | None = None,
    validate: Callable[[Any], Row] | None = None,
    bfloat16: bool = False,
    on_start: Callable[[State], None] | None = None,
    on_step: Callable[[State], None] | None = None,
    on_epoch: Callable[[State], None] | None = None,
) -> State:
    """Train a VAE by maximising a bound on log p(x).

    Args:
        vae: the model, such as `gmlib.models.VAE`; it is trained in place, on its device.
        batches: pairs `(x, y)` of binary images `(b, c, h, w)` and labels `(b,)`: `gmlib.data.Batches`, a `DataLoader`, or
            a list.
        epochs: the number of epochs of the whole run.
        lr: learning rate, at the start if it decays.
        optimiser: a class of `torch.optim`, or a `partial` of one with its other arguments.
        objective: the bound, such as `ELBO()` or `IWAE(5)`.
        decay: whether the learning rate falls to 0 along half a cosine over the run.
        ema: decay of an exponential moving average of the weights, below 1; 0 keeps no average.
        rng: random generator of the draws of z, on the device of the model; None seeds one from torch's global generator.
        validate: called after each epoch with the model, or with its average if there is one, in eval mode; what it
            returns is added to the row of the epoch.
        bfloat16: whether the networks compute in bfloat16; weights and sums stay float32.
        on_start: called before the first step; it may load a saved state.
        on_step: called after each step.
        on_epoch: called after each epoch, when its row is written.

    Returns:
        The state after the last step. Its history has one row per epoch, in nats per image: "train_elbo", "train_log_px"
        and "train_kl" for an ELBO, whose KL divergence is not weighted here, or "train_iwae"; and what `validate` returned.

    Raises:
        InputError: if a count is out of its range, labels are missing, or the model takes no gradients.
        DivergedError: if a number of the row is NaN or infinite.

    Source: Kingma & Welling 2014, algorithm 1.
    """
    require_training(vae=vae)
    require_whole(0, epochs=epochs)
    optimisers = {"vae": optimiser(vae.parameters(), lr=lr)}
    state = State({"vae": vae}, optimisers, batches, rng=rng, averaged="vae", ema=ema)
    if on_start:
        on_start(state)
    steps = epochs * len(batches)

    while state.epoch < epochs:
        train_mode(vae)
        for x, y in on_device_of(vae, batches):
            progress = state.step / steps
            state.set_rates({"vae": cosine_decay(lr, progress) if decay else lr})
            with torch.autocast(x.device.type, torch.bfloat16, enabled=bfloat16):
                bound, parts = objective(vae, x, y, progress, state.rng)
            # the bound is maximised, so its negative is minimised
            loss = -bound.mean()
            state.optimisers["vae"].zero_grad()
            loss.backward()
            state.optimisers["vae"].step()
            state.update_average()
            # no .item() here: the CPU does not wait for the GPU
            state.add_to_totals(torch.stack([*parts.values()]).detach().mean(1), tuple(parts))
            state.step += 1
            if on_step:
                on_step(state)

        means = {name: total / len(batches) for name, total in state.take_totals().items()}
        if {"log_px", "kl"} <= means.keys():
            means = {"elbo": means["log_px"] - means["kl"], **means}
        row: Row = {f"train_{name}": mean for name, mean in means.items()}
        state.end_epoch(row, state.result()["vae"], validate, on_epoch)
    return state
