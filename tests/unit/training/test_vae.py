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
from tests.unit.training.going_on import go_on


def start(digits, *, classes: int = 0, batch_norm: bool = False, lr: float = 1e-2, optimiser=torch.optim.Adam) -> State:
    torch.manual_seed(0)
    sizes = {"num_classes": classes, "hidden": 20, "batch_norm": batch_norm}
    vae = VAE(MLPEncoder(2, **sizes), BernoulliDecoder(MLPDecoder(2, **sizes)))
    batches = Batches(digits, 16, binarised=True, seed=1)
    return State({"vae": vae}, {"vae": optimiser(vae.parameters(), lr=lr)}, batches, torch.Generator().manual_seed(2))


def fit(state: State, **options):
    return go_on(fit_vae, state.networks["vae"], state, **options)


def weights(state: State) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in state.networks["vae"].parameters()]


@pytest.mark.parametrize("beta", [1.0, 4.0, 0.0])
def test_steps_are_those_of_plain_gradient_ascent(made_up, beta):
    state, lr = start(made_up, optimiser=torch.optim.SGD, lr=1e-3), 1e-3
    by_hand = start(made_up, optimiser=torch.optim.SGD, lr=1e-3)
    fit(state, epochs=2, lr=lr, objective=ELBO(beta=beta))

    vae, totals = by_hand.networks["vae"], []
    for _ in range(2):
        rows = []
        for x, _ in by_hand.batches:
            log_px, kl = vae(x, generator=by_hand.generator)
            gradients = torch.autograd.grad((log_px - beta * kl).mean(), list(vae.parameters()))
            with torch.no_grad():
                for parameter, gradient in zip(vae.parameters(), gradients, strict=True):
                    parameter += lr * gradient  # up the bound
            rows.append([log_px.mean().item(), kl.mean().item()])
        totals.append(torch.tensor(rows).mean(0))
    for found, expected in zip(weights(state), weights(by_hand), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    for row, (log_px, kl) in zip(state.history.rows, torch.stack(totals).tolist(), strict=True):
        assert row["train_log_px"] == pytest.approx(log_px, rel=1e-5)
        assert row["train_kl"] == pytest.approx(kl, rel=1e-5)


def test_several_draws_maximise_the_importance_weighted_bound(made_up):
    """Steps taken by hand again, with k = 5."""
    state, by_hand = (start(made_up, optimiser=torch.optim.SGD, lr=1e-3) for _ in range(2))
    history = fit(state, epochs=1, lr=1e-3, objective=IWAE(5), validate=partial(validate_vae, images=made_up))
    vae, bounds = by_hand.networks["vae"], []
    for x, _ in by_hand.batches:
        bound = iwae_bound(vae.log_weights(x, samples=5, generator=by_hand.generator)).mean()
        gradients = torch.autograd.grad(bound, list(vae.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(vae.parameters(), gradients, strict=True):
                parameter += 1e-3 * gradient
        bounds.append(bound.item())
    for found, expected in zip(weights(state), weights(by_hand), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
    names = ["epoch", "train_iwae", "validation_elbo", "validation_log_px", "validation_kl"]
    assert list(history.rows[0]) == names
    assert history.rows[0]["train_iwae"] == pytest.approx(sum(bounds) / len(bounds), rel=1e-5)


def test_elbo_rises_and_nothing_is_printed(made_up, capfd):
    validate = partial(validate_vae, images=made_up)
    history = fit(start(made_up, batch_norm=True), epochs=30, lr=1e-2, validate=validate)
    assert capfd.readouterr() == ("", "")
    for column in ("train_elbo", "validation_elbo"):
        values = history.column(column)
        assert values[-1] > values[0] + 100
    # the images are ten patterns with little noise: a model of independent pixels has a far lower likelihood
    frequency = made_up.grey().mean(0).flatten().double()
    independent = (frequency * frequency.log() + (1 - frequency) * (1 - frequency).log()).sum().item()
    assert history.column("train_elbo")[-1] > independent
    assert list(history.rows[0])[:4] == ["epoch", "train_elbo", "train_log_px", "train_kl"]
    assert history.column("epoch") == list(range(1, 31))


@pytest.mark.parametrize("decay", [True, False])
def test_learning_rate_follows_the_cosine(made_up, decay):
    rates, state = [], start(made_up)
    rate = state.optimisers["vae"].param_groups[0]
    fit(state, epochs=5, lr=0.02, decay=decay, on_step=lambda _: rates.append(rate["lr"]))
    expected = [0.01 * (1 + math.cos(math.pi * step / 20)) if decay else 0.02 for step in range(20)]
    assert rates == pytest.approx(expected, rel=1e-12)


def test_cosine_decay_at_its_ends_and_middle():
    assert cosine_decay(0.3, 0) == 0.3
    assert cosine_decay(0.3, 0.5) == pytest.approx(0.15)
    assert cosine_decay(0.3, 1) == 0


def test_labels_go_to_a_conditional_model_and_only_there(made_up):
    for classes in (0, 10):
        state, given = start(made_up, classes=classes), []
        state.networks["vae"].encoder.register_forward_pre_hook(
            lambda module, inputs, given=given: given.append(inputs)
        )
        fit(state, epochs=1, lr=1e-2, validate=partial(validate_vae, images=made_up))
        assert len(given) == 5
        for x, y in given:
            assert (y is None) == (classes == 0)
            if classes:  # the bar of ink begins at row 2 * label
                first = x[:, 0, :, 6:22].mean(2).gt(0.5).float().argmax(1)
                assert torch.equal(first, 2 * y)


def test_the_objective_depends_on_the_completed_fraction_of_the_run(made_up):
    seen = []

    def objective(vae, x, y, progress, generator):
        seen.append(progress)
        return ELBO()(vae, x, y, progress, generator)

    fit(start(made_up), epochs=4, lr=1e-2, objective=objective)
    assert seen == [step / 16 for step in range(16)]


def test_what_an_objective_notes_is_in_the_history(made_up):
    def objective(vae, x, y, progress, generator):
        bound, _ = ELBO()(vae, x, y, progress, generator)
        return bound, {"bound": bound, "ink": x.flatten(1).sum(1)}

    state = start(made_up)
    history = fit(state, epochs=1, lr=0.0, objective=objective)
    assert list(history.rows[0]) == ["epoch", "train_bound", "train_ink"]
    same = start(made_up)
    ink = torch.stack([x.flatten(1).sum(1).mean() for x, _ in same.batches]).mean().item()
    assert history.rows[0]["train_ink"] == pytest.approx(ink)
    assert fit(same, epochs=1, lr=0.0).rows[0].keys() == {"epoch", "train_elbo", "train_log_px", "train_kl"}


@pytest.mark.parametrize("objective", [ELBO(), IWAE(2)])
def test_a_log_variance_that_overflows_is_divergence(made_up, objective):
    state = start(made_up)
    with torch.no_grad():
        state.networks["vae"].encoder.net[-1].bias[2:] = 300.0
    with pytest.raises(DivergedError, match="epoch 1"):
        fit(state, epochs=2, lr=1e-2, objective=objective)
