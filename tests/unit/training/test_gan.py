"""The loop of every GAN: steps taken by hand, the order of the steps, rounds, resume, and what is refused."""

import itertools
import math
import warnings
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gmlib.data import Batches
from gmlib.errors import DivergedError
from gmlib.models import GAN, MLPCritic, MLPGenerator
from gmlib.objectives import MINIMAX, NON_SATURATING, RELATIVISTIC, WASSERSTEIN_CLIPPED, WASSERSTEIN_PENALTY
from gmlib.training import State, critic_steps, fit_gan, generate
from gmlib.training.checkpoint import pack as checkpoint_of
from gmlib.training.checkpoint import unpack
from gmlib.training.gan import warmup_critic_steps
from tests.unit.training.common import SETTINGS, continue_from, differences, weights

LR = 0.02
SMALL_LR = LR / 4  # small enough that differences of rounding stay below the tolerance


def start(
    digits,
    *,
    batch_size: int = 16,
    classes: int = 0,
    norm: bool = False,
    critic_norm: bool = False,
    dropout: float = 0.0,
    pack: int = 1,
    ema: float = 0.0,
    optimiser=torch.optim.SGD,
    seed: int = 0,
) -> State:
    torch.manual_seed(seed)
    norm_of_critic = "batch" if critic_norm else None
    networks = {
        "generator": MLPGenerator(4, classes, hidden=(12, 20), batch_norm=norm),
        "critic": MLPCritic(classes, hidden=(20, 12), norm=norm_of_critic, dropout=dropout, channels=pack),
    }
    optimisers = {name: optimiser(network.parameters(), lr=LR) for name, network in networks.items()}
    batches = Batches(digits, batch_size, binarised=False, seed=1)
    generator = torch.Generator().manual_seed(seed + 2)
    return State(networks, optimisers, batches, generator, averaged="generator", ema=ema)


def fit(state: State, *, lr: float = LR, **options):
    """Train from a state for one epoch, or as the options say, and return the history."""
    return continue_from(state, fit_gan, GAN(**state.networks), **{"epochs": 1, "lr": lr} | options).history


def gradients(network: nn.Module) -> list[torch.Tensor | None]:
    return [None if parameter.grad is None else parameter.grad.clone() for parameter in network.parameters()]


# steps taken by hand


def cross_entropy(score: torch.Tensor, answer: float) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(score, torch.full_like(score, answer))


def descend(network: nn.Module, loss: torch.Tensor) -> None:
    slopes = torch.autograd.grad(loss, list(network.parameters()))  # fresh ones at each step
    with torch.no_grad():
        for parameter, slope in zip(network.parameters(), slopes, strict=True):
            parameter -= SMALL_LR * slope


LOSSES = {
    "non-saturating": (
        NON_SATURATING,
        lambda real, fake: cross_entropy(real, 1) + cross_entropy(fake, 0),
        lambda fake, real: cross_entropy(fake, 1),
    ),
    "minimax": (
        MINIMAX,
        lambda real, fake: cross_entropy(real, 1) + cross_entropy(fake, 0),
        lambda fake, real: -cross_entropy(fake, 0),
    ),
    "clipped": (WASSERSTEIN_CLIPPED, lambda real, fake: fake.mean() - real.mean(), lambda fake, real: -fake.mean()),
    "penalty": (WASSERSTEIN_PENALTY, lambda real, fake: fake.mean() - real.mean(), lambda fake, real: -fake.mean()),
    "relativistic": (
        RELATIVISTIC,
        lambda real, fake: cross_entropy(real - fake, 1),
        lambda fake, real: cross_entropy(fake - real, 1),
    ),
}


@pytest.mark.parametrize(
    ("name", "sizes", "options"),
    [
        ("non-saturating", {}, {}),
        ("non-saturating", {"norm": True, "critic_norm": True}, {"n_critic": 2}),
        ("non-saturating", {}, {"n_critic": 3, "n_generator": 2}),
        ("non-saturating", {"pack": 2}, {"pack": 2}),
        ("minimax", {"classes": 10, "critic_norm": True}, {}),
        ("clipped", {}, {"n_critic": 3}),
        ("penalty", {"classes": 10, "norm": True}, {"n_critic": 3}),
        ("penalty", {"pack": 4}, {"pack": 4, "n_critic": 2}),
        ("relativistic", {"classes": 10}, {"n_critic": 2, "n_generator": 2}),
        ("relativistic", {"pack": 2}, {"pack": 2}),
    ],
)
def test_steps_are_those_of_plain_gradient_descent(made_up, name, sizes, options):
    """Each loss from torch's own cross-entropy or a difference of means; real and fake images apart, through batch norm."""
    objective, critic_loss, generator_loss = LOSSES[name]
    state, by_hand = start(made_up, **sizes), start(made_up, **sizes)
    history = fit(state, lr=SMALL_LR, epochs=3, objective=objective, **options)

    generator, critic, rng = by_hand.networks["generator"], by_hand.networks["critic"], by_hand.rng
    m, rows, steps, relativistic = options.get("pack", 1), [], 0, name == "relativistic"

    def fake_packs(y: torch.Tensor | None) -> torch.Tensor:
        return generator(torch.randn(16, 4, generator=rng), y).reshape(16 // m, m, 28, 28)

    for _ in range(3):
        batch_means, losses = [], []
        for x, y in by_hand.batches:
            y, real = (y if sizes.get("classes") else None), x.reshape(16 // m, m, 28, 28)
            fake = fake_packs(y).detach()
            real_scores, fake_scores = critic(real, y), critic(fake, y)
            loss = critic_loss(real_scores, fake_scores)
            if name == "penalty":
                eps = torch.rand(16 // m, 1, 1, 1, generator=rng)
                between = (eps * real + (1 - eps) * fake).requires_grad_()
                (slope,) = torch.autograd.grad(critic(between, y).sum(), between, create_graph=True)
                loss = loss + 10 * ((slope.square().sum((1, 2, 3)).sqrt() - 1) ** 2).mean()
            if relativistic:
                torch.rand(16 // m, 1, 1, 1, generator=rng)
                for points in (real.clone().requires_grad_(), fake.clone().requires_grad_()):
                    (slope,) = torch.autograd.grad(critic(points, y).sum(), points, create_graph=True)
                    loss = loss + 0.01 * slope.square().sum((1, 2, 3)).mean()
            scores = torch.stack([real_scores, fake_scores]).detach()
            batch_means.append(torch.cat([loss.detach().view(1), scores.mean(1), scores.sigmoid().mean(1)]))
            descend(critic, loss)
            if name == "clipped":
                with torch.no_grad():
                    for parameter in critic.parameters():
                        parameter.clamp_(-0.01, 0.01)
            steps += 1
            if steps % options.get("n_critic", 1) == 0:
                for _ in range(options.get("n_generator", 1)):
                    loss = generator_loss(critic(fake_packs(y), y), critic(real, y) if relativistic else None)
                    losses.append(loss.item())
                    descend(generator, loss)
        means = torch.stack(batch_means).mean(0).tolist()
        names = ["critic_loss", "real_score", "fake_score", "real_sigmoid", "fake_sigmoid"]
        rows.append(dict(zip(names, means, strict=True)) | {"generator_steps": len(losses)})
        rows[-1]["generator_loss"] = sum(losses) / len(losses)

    for name, network in by_hand.networks.items():
        found = state.networks[name].state_dict()  # also the statistics of batch norm
        for key, value in network.state_dict().items():
            torch.testing.assert_close(found[key], value, rtol=1e-5, atol=1e-5)
    for epoch, (row, expected) in enumerate(zip(history.rows, rows, strict=True), 1):
        assert row == pytest.approx({"epoch": epoch, **expected}, rel=1e-4, abs=1e-5)
        assert list(row) == [
            *("epoch", "critic_loss", "real_score", "fake_score", "real_sigmoid", "fake_sigmoid"),
            *("generator_loss", "generator_steps"),
        ]


# which network changes when


@pytest.mark.parametrize("objective", [NON_SATURATING, WASSERSTEIN_PENALTY])
def test_a_step_changes_one_network_and_leaves_weights_and_gradients_of_the_other(made_up, objective):
    state = start(made_up, norm=True)
    records = []

    def record(stepped: str) -> None:
        records.append((stepped, {key: (weights(net), gradients(net)) for key, net in state.networks.items()}))

    record("neither")
    for name, optimiser in state.optimisers.items():
        optimiser.register_step_post_hook(lambda *_, name=name: record(name))
    fit(state, epochs=2, objective=objective, n_critic=2, n_generator=2)
    assert [name for name, _ in records[1:]] == ["critic", "critic", "generator", "generator"] * 4
    for (_, before), (stepped, after) in itertools.pairwise(records):
        for name in state.networks:
            assert (differences(before[name], after[name]) == []) is (name != stepped), (stepped, name)


def test_frozen_layers_stay_frozen_and_the_critic_can_be_trained_after_a_step_that_failed(made_up):
    def fail(fake):
        raise KeyboardInterrupt

    state = start(made_up)
    critic = state.networks["critic"]
    frozen = critic.net[0].requires_grad_(False)
    before = frozen.weight.clone()
    with pytest.raises(KeyboardInterrupt):
        fit(state, objective=replace(NON_SATURATING, generator=fail))
    assert torch.equal(frozen.weight, before)
    assert [p.requires_grad for p in critic.parameters()] == [False] * 2 + [True] * (len([*critic.parameters()]) - 2)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_images_of_given_latents_are_those_of_the_average(made_up, ema):
    state = start(made_up, classes=10, norm=True, ema=ema)
    fit(state)
    z, y = torch.randn(10, 4, generator=torch.Generator().manual_seed(3)), torch.arange(10)
    before = state.state_dict()
    images = generate(state, z, y)
    assert not images.requires_grad
    assert all(module.training for module in state.result()["generator"].modules())
    assert differences(state.state_dict(), before) == []
    expected = (state.averages or state.networks)["generator"].eval()
    assert torch.equal(images, expected(z, y))


def test_a_run_that_diverged_is_not_validated(made_up):
    infinite = replace(NON_SATURATING, critic=lambda real, fake: real * math.inf)
    with pytest.raises(DivergedError, match=r"critic_loss is .* in epoch 1"):
        fit(start(made_up), objective=infinite, n_critic=9, validate=lambda _: pytest.fail("validated"))


@pytest.mark.parametrize(("decay", "critic_lr"), [(True, None), (True, 3 * LR), (False, 3 * LR)])
def test_each_network_has_its_learning_rate_and_both_follow_the_cosine(made_up, decay, critic_lr):
    """The oracle for 20 steps is torch's own schedule."""
    rates = {"generator": [], "critic": []}

    def record(state: State) -> None:
        for name, optimiser in state.optimisers.items():
            rates[name].append(optimiser.param_groups[0]["lr"])

    fit(start(made_up), epochs=5, n_critic=2, decay=decay, critic_lr=critic_lr, on_step=record)
    for name, lr in (("generator", LR), ("critic", critic_lr or LR)):
        optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=20)
        expected = []
        for _ in range(20):
            expected.append(schedule.get_last_lr()[0] if decay else lr)
            optimiser.step()
            schedule.step()
        assert rates[name] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "falls"),
    [
        ({"cooldown": 0.4}, {"generator": "linear", "critic": "linear"}),
        ({"decay": True, "critic_decay": False, "cooldown": 0.4}, {"generator": "cosine", "critic": "linear"}),
        ({"critic_decay": True}, {"generator": "constant", "critic": "cosine"}),
    ],
)
def test_each_network_has_its_schedule(made_up, options, falls):
    """Of 20 steps, the last 8 are a cooldown of 0.4; before it the rate is exactly constant."""
    expected = {
        "constant": [LR] * 20,
        "linear": [LR] * 12 + [LR * (20 - step) / 8 for step in range(12, 20)],
        "cosine": [LR * (1 + math.cos(math.pi * step / 20)) / 2 for step in range(20)],
    }
    rates = {"generator": [], "critic": []}

    def record(state: State) -> None:
        for name, optimiser in state.optimisers.items():
            rates[name].append(optimiser.param_groups[0]["lr"])

    fit(start(made_up), epochs=5, on_step=record, **options)
    for name, fall in falls.items():
        assert rates[name] == pytest.approx(expected[fall], rel=1e-12)
    if falls["critic"] == "linear":
        assert rates["critic"][:13] == [LR] * 13


# rounds


def test_callbacks_come_in_order_and_nothing_is_printed(made_up, capfd):
    calls = []
    fit(
        start(made_up),
        epochs=2,
        n_critic=2,
        on_step=lambda s: calls.append((s.step, s.critic_steps_in_round, s.rounds, len(s.history))),
        on_epoch=lambda s: calls.append(("epoch", s.epoch, len(s.history))),
    )
    assert capfd.readouterr() == ("", "")
    assert calls == [
        *[(1, 1, 0, 0), (2, 0, 1, 0), (3, 1, 1, 0), (4, 0, 2, 0), ("epoch", 1, 1)],
        *[(5, 1, 2, 1), (6, 0, 3, 1), (7, 1, 3, 1), (8, 0, 4, 1), ("epoch", 2, 2)],
    ]


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({}, [4, 4, 4]),
        ({"n_critic": 3, "n_generator": 2}, [2, 2, 4]),  # rounds continue across the end of an epoch
        ({"n_critic": 6}, [0, 1, 1]),
    ],
)
def test_generator_steps_per_epoch(made_up, options, steps):
    state = start(made_up, ema=0.9)
    history = fit(state, epochs=3, **options)
    assert history.column("generator_steps") == steps
    assert [loss is None for loss in history.column("generator_loss")] == [number == 0 for number in steps]
    assert state.average_updates == sum(steps)
    assert state.rounds == sum(steps) // options.get("n_generator", 1)


@pytest.mark.parametrize("n_critic", [1, 5])
def test_the_critic_takes_more_steps_during_the_warm_up(n_critic):
    steps = [critic_steps(rounds, n_critic, 100) for rounds in range(1501)]
    assert [rounds for rounds, number in enumerate(steps) if number == 100] == [*range(25), 500, 1000, 1500]
    assert set(steps) == {100, n_critic}
    assert critic_steps(0, n_critic, 1) == n_critic  # no round is shorter
    assert [warmup_critic_steps(total) for total in (46_860, 25_000, 24_999, 2_500, 249)] == [100, 100, 99, 10, 0]


@pytest.mark.parametrize(
    ("rounds", "warmup", "expected"),
    [
        (23, True, [23, 23, 24, 24, 24, 25, 25, 26, 26, 27, 27, 28]),
        (499, True, [499, 500, 500, 500, 501, 501, 502, 502, 503, 503, 504, 504]),
        (23, False, [23, 24, 24, 25, 25, 26, 26, 27, 27, 28, 28, 29]),
    ],
)
def test_the_loop_follows_the_warm_up(made_up, monkeypatch, rounds, warmup, expected):
    """With three critic steps in a round of the warm-up, in place of 100."""
    monkeypatch.setattr("gmlib.training.gan.warmup_critic_steps", lambda steps: 3 if steps == 12 else 0)
    state, found = start(made_up), []
    state.rounds = rounds
    options = {"warmup": True} if warmup else {}  # otherwise no argument: there is no warm-up
    fit(state, epochs=3, n_critic=2, **options, on_step=lambda state: found.append(state.rounds))
    assert found == expected


@pytest.mark.parametrize("step", [1, 4, 11])
def test_resumed_equals_never_stopped(made_up, step):
    """Bit for bit, also within a round, with dropout in the critic and an average of the generator."""
    sizes = {"norm": True, "dropout": 0.3, "ema": 0.9, "optimiser": torch.optim.Adam}
    options = {"lr": 1e-3, "decay": True, "n_critic": 3, "n_generator": 2, "epochs": 4}
    saved, whole = {}, start(made_up, **sizes)
    fit(whole, on_step=lambda state: saved.update({state.step: checkpoint_of(state, SETTINGS)}), **options)
    fresh = start(made_up, seed=7, **sizes)
    unpack(saved[step], fresh, SETTINGS)
    assert (fresh.step, fresh.critic_steps_in_round, fresh.rounds) == (step, step % 3, step // 3)
    assert (fresh.average_updates, fresh.epoch) == (2 * (step // 3), (step - 1) // 4)
    fit(fresh, **options)
    assert differences(fresh.state_dict(), whole.state_dict()) == []


# precision, and what is refused


@pytest.mark.parametrize(("objective", "norm"), [(NON_SATURATING, True), (WASSERSTEIN_PENALTY, False)])
def test_in_bfloat16_weights_and_losses_stay_float32(made_up, objective, norm):
    activations, scores = set(), set()

    def critic_loss(real, fake):
        scores.update({real.dtype, fake.dtype})
        return objective.critic(real, fake)

    def generator_loss(fake):
        scores.add(fake.dtype)
        return objective.generator(fake)

    exact, rough, fresh = (start(made_up, norm=norm, critic_norm=norm) for _ in range(3))
    for network in rough.networks.values():
        network.net[0].register_forward_hook(lambda module, inputs, output: activations.add(output.dtype))
    fit(exact, lr=5e-3, epochs=2, objective=objective)
    watched = replace(objective, critic=critic_loss, generator=generator_loss)
    fit(rough, lr=5e-3, epochs=2, objective=watched, bfloat16=True)
    assert activations == {torch.bfloat16}
    assert scores == {torch.float32}
    for name, network in rough.networks.items():
        assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
        error = (weights(network) - weights(exact.networks[name])).norm()
        assert 0 < error < 0.5 * (weights(network) - weights(fresh.networks[name])).norm()
    for exact_row, rough_row in zip(exact.history.rows, rough.history.rows, strict=True):
        assert exact_row == pytest.approx(rough_row, rel=0.05, abs=0.02)


def test_batch_norm_under_a_penalty_raises_a_warning(made_up):
    with pytest.warns(UserWarning, match="batch norm under gradient_penalty"):
        fit(start(made_up, critic_norm=True), objective=WASSERSTEIN_PENALTY)
    with warnings.catch_warnings(action="error"):
        fit(start(made_up, critic_norm=True))
        fit(start(made_up), objective=WASSERSTEIN_PENALTY)


@pytest.mark.parametrize("option", [{"n_critic": 0}, {"n_generator": -1}, {"pack": 0}, {"epochs": -1}])
def test_counts_out_of_their_range(made_up, refused, unchecked, option):
    (name,) = option
    with refused(f"got {name}"):
        fit(start(made_up), **option)


@pytest.mark.parametrize("norm", [False, True])
def test_scores_that_are_not_one_number_per_image(made_up, refused, unchecked, norm):
    state = start(made_up, critic_norm=norm)
    state.networks["critic"].register_forward_hook(lambda module, inputs, scores: scores[:, None])
    with refused("of shape", "axes (b)"):
        fit(state)
