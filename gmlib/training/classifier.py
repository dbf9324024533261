"""The training loop of the digit classifier."""

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from gmlib import parallel
from gmlib.mode import require_training, train_mode
from gmlib.shapes import require_whole
from gmlib.training.augmentation import distort
from gmlib.training.history import Row
from gmlib.training.state import Loader, OptimiserClass, State, on_device_of


def fit_classifier(
    classifier: nn.Module,
    batches: Loader,
    *,
    epochs: int,
    lr: float = 3e-3,
    optimiser: OptimiserClass = torch.optim.AdamW,
    ema: float = 0.0,
    rng: Generator | None = None,
    validate: Callable[[Any], Row] | None = None,
    bfloat16: bool = False,
    on_start: Callable[[State], None] | None = None,
    on_step: Callable[[State], None] | None = None,
    on_epoch: Callable[[State], None] | None = None,
) -> State:
    """Train a classifier on distorted images: half of each batch stays grey and half is binarised.

    Args:
        classifier: from images `(b, 1, 28, 28)` to logits, such as `gmlib.models.Classifier`; it is trained in place.
        batches: pairs of grey images and labels, as for `fit_vae`.
        epochs: the number of epochs of the whole run.
        lr: largest learning rate; the rate rises to it over the first fifth of the run, and then falls to 0.
        optimiser: a class of `torch.optim`, or a `partial` of one with its other arguments.
        ema: decay of an exponential moving average of the weights, below 1; 0 keeps no average.
        rng: random generator of distortions and binarisation, on the device of the classifier; None seeds one from
            torch's global generator.
        validate: called after each epoch with the classifier in eval mode; what it returns is added to the row of the epoch.
        bfloat16: whether the network computes in bfloat16.
        on_start: called before the first step; it may load a saved state.
        on_step: called after each step.
        on_epoch: called after each epoch, when its row is written.

    Returns:
        The state after the last step. Its history has one row per epoch: "loss", the cross-entropy of the training batches
        in nats; and what `validate` returned.

    Raises:
        InputError: if a count is out of its range, labels are missing, or the classifier takes no gradients.
        DivergedError: if a number of the row is NaN or infinite.
    """
    require_training(classifier=classifier)
    require_whole(0, epochs=epochs)
    optimisers = {"classifier": optimiser(classifier.parameters(), lr=lr)}
    state = State({"classifier": classifier}, optimisers, batches, rng=rng, averaged="classifier", ema=ema)
    if on_start:
        on_start(state)
    steps = epochs * len(batches)

    while state.epoch < epochs:
        train_mode(classifier)
        for x, y in on_device_of(classifier, batches):
            progress = (state.step + 1) / steps
            state.set_rates({"classifier": lr * min(progress / 0.2, (1 - progress) / 0.8)})
            x = distort(x, state.rng)
            # every second image is binarised, the others stay grey
            uniform = parallel.draw(torch.rand, x.shape, state.rng, x.device)
            odd = torch.arange(len(x), device=x.device).view(-1, 1, 1, 1) % 2 == 1
            x = torch.where(odd, (uniform < x).float(), x)
            with torch.autocast(x.device.type, torch.bfloat16, enabled=bfloat16):
                logits = classifier(x)
            loss = F.cross_entropy(logits.float(), cast(Tensor, y))
            state.optimisers["classifier"].zero_grad()
            loss.backward()
            state.optimisers["classifier"].step()
            state.update_average()
            # no .item() here: the CPU does not wait for the GPU
            state.add_to_totals(loss.detach().view(1), ("loss",))
            state.step += 1
            if on_step:
                on_step(state)

        row: Row = {"loss": state.take_totals()["loss"] / len(batches)}
        state.end_epoch(row, state.result()["classifier"], validate, on_epoch)
    return state
