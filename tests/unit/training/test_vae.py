"""The loop of every VAE, against steps taken by hand."""

import math
from functools import partial

import pytest
import torch

from gmlib.data import Batches
from gmlib.errors import DivergedError
from gmlib.metrics import validate_vae
from gmlib.models import VAE, BernoulliDecoder, MLPDecoder, MLPEncoder
from gmlib.objectives import ELBO, IWAE, iwae_bound
from gmlib.training import State, cosine_decay, fit_vae
from tests.unit.training.common import continue_from, weights


def start(digits, *, classes: int = 0, lr: float = 1e-2, optimiser=torch.optim.Adam) -> State:
    torch.manual_seed(0)
    sizes = {"num_classes": classes, "hidden": 20}
    vae = VAE(MLPEncoder(2, **sizes), BernoulliDecoder(MLPDecoder(2, **sizes)))
    batches = Batches(digits, 16, binarised=True, seed=1)
    return State({"vae": vae}, {"vae": optimiser(vae.parameters(), lr=lr)}, batches, torch.Generator().manual_seed(2))


def fit(state: State, *, lr: float = 1e-2, **options):
    """Train from a state for one epoch, or as the options say, and return the history."""
    return continue_from(state, fit_vae, state.networks["vae"], **{"epochs": 1, "lr": lr} | options).history


@pytest.mark.parametrize("objective", [ELBO(), ELBO(beta=4.0), ELBO(beta=0.0), IWAE(5)])
def test_steps_are_those_of_plain_gradient_ascent(made_up, objective):
    lr = 1e-3
    state, by_hand = (start(made_up, optimiser=torch.optim.SGD, lr=lr) for _ in range(2))
    history = fit(state, epochs=2, lr=lr, objective=objective)

    vae, rows = by_hand.networks["vae"], []
    for _ in range(2):
        steps = []
        for x, _ in by_hand.batches:
            if isinstance(objective, IWAE):
                bound = iwae_bound(vae.log_weights(x, samples=5, generator=by_hand.rng)).mean()
                steps.append([bound.item()])
            else:
                log_px, kl = (each.mean() for each in vae(x, generator=by_hand.rng))
                bound = log_px - objective.beta * kl
                steps.append([(log_px - kl).item(), log_px.item(), kl.item()])
            gradients = torch.autograd.grad(bound, list(vae.parameters()))
            with torch.no_grad():
                for parameter, gradient in zip(vae.parameters(), gradients, strict=True):
                    parameter += lr * gradient  # up the bound
        rows.append(torch.tensor(steps).mean(0).tolist())
    torch.testing.assert_close(weights(state.networks["vae"]), weights(vae), rtol=1e-5, atol=1e-7)
    names = ["train_iwae"] if isinstance(objective, IWAE) else ["train_elbo", "train_log_px", "train_kl"]
    for epoch, (row, means) in enumerate(zip(history.rows, rows, strict=True), 1):
        assert list(row) == ["epoch", *names]
        assert list(row.values()) == pytest.approx([epoch, *means], rel=1e-5)


def test_the_elbo_rises_and_nothing_is_printed(made_up, capfd):
    history = fit(start(made_up), epochs=30, validate=partial(validate_vae, images=made_up))
    assert capfd.readouterr() == ("", "")
    for column in ("train_elbo", "validation_elbo"):
        values = history.column(column)
        assert values[-1] > values[0] + 100
    # the images are ten patterns with little noise: a model of independent pixels has a far lower likelihood
    frequency = made_up.grey().mean(0).flatten().double()
    independent = (frequency * frequency.log() + (1 - frequency) * (1 - frequency).log()).sum().item()
    assert history.column("train_elbo")[-1] > independent


@pytest.mark.parametrize("decay", [True, False])
def test_the_learning_rate_follows_the_cosine(made_up, decay):
    rates, state = [], start(made_up)
    group = state.optimisers["vae"].param_groups[0]
    fit(state, epochs=5, lr=0.02, decay=decay, on_step=lambda _: rates.append(group["lr"]))
    expected = [0.01 * (1 + math.cos(math.pi * step / 20)) if decay else 0.02 for step in range(20)]
    assert rates == pytest.approx(expected, rel=1e-12)
    assert cosine_decay(0.3, 1) == 0


@pytest.mark.parametrize("classes", [0, 10])
def test_a_conditional_model_gets_the_labels_of_its_images(made_up, classes):
    state, inputs = start(made_up, classes=classes), []
    state.networks["vae"].encoder.register_forward_pre_hook(lambda module, given: inputs.append(given))
    fit(state, validate=partial(validate_vae, images=made_up))
    assert len(inputs) == 5
    for x, y in inputs:
        assert (y is None) == (classes == 0)
        if classes:  # the bar of ink begins at row 2 * label
            first_row = x[:, 0, :, 6:22].mean(2).gt(0.5).float().argmax(1)
            assert torch.equal(first_row, 2 * y)


def test_an_objective_gets_the_completed_fraction_of_the_run_and_its_parts_are_in_the_history(made_up):
    fractions, inks = [], []

    def objective(vae, x, y, progress, generator):
        bound, _ = ELBO()(vae, x, y, progress, generator)
        fractions.append(progress)
        inks.append(x.flatten(1).sum(1).mean().item())
        return bound, {"bound": bound, "ink": x.flatten(1).sum(1)}

    history = fit(start(made_up), epochs=4, objective=objective)
    assert fractions == [step / 16 for step in range(16)]
    assert list(history.rows[0]) == ["epoch", "train_bound", "train_ink"]
    assert history.rows[0]["train_ink"] == pytest.approx(sum(inks[:4]) / 4)


@pytest.mark.parametrize("objective", [ELBO(), IWAE(2)])
def test_a_log_variance_that_overflows_is_divergence(made_up, objective):
    state = start(made_up)
    with torch.no_grad():
        state.networks["vae"].encoder.net[-1].bias[2:] = 300.0
    with pytest.raises(DivergedError, match="epoch 1"):
        fit(state, epochs=2, objective=objective)
