"""The loop of every VAE."""

from collections.abc import Callable
from typing import cast

import torch

from gmlib import parallel
from gmlib.data import ImageDataset
from gmlib.errors import InputError
from gmlib.evaluate.likelihood import mean_elbo
from gmlib.mode import require_training, train_mode
from gmlib.models.vae import VAE
from gmlib.objectives.variational import elbo, iwae_bound, relaxed_elbo
from gmlib.shapes import require_whole
from gmlib.train.decay import cosine_decay, require_rate
from gmlib.train.history import History, Row
from gmlib.train.state import State


def fit_vae(
    state: State,
    *,
    epochs: int,
    lr: float,
    decay: bool = False,
    samples: int = 1,
    beta: float = 1.0,
    kl_warmup: float = 0.0,
    free_nats: float = 0.0,
    bfloat16: bool = False,
    validation: ImageDataset | None = None,
    on_step: Callable[[State], None] | None = None,
    on_epoch: Callable[[State], None] | None = None,
) -> History:
    """Maximise a bound on log p(x) until the run has seen so many epochs. Prints nothing, draws nothing, saves nothing.

    Args:
        state: networks and optimiser named "vae", and the batches; a state that was trained before goes on.
        epochs: how many epochs the whole run has.
        lr: learning rate, at the start if it decays.
        decay: whether the rate falls to 0 along half a cosine over the run.
        samples: draws of z an image: 1 maximises the ELBO, more the importance-weighted bound of so many draws.
        beta: weight of the KL divergence, at least 0; with 1 the bound is the ELBO.
        kl_warmup: share of the run over which the weight of the KL divergence rises from 0 to beta; 0 for none.
        free_nats: of the KL divergence, that cost nothing.
        bfloat16: whether the networks compute in bfloat16; weights and sums stay float32.
        validation: digits whose ELBO is noted after each epoch, binarised once.
        on_step: called after each step; an epoch may be left there and gone on with later.
        on_epoch: called after each epoch, when its row is written.

    Returns:
        A row an epoch, in nats per image: ELBO, log p(x|z) and KL of the training batches, or their
        importance-weighted bound, and ELBO, log p(x|z) and KL of validation. The KL of an ELBO has weight 1, whatever beta.

    Raises:
        InputError: if several draws are asked for together with what is said of the KL divergence, the warm-up is no
            share of the run, a count or a weight is out of its range, or gradients are off.
        DivergedError: if a number of the row is infinite or none.

    Source: Kingma & Welling 2014; with beta, Higgins et al. 2017, beta-VAE, equation 4.
    """
    vae = cast(VAE, state.networks["vae"])
    require_training(vae=vae)
    require_whole(0, epochs=epochs)
    require_whole(1, samples=samples)
    require_rate(lr=lr)
    if not 0 <= kl_warmup <= 1:
        raise InputError(
            f"got kl_warmup {kl_warmup:g}, expected a share of the run from 0 to 1: 0.1 warms up over its first tenth"
        )
    if not beta >= 0:
        raise InputError(f"got beta {beta:g}, expected 0 or more: 1 for the ELBO")
    if not free_nats >= 0:
        raise InputError(f"got free_nats {free_nats:g}, expected 0 or more: 0 for the ELBO")
    if samples > 1 and (beta != 1 or kl_warmup or free_nats):
        raise InputError(
            f"got {samples} samples with beta {beta:g}, kl_warmup {kl_warmup:g} and free_nats {free_nats:g}, expected one or "
            "the other: the importance-weighted bound has no KL term"
        )
    optimiser, batches = state.optimisers["vae"], state.batches
    steps = epochs * len(batches)

    while state.epoch < epochs:
        train_mode(vae)
        for x, y in batches:
            progress = state.step / steps
            optimiser.param_groups[0]["lr"] = cosine_decay(lr, progress) if decay else lr
            optimiser.zero_grad()
            with torch.autocast(x.device.type, torch.bfloat16, enabled=bfloat16):
                label = y if vae.num_classes else None
                if samples == 1:
                    log_px, kl = vae(x, label, state.generator)
                    bound, parts = elbo(log_px, kl), torch.stack([log_px, kl])
                    if beta != 1 or kl_warmup or free_nats:
                        weight = beta * min(1.0, progress / kl_warmup) if kl_warmup else beta
                        bound = relaxed_elbo(log_px, kl, weight, free_nats)
                else:
                    bound = iwae_bound(vae.log_weights(x, label, samples, state.generator))
                    parts = bound.unsqueeze(0)
            # the bound is maximised, so its negative is minimised
            loss = -bound.mean()
            loss.backward()
            # over all processes, if there are several
            means = parallel.average_gradients(vae.parameters(), parts.detach().mean(1))
            optimiser.step()
            state.average()
            # no .item() here: nothing waits for the device
            state.note(means)
            state.step += 1
            if on_step:
                on_step(state)

        # the one synchronisation of an epoch
        noted = [total / len(batches) for total in state.noted()]
        row: Row = {"epoch": state.epoch + 1}
        if samples == 1:
            row |= {"train_elbo": noted[0] - noted[1], "train_log_px": noted[0], "train_kl": noted[1]}
        else:
            row |= {"train_iwae": noted[0]}
        if validation is not None:
            measured = mean_elbo(cast(VAE, state.result()["vae"]), validation)
            row |= {f"validation_{name}": value for name, value in measured.items()}
        state.end_epoch(row)
        if on_epoch:
            on_epoch(state)
    return state.history
