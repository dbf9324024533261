"""The loop of every VAE, against steps taken by hand."""

import math
from functools import partial

import pytest
import torch

from gmlib import ImageDataset, recipes
from gmlib.data import Batches
from gmlib.errors import DivergedError
from gmlib.experiments.fit import fit_profile
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


@pytest.mark.parametrize("batch_norm", [True, False])
def test_elbo_rises_and_nothing_is_printed(made_up, capfd, batch_norm):
    history = fit(
        start(made_up, batch_norm=batch_norm), epochs=30, lr=1e-2, validate=partial(validate_vae, images=made_up)
    )
    assert capfd.readouterr() == ("", "")
    for column in ("train_elbo", "validation_elbo"):
        values = history.column(column)
        assert all(math.isfinite(value) for value in values)
        assert values[-1] > values[0] + 100
    # the images are ten patterns with little noise: the coder of pixels alone needs far more nats
    frequency = made_up.grey().mean(0).flatten().double()
    independent = (frequency * frequency.log() + (1 - frequency) * (1 - frequency).log()).sum().item()
    assert history.column("train_elbo")[-1] > independent


def test_rows_have_the_same_columns_and_add_up(made_up):
    history = fit(start(made_up), epochs=3, lr=1e-2, validate=partial(validate_vae, images=made_up))
    names = [f"{split}_{term}" for split in ("train", "validation") for term in ("elbo", "log_px", "kl")]
    for epoch, row in enumerate(history.rows, 1):
        assert sorted(row) == sorted(["epoch", *names])
        assert row["epoch"] == epoch
        for split in ("train", "validation"):
            elbo = row[f"{split}_log_px"] - row[f"{split}_kl"]
            assert row[f"{split}_elbo"] == pytest.approx(elbo, abs=2e-4)
            assert row[f"{split}_kl"] >= 0
            assert row[f"{split}_log_px"] < 0
    without = fit(start(made_up), epochs=1, lr=1e-2)
    assert sorted(without.rows[0]) == ["epoch", "train_elbo", "train_kl", "train_log_px"]


def test_images_without_labels_train_what_needs_none(made_up, refused):
    plain = ImageDataset(made_up.images)
    rows = [
        fit(start(each), epochs=2, lr=1e-2, validate=partial(validate_vae, images=each)).rows
        for each in (plain, made_up)
    ]
    assert rows[0] == rows[1]
    with refused("images without labels for a network that needs them"):
        fit(start(plain, classes=10), epochs=1, lr=1e-2)
    with refused("own images without labels"):
        fit(start(made_up, classes=10), epochs=1, lr=1e-2, validate=partial(validate_vae, images=plain))


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
            gradients = torch.autograd.grad(
                (log_px - beta * kl).mean(), list(vae.parameters())
            )  # fresh ones at each step
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
    """Steps taken by hand again, with k = 5; one draw is the ELBO, whose KL is in closed form."""
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


@pytest.mark.parametrize("decay", [True, False])
def test_learning_rate_follows_the_cosine(made_up, decay):
    rates = []
    state = start(made_up)
    fit(
        state, epochs=5, lr=0.02, decay=decay, on_step=lambda s: rates.append(s.optimisers["vae"].param_groups[0]["lr"])
    )
    # 20 steps; the oracle is torch's own schedule
    if decay:
        dummy = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.02)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(dummy, T_max=20)
        expected = []
        for _ in range(20):
            expected.append(schedule.get_last_lr()[0])
            dummy.step()
            schedule.step()
    else:
        expected = [0.02] * 20
    assert rates == pytest.approx(expected, rel=1e-12)


def test_cosine_decay_at_its_ends_and_middle():
    assert cosine_decay(0.3, 0) == 0.3
    assert cosine_decay(0.3, 0.5) == pytest.approx(0.15)
    assert cosine_decay(0.3, 1) == 0


def test_batch_norm_learns_in_training_only(made_up):
    state, modes, validation_modes = start(made_up, batch_norm=True), [], []
    vae = state.networks["vae"].eval()  # as it comes out of a Run

    def note(module, inputs):
        found = {m.training for m in vae.modules()}
        (modes if torch.is_grad_enabled() and not torch.is_inference_mode_enabled() else validation_modes).append(found)

    vae.encoder.register_forward_pre_hook(note)
    tracked = []
    fit(
        state,
        epochs=2,
        lr=1e-2,
        validate=partial(validate_vae, images=made_up),
        on_epoch=lambda s: tracked.append(int(vae.encoder.net[1].num_batches_tracked)),
    )
    assert modes == [{True}] * 8
    assert validation_modes == [{False}] * 2
    assert tracked == [4, 8]  # validation is no batch


def test_callbacks_come_after_each_step_and_each_epoch(made_up):
    seen = []
    state = start(made_up)
    history = fit(
        state,
        epochs=3,
        lr=1e-2,
        on_step=lambda s: seen.append(("step", s.step, len(s.history))),
        on_epoch=lambda s: seen.append(("epoch", s.epoch, len(s.history))),
    )
    expected = []
    for epoch in range(3):
        expected += [("step", 4 * epoch + i + 1, epoch) for i in range(4)] + [("epoch", epoch + 1, epoch + 1)]
    assert seen == expected
    assert history is state.history
    assert state.seconds > 0


def test_a_trained_state_goes_on_to_the_length_of_the_run(made_up):
    state = start(made_up)
    fit(state, epochs=2, lr=1e-2)
    done = weights(state)
    fit(state, epochs=2, lr=1e-2)
    assert all(torch.equal(a, b) for a, b in zip(weights(state), done, strict=True))
    fit(state, epochs=3, lr=1e-2)
    assert state.history.column("epoch") == [1, 2, 3]
    assert state.step == 12


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


def test_validation_does_not_change_training(made_up):
    plain, validated = start(made_up, batch_norm=True), start(made_up, batch_norm=True)
    fit(plain, epochs=2, lr=1e-2)
    fit(validated, epochs=2, lr=1e-2, validate=partial(validate_vae, images=made_up))
    assert all(torch.equal(a, b) for a, b in zip(weights(plain), weights(validated), strict=True))


def test_loop_trains_the_networks_of_a_recipe(made_up):
    networks = {"vae": recipes.VAE.build()}
    optimiser = torch.optim.Adam(networks["vae"].parameters(), lr=1e-2)
    state = State(networks, {"vae": optimiser}, Batches(made_up, 32, binarised=True), torch.Generator().manual_seed(0))
    before = weights(state)
    fit(state, epochs=1, lr=1e-2)
    assert not any(torch.equal(a, b) for a, b in zip(weights(state), before, strict=True))


def test_the_objective_is_given_the_share_of_the_run_that_is_done(made_up):
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


def test_free_nats_keep_a_kl_that_training_would_give_up(made_up):
    free = fit(start(made_up), epochs=30, lr=1e-2, objective=ELBO(free_nats=30.0))
    paid = fit(start(made_up), epochs=30, lr=1e-2)
    assert free.column("train_kl")[-1] > paid.column("train_kl")[-1] + 5


# what cannot be trained, and what is frozen


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_training_needs_gradients(made_up, refused, mode, tmp_path):
    state = start(made_up)
    before = weights(state)
    with mode(), refused("torch.no_grad", "outside"):
        fit(state, epochs=1, lr=1e-2)
    with mode(), refused("torch.no_grad", "outside"):
        fit_profile(recipes.VAE, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert state.batches.position == 0
    assert all(torch.equal(a, b) for a, b in zip(weights(state), before, strict=True))


def test_weights_that_cannot_learn(made_up, refused):
    with torch.inference_mode():
        made = MLPDecoder(2)
    state = start(made_up)
    state.networks["vae"].decoder.logits = made
    with refused("got a vae that was made within torch.inference_mode()"):
        fit(state, epochs=1, lr=1e-2)
    state = start(made_up)
    state.networks["vae"].requires_grad_(False)
    with refused("got a vae whose weights are all frozen"):
        fit(state, epochs=1, lr=1e-2)


def test_a_norm_that_was_frozen_stays_frozen(made_up):
    """It keeps its running statistics, through validation and a second epoch; the other norm does not."""
    state = start(made_up, batch_norm=True)
    vae = state.networks["vae"]
    frozen, other = vae.encoder.net[1].eval(), vae.decoder.logits.net[1]
    fit(state, epochs=2, lr=1e-2, validate=partial(validate_vae, images=made_up))
    assert not frozen.training
    assert int(frozen.num_batches_tracked) == 0
    assert int(other.num_batches_tracked) == 8


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"epochs": -1}, "got epochs -1"),
        ({"epochs": 1.5}, "got epochs 1.5"),
        ({"lr": -1e-2}, "got lr -0.01"),
        ({"lr": math.nan}, "got lr nan"),
        ({"lr": math.inf}, "got lr inf"),
    ],
)
def test_settings_that_make_no_training(made_up, refused, unchecked, wrong, text):
    state = start(made_up)
    before = weights(state)
    with refused(text, "expected"):
        fit(state, **{"epochs": 1, "lr": 1e-2} | wrong)
    assert all(torch.equal(a, b) for a, b in zip(weights(state), before, strict=True))


@pytest.mark.parametrize("objective", [ELBO(), IWAE(2)])
def test_a_log_variance_that_overflows_is_divergence(made_up, objective):
    state = start(made_up)
    with torch.no_grad():
        state.networks["vae"].encoder.net[-1].bias[2:] = 300.0
    with pytest.raises(DivergedError, match="epoch 1"):
        fit(state, epochs=2, lr=1e-2, objective=objective)


def test_batches_of_one_have_no_statistics(made_up):
    state = start(made_up, batch_norm=True)
    state.batches = Batches(made_up, 1, binarised=True)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        fit(state, epochs=1, lr=1e-2)
