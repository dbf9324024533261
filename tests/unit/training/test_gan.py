"""The loop of every GAN: steps taken by hand, the order of the steps, rounds and resume, and a Gaussian that is fitted."""

import itertools
import math
import warnings
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gmlib import ImageDataset
from gmlib.data import Batches
from gmlib.errors import DivergedError
from gmlib.models import GAN, MLPCritic, MLPGenerator
from gmlib.objectives import MINIMAX, NON_SATURATING, WASSERSTEIN_CLIPPED, WASSERSTEIN_PENALTY
from gmlib.training import State, critic_steps, fit_gan, generate
from gmlib.training.gan import critic_lead
from gmlib.training.state import pack as to_bytes
from gmlib.training.state import unpack
from tests.unit.training.going_on import go_on
from tests.unit.training.test_state import ABOUT, differences

LR = 0.02
SMALL = LR / 4  # keeps the differences of rounding, which the game amplifies, below the tolerance


@pytest.fixture
def marked(made_up):
    """The made-up digits, each with another value in its first pixel."""
    images = made_up.images.clone()
    images[:, 0, 0, 0] = torch.arange(64)
    return ImageDataset(images, made_up.labels, name="marked/train")


def start(
    digits,
    *,
    batch_size: int = 16,
    classes: int = 0,
    norm: bool = False,
    critic_norm: bool = False,
    dropout: float = 0.0,
    pack: int = 1,
    stack: int = 1,
    ema: float = 0.0,
    optimiser=torch.optim.SGD,
    seed: int = 0,
) -> State:
    torch.manual_seed(seed)
    networks = {
        "generator": MLPGenerator(4, classes, hidden=(12, 20), batch_norm=norm, channels=stack),
        "critic": MLPCritic(
            classes, hidden=(20, 12), norm="batch" if critic_norm else None, dropout=dropout, channels=stack * pack
        ),
    }
    optimisers = {name: optimiser(network.parameters(), lr=LR) for name, network in networks.items()}
    batches = Batches(digits, batch_size, binarised=False, stack=stack, seed=1)
    generator = torch.Generator().manual_seed(seed + 2)
    return State(networks, optimisers, batches, generator, averaged="generator", ema=ema)


def play(state: State, *, lr: float = LR, **game):
    return go_on(fit_gan, GAN(**state.networks), state, lr=lr, **game)


def weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def gradients(network: nn.Module) -> torch.Tensor | None:
    found = [parameter.grad for parameter in network.parameters()]
    return None if found[0] is None else torch.cat([gradient.flatten() for gradient in found])


def same(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    return a is b if a is None or b is None else torch.equal(a, b)


def seen(network: nn.Module) -> list[tuple]:
    """Return the list of a network's inputs from now on, each with whether its own weights take gradients."""
    inputs = []
    network.register_forward_pre_hook(
        lambda module, given: inputs.append(
            (*given, torch.is_grad_enabled() and next(module.parameters()).requires_grad)
        )
    )
    return inputs


# steps taken by hand


def cross_entropy(score: torch.Tensor, answer: float) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(score, torch.full_like(score, answer))


def descend(network: nn.Module, loss: torch.Tensor) -> None:
    slopes = torch.autograd.grad(loss, list(network.parameters()))  # fresh ones at each step
    with torch.no_grad():
        for parameter, slope in zip(network.parameters(), slopes, strict=True):
            parameter -= SMALL * slope


LOSSES = {
    "non-saturating": (
        NON_SATURATING,
        lambda real, fake: cross_entropy(real, 1) + cross_entropy(fake, 0),
        lambda fake: cross_entropy(fake, 1),
    ),
    "minimax": (
        MINIMAX,
        lambda real, fake: cross_entropy(real, 1) + cross_entropy(fake, 0),
        lambda fake: -cross_entropy(fake, 0),
    ),
    "clipped": (WASSERSTEIN_CLIPPED, lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean()),
    "penalty": (WASSERSTEIN_PENALTY, lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean()),
}


@pytest.mark.parametrize(
    ("name", "sizes", "game"),
    [
        ("non-saturating", {}, {}),
        ("non-saturating", {"norm": True, "critic_norm": True}, {"n_critic": 2}),
        ("non-saturating", {}, {"n_critic": 3, "n_generator": 2}),
        ("non-saturating", {"pack": 2}, {"pack": 2}),
        ("minimax", {"classes": 10, "critic_norm": True}, {}),
        ("clipped", {}, {"n_critic": 3}),
        ("penalty", {"classes": 10, "norm": True}, {"n_critic": 3}),
        ("penalty", {"pack": 4}, {"pack": 4, "n_critic": 2}),
    ],
)
def test_steps_are_those_of_plain_gradient_descent(made_up, name, sizes, game):
    """Each loss from torch's own cross-entropy or a difference of means; real and fake images apart, through batch norm."""
    objective, critic_loss, generator_loss = LOSSES[name]
    state, own = start(made_up, **sizes), start(made_up, **sizes)
    history = play(state, lr=SMALL, epochs=3, objective=objective, **game)

    generator, critic = own.networks["generator"], own.networks["critic"]
    m, rows, done = game.get("pack", 1), [], 0

    def sample(y: torch.Tensor | None) -> torch.Tensor:
        return generator(torch.randn(16, 4, generator=own.generator), y).reshape(16 // m, m, 28, 28)

    for _ in range(3):
        notes, losses = [], []
        for x, y in own.batches:
            y, real = (y if sizes.get("classes") else None), x.reshape(16 // m, m, 28, 28)
            fake = sample(y).detach()
            on_real, on_fake = critic(real, y), critic(fake, y)
            loss = critic_loss(on_real, on_fake)
            if name == "penalty":
                eps = torch.rand(16 // m, 1, 1, 1, generator=own.generator)
                between = (eps * real + (1 - eps) * fake).requires_grad_()
                (slope,) = torch.autograd.grad(critic(between, y).sum(), between, create_graph=True)
                loss = loss + 10 * ((slope.square().sum((1, 2, 3)).sqrt() - 1) ** 2).mean()
            scores = torch.stack([on_real, on_fake]).detach()
            notes.append(torch.cat([loss.detach().view(1), scores.mean(1), scores.sigmoid().mean(1)]))
            descend(critic, loss)
            if name == "clipped":
                with torch.no_grad():
                    for parameter in critic.parameters():
                        parameter.clamp_(-0.01, 0.01)
            done += 1
            if done % game.get("n_critic", 1) == 0:
                for _ in range(game.get("n_generator", 1)):
                    loss = generator_loss(critic(sample(y), y))
                    losses.append(loss.item())
                    descend(generator, loss)
        means = torch.stack(notes).mean(0).tolist()
        names = ["critic_loss", "real_score", "fake_score", "real_sigmoid", "fake_sigmoid"]
        rows.append(dict(zip(names, means, strict=True)) | {"generator_steps": len(losses)})
        rows[-1]["generator_loss"] = sum(losses) / len(losses)

    for network in ("generator", "critic"):
        found, expected = (of.networks[network].state_dict() for of in (state, own))  # and batch norm's statistics
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, rtol=1e-5, atol=1e-5)
    for epoch, (row, expected) in enumerate(zip(history.rows, rows, strict=True), 1):
        assert row == pytest.approx({"epoch": epoch, **expected}, rel=1e-4, abs=1e-5)
        assert list(row) == [
            *("epoch", "critic_loss", "real_score", "fake_score", "real_sigmoid", "fake_sigmoid"),
            *("generator_loss", "generator_steps"),
        ]


# which network changes when


@pytest.mark.parametrize("objective", [NON_SATURATING, WASSERSTEIN_PENALTY])
def test_one_learns_while_the_other_stays_as_it_is(made_up, objective):
    """Bit for bit, in weights and in gradients."""
    state = start(made_up, norm=True)
    networks, moves = state.networks, []

    def note(name: str) -> None:
        now = {key: (weights(network), gradients(network)) for key, network in networks.items()}
        moves.append((name, now))

    note("nobody")
    for name, optimiser in state.optimisers.items():
        optimiser.register_step_post_hook(lambda *_, name=name: note(name))
    play(state, epochs=2, objective=objective, n_critic=2, n_generator=2)
    note("nobody")
    assert [name for name, _ in moves[1:-1]] == ["critic", "critic", "generator", "generator"] * 4
    for (_, before), (mover, after) in itertools.pairwise(moves):
        for name in networks:
            assert torch.equal(before[name][0], after[name][0]) is (name != mover), (mover, name)
            assert same(before[name][1], after[name][1]) is (name != mover), (mover, name)
    assert all(parameter.requires_grad for network in networks.values() for parameter in network.parameters())


def test_noise_and_real_images_are_fresh_at_each_step(marked):
    state = start(marked)
    latents, judged = seen(state.networks["generator"]), seen(state.networks["critic"])
    play(state, epochs=2, objective=NON_SATURATING, n_critic=2, n_generator=3)
    assert len(latents) == 8 + 4 * 3
    every = torch.cat([z for z, *_ in latents])
    assert len(every.unique(dim=0)) == len(every) == 16 * 20
    # in an epoch of four critic steps, each of the 64 images is there once
    batches = [x[:16] for x, _, learns in judged if learns]
    assert len(batches) == 8
    for epoch in (batches[:4], batches[4:]):
        found = (255 * torch.cat(epoch)[:, 0, 0, 0]).round().int()
        assert sorted(found.tolist()) == list(range(64))
    # the samples that the generator learns from are others than the critic learned from
    fakes = torch.cat([x[16:] if learns else x for x, _, learns in judged])
    assert len(fakes.unique(dim=0)) == len(fakes) == 16 * 20


def test_generated_images_have_the_labels_of_the_real_ones(made_up):
    state = start(made_up, classes=10)
    asked, judged = seen(state.networks["generator"]), seen(state.networks["critic"])
    play(state, epochs=2, objective=NON_SATURATING, n_critic=2)
    labels = iter(asked)
    for x, y, learns in judged:
        _, wanted, _ = next(labels)
        assert torch.equal(y[-16:], wanted)  # of the generated images
        if learns:  # real and generated images in one pass; the bar of ink begins at row 2 · label
            assert torch.equal(x[:16, 0, :, 6:22].mean(2).gt(0.5).float().argmax(1), 2 * y[:16])
            of_the_batch = wanted
            assert torch.equal(y[:16], wanted)
        assert torch.equal(wanted, of_the_batch)
    assert next(labels, None) is None


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_images_are_drawn_from_the_average_and_the_run_does_not_change(made_up, ema):
    state = start(made_up, classes=10, norm=True, ema=ema)
    play(state, epochs=1, objective=NON_SATURATING)
    z, y = torch.randn(10, 4, generator=torch.Generator().manual_seed(3)), torch.arange(10)
    before = state.state_dict()
    samples = generate(state, z, y)
    assert not samples.requires_grad
    assert all(part.training for part in state.result()["generator"].modules())
    assert differences(state.state_dict(), before) == []
    expected = (state.averages or state.networks)["generator"].eval()
    assert torch.equal(samples, expected(z, y))


def test_validation_does_not_change_training(made_up):
    plain, validated = (start(made_up, norm=True, dropout=0.3, ema=0.9) for _ in range(2))
    for state, validate in ((plain, None), (validated, lambda gan: {"ink": float(gan.sample(20).mean())})):
        torch.manual_seed(5)  # of dropout
        play(state, epochs=1, objective=NON_SATURATING)
        torch.manual_seed(5)
        play(state, epochs=2, objective=NON_SATURATING, validate=validate)
    assert validated.history.rows[-1].pop("ink") > 0
    assert (
        differences(plain.state_dict() | {"global_generator": 0}, validated.state_dict() | {"global_generator": 0})
        == []
    )


def test_a_run_that_diverged_is_not_validated(made_up):
    infinite = replace(NON_SATURATING, critic=lambda real, fake: real * math.inf)
    with pytest.raises(DivergedError, match=r"critic_loss is .* in epoch 1"):
        play(start(made_up), epochs=1, objective=infinite, n_critic=9, validate=lambda _: pytest.fail("validated"))


def test_nothing_is_printed_and_callbacks_come_in_order(made_up, capfd):
    calls, state = [], start(made_up)
    history = play(
        state,
        epochs=2,
        objective=NON_SATURATING,
        n_critic=2,
        on_step=lambda s: calls.append((s.step, s.since, s.rounds, len(s.history))),
        on_epoch=lambda s: calls.append(("epoch", s.epoch, len(s.history))),
    )
    assert capfd.readouterr() == ("", "")
    assert history is state.history
    assert calls == [
        *[(1, 1, 0, 0), (2, 0, 1, 0), (3, 1, 1, 0), (4, 0, 2, 0), ("epoch", 1, 1)],
        *[(5, 1, 2, 1), (6, 0, 3, 1), (7, 1, 3, 1), (8, 0, 4, 1), ("epoch", 2, 2)],
    ]


@pytest.mark.parametrize(("decay", "critic_lr"), [(True, None), (True, 3 * LR), (False, 3 * LR)])
def test_each_network_has_its_learning_rate_and_both_follow_the_cosine(made_up, decay, critic_lr):
    state, rates = start(made_up), []
    play(
        state,
        epochs=5,
        objective=NON_SATURATING,
        n_critic=2,
        decay=decay,
        critic_lr=critic_lr,
        on_step=lambda s: rates.append([s.optimisers[n].param_groups[0]["lr"] for n in ("generator", "critic")]),
    )
    # 20 steps; the oracle is torch's own schedule
    dummy = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(dummy, T_max=20)
    expected = []
    for _ in range(20):
        expected.append(schedule.get_last_lr()[0] if decay else LR)
        dummy.step()
        schedule.step()
    for place, factor in enumerate((1, 3 if critic_lr else 1)):
        assert [pair[place] for pair in rates] == pytest.approx([factor * rate for rate in expected], rel=1e-12)


# rounds


@pytest.mark.parametrize(
    ("batch_size", "game", "steps"),
    [
        (6, {"n_critic": 5}, [2, 2]),  # ten batches an epoch
        (16, {}, [4, 4, 4]),
        (16, {"n_critic": 3}, [1, 1, 2]),  # rounds run across the end of an epoch
        (16, {"n_critic": 3, "n_generator": 2}, [2, 2, 4]),
        (16, {"n_critic": 6}, [0, 1, 1]),
    ],
)
def test_an_epoch_has_the_generator_steps_that_its_rounds_leave(made_up, batch_size, game, steps):
    state = start(made_up, batch_size=batch_size, ema=0.9)
    count = []
    state.optimisers["generator"].register_step_post_hook(lambda *_: count.append(state.epoch))
    history = play(state, epochs=len(steps), objective=NON_SATURATING, **game)
    assert history.column("generator_steps") == steps == [count.count(epoch) for epoch in range(len(steps))]
    assert [loss is None for loss in history.column("generator_loss")] == [number == 0 for number in steps]
    assert state.averagings == sum(steps)
    assert state.rounds == sum(steps) // game.get("n_generator", 1)
    assert state.step == len(steps) * len(state.batches)


@pytest.mark.parametrize("n_critic", [1, 5])
def test_the_critic_takes_more_steps_during_the_warm_up(n_critic):
    leads = [rounds for rounds in range(1501) if critic_steps(rounds, n_critic, 100) == 100]
    assert leads == [*range(25), 500, 1000, 1500]
    assert {critic_steps(rounds, n_critic, 100) for rounds in range(1501)} == {100, n_critic}
    assert {critic_steps(rounds, n_critic, 1) for rounds in range(1501)} == {n_critic}  # no round is shorter
    assert [critic_lead(steps) for steps in (46_860, 25_000, 24_999, 2_500, 249)] == [100, 100, 99, 10, 0]


@pytest.mark.parametrize(
    ("rounds", "warmup", "expected"),
    [
        (23, True, [23, 23, 24, 24, 24, 25, 25, 26, 26, 27, 27, 28]),
        (499, True, [499, 500, 500, 500, 501, 501, 502, 502, 503, 503, 504, 504]),
        (23, False, [23, 24, 24, 25, 25, 26, 26, 27, 27, 28, 28, 29]),
    ],
)
def test_the_loop_follows_the_warm_up(made_up, monkeypatch, rounds, warmup, expected):
    """With a lead of three steps in place of 100."""
    monkeypatch.setattr("gmlib.training.gan.critic_lead", lambda steps: 3 if steps == 12 else 0)
    state, found = start(made_up), []
    state.rounds = rounds
    play(
        state,
        epochs=3,
        objective=NON_SATURATING,
        n_critic=2,
        warmup=warmup,
        on_step=lambda state: found.append(state.rounds),
    )
    assert found == expected


def test_a_trained_state_continues_to_the_length_of_the_run(made_up):
    state = start(made_up)
    play(state, epochs=2, objective=NON_SATURATING, n_critic=3)
    done = {name: weights(network) for name, network in state.networks.items()}
    play(state, epochs=2, objective=NON_SATURATING, n_critic=3)
    assert all(torch.equal(weights(state.networks[name]), value) for name, value in done.items())
    play(state, epochs=3, objective=NON_SATURATING, n_critic=3)
    whole = start(made_up)
    play(whole, epochs=3, objective=NON_SATURATING, n_critic=3)
    again, once = state.state_dict(), whole.state_dict()
    assert differences(again | {"global_generator": None}, once | {"global_generator": None}) == []


def test_a_state_that_continues_with_shorter_rounds(made_up):
    """The current round is longer already than the new ones, so that the generator's step comes at once."""
    state = start(made_up)
    play(state, epochs=1, objective=NON_SATURATING, n_critic=9)
    assert (state.since, state.rounds) == (4, 0)
    history = play(state, epochs=2, objective=NON_SATURATING, n_critic=2)
    assert history.column("generator_steps") == [0, 2]  # after the first step and the third
    assert (state.since, state.rounds) == (1, 2)


# what bounds the critic


def test_clipped_weights_never_leave_their_bound(made_up):
    """Neither after a step nor in a forward pass; the generator's weights may."""
    state, largest = start(made_up), []
    critic = state.networks["critic"]
    critic.register_forward_pre_hook(lambda module, _: largest.append(weights(module).abs().max().item()))
    play(
        state,
        epochs=2,
        objective=WASSERSTEIN_CLIPPED,
        n_critic=2,
        on_step=lambda _: largest.append(weights(critic).abs().max().item()),
    )
    bound = torch.tensor(0.01).item()
    assert largest[0] > bound  # as it was built
    assert largest[1:] == [bound] * (8 + 4 + 8 - 1)
    assert weights(state.networks["generator"]).abs().max() > bound


def test_batch_norm_under_a_penalty_raises_a_warning(made_up):
    def told(objective, **sizes):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            play(start(made_up, **sizes), epochs=2, objective=objective)
        return [str(each.message) for each in caught]

    (warning,) = told(WASSERSTEIN_PENALTY, critic_norm=True)
    assert "under gradient_penalty" in warning
    assert told(NON_SATURATING, critic_norm=True) == told(WASSERSTEIN_PENALTY) == []


# packs


@pytest.mark.parametrize(("stack", "pack"), [(1, 4), (2, 1), (2, 2)])
def test_the_critic_scores_packs_of_stacks_all_real_or_all_generated(marked, stack, pack):
    """Each digit of an epoch is a channel of one stack; packs are of whole stacks."""
    state = start(marked, stack=stack, pack=pack)
    judged, latents = seen(state.networks["critic"]), seen(state.networks["generator"])
    play(state, epochs=1, objective=NON_SATURATING, pack=pack)
    assert [len(z) for z, *_ in latents] == [16] * (2 * 4 // stack)
    # real and generated packs, then generated packs for the generator's step
    packs, shape = 16 // pack, (stack * pack, 28, 28)
    assert [tuple(x.shape) for x, *_ in judged] == [(2 * packs, *shape), (packs, *shape)] * (4 // stack)
    real = torch.cat([x[:packs] for x, _, learns in judged if learns])
    assert sorted((255 * real[:, :, 0, 0]).round().int().flatten().tolist()) == list(range(64))


# stopped and resumed


@pytest.mark.parametrize("step", [1, 3, 4, 5, 11])
def test_resumed_equals_never_stopped(made_up, step):
    """Bit for bit, also within a round, with dropout in the critic and an average of the generator."""
    sizes = {"norm": True, "dropout": 0.3, "ema": 0.9, "optimiser": torch.optim.Adam}
    game = {"objective": NON_SATURATING, "lr": 1e-3, "decay": True, "n_critic": 3, "n_generator": 2, "epochs": 4}
    saved, whole = {}, start(made_up, **sizes)
    play(whole, on_step=lambda state: saved.update({state.step: to_bytes(state, ABOUT)}), **game)
    fresh = start(made_up, seed=7, **sizes)
    unpack(saved[step], fresh, ABOUT)
    assert (fresh.step, fresh.since, fresh.rounds) == (step, step % 3, step // 3)
    assert (fresh.averagings, fresh.epoch) == (2 * (step // 3), (step - 1) // 4)
    play(fresh, **game)
    assert differences(fresh.state_dict(), whole.state_dict()) == []


# what is refused, and what is not


@pytest.mark.parametrize(
    "wrong",
    [
        *({"n_critic": 0}, {"n_generator": -1}, {"pack": 0}, {"epochs": -1}),
        *({"lr": -LR}, {"lr": math.nan}, {"critic_lr": math.inf}),
    ],
)
def test_settings_out_of_their_range(marked, refused, unchecked, wrong):
    (name,) = wrong
    with refused(f"got {name}"):
        play(start(marked), **{"epochs": 1, "objective": NON_SATURATING} | wrong)


class Returns(nn.Module):
    """A network whose output is changed."""

    def __init__(self, network: nn.Module, change) -> None:
        super().__init__()
        self.network, self.change = network, change
        self.num_classes, self.latent_dim = network.num_classes, getattr(network, "latent_dim", None)

    def forward(self, x, y=None):
        return self.change(self.network(x, y))


@pytest.mark.parametrize("critic_norm", [False, True])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("critic", lambda s: s[:, None]),
        ("critic", lambda s: s.mean()),
        ("generator", lambda x: x.flatten(1)),
        ("generator", lambda x: x[:1]),
    ],
)
def test_outputs_of_another_shape(marked, refused, unchecked, critic_norm, name, change):
    state = start(marked, critic_norm=critic_norm)
    before = weights(state.networks["critic"])
    state.networks[name] = Returns(state.networks[name], change)
    with refused("of shape", f"from the {name}"):
        play(state, epochs=1, objective=NON_SATURATING)
    assert torch.equal(weights(state.networks["critic"])[: len(before)], before)


@pytest.mark.parametrize(
    ("objective", "norm"), [(NON_SATURATING, False), (NON_SATURATING, True), (WASSERSTEIN_PENALTY, False)]
)
def test_bfloat16_is_for_the_networks_only(made_up, objective, norm):
    kinds, scores = set(), set()

    def critic_loss(real, fake):
        scores.update({real.dtype, fake.dtype})
        return objective.critic(real, fake)

    def generator_loss(fake):
        scores.add(fake.dtype)
        return objective.generator(fake)

    exact, rough, fresh = (start(made_up, norm=norm, critic_norm=norm) for _ in range(3))
    for network in rough.networks.values():
        network.net[0].register_forward_hook(lambda module, given, out: kinds.add(out.dtype))
    play(exact, lr=5e-3, epochs=2, objective=objective)
    watched = replace(objective, critic=critic_loss, generator=generator_loss)
    play(rough, lr=5e-3, epochs=2, objective=watched, bfloat16=True)
    assert kinds == {torch.bfloat16}
    assert scores == {torch.float32}
    for name, network in rough.networks.items():
        assert {tensor.dtype for tensor in (*network.parameters(), gradients(network))} == {torch.float32}
        away = (weights(network) - weights(exact.networks[name])).norm()
        assert 0 < away < 0.5 * (weights(network) - weights(fresh.networks[name])).norm()
    for a, b in zip(exact.history.rows, rough.history.rows, strict=True):
        assert a == pytest.approx(b, rel=0.05, abs=0.02)


# what the game is for


class Numbers(Batches):
    """Numbers of a Gaussian, as images of one pixel."""

    def __init__(self, mean: float, spread: float, seed: int) -> None:
        self.mean, self.spread, self.batch_size = mean, spread, 128
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return 100

    def __iter__(self):
        for _ in range(len(self)):
            x = torch.randn(self.batch_size, 1, 1, 1, generator=self.generator)
            yield self.mean + self.spread * x, torch.zeros(self.batch_size, dtype=torch.int64)


class Line(nn.Module):
    """G(z) = a + b z."""

    latent_dim, num_classes = 1, 0

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.ones(1))

    def forward(self, z, y=None):
        return (self.a + self.b * z)[:, :, None, None]


class Curve(nn.Module):
    """A score of one number."""

    num_classes = 0

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Flatten(),
            nn.Linear(1, 16),
            nn.Softplus(),
            nn.Linear(16, 16),
            nn.Softplus(),
            nn.Linear(16, 1),
            nn.Flatten(0),
        )

    def forward(self, x, y=None):
        return self.net(x)


def test_a_generator_of_one_number_finds_a_gaussian():
    """The weights oscillate around the solution, so that their average is compared; the sign of b is free."""
    mean, spread = -1.0, 2.0
    torch.manual_seed(0)
    networks = {"generator": Line(), "critic": Curve()}
    optimisers = {name: torch.optim.Adam(network.parameters(), betas=(0.5, 0.9)) for name, network in networks.items()}
    noise = torch.Generator().manual_seed(1)
    state = State(networks, optimisers, Numbers(mean, spread, 2), noise, averaged="generator", ema=0.99)
    history = play(state, lr=1e-2, epochs=12, objective=NON_SATURATING, n_critic=2)
    found = state.result()["generator"]
    assert found.a.item() == pytest.approx(mean, abs=0.1 * max(spread, 1))
    assert abs(found.b.item()) == pytest.approx(spread, abs=0.15 * spread)
    # the loss of a critic that outputs 0 everywhere
    assert history.rows[-1]["critic_loss"] == pytest.approx(2 * math.log(2), abs=0.05)


def test_what_was_frozen_in_either_network_stays_frozen(marked):
    state = start(marked, norm=True, critic_norm=True)
    generator, critic = state.networks["generator"], state.networks["critic"]
    norms = [next(m for m in each.modules() if isinstance(m, nn.BatchNorm1d)) for each in (generator, critic)]
    for norm in norms:
        norm.eval()
    layer = critic.net[0].requires_grad_(False)
    before = layer.weight.clone()
    play(state, epochs=2, objective=NON_SATURATING)
    assert [norm.training for norm in norms] == [False, False]
    assert [int(norm.num_batches_tracked) for norm in norms] == [0, 0]
    assert not layer.weight.requires_grad
    assert torch.equal(layer.weight, before)
    assert all(p.requires_grad for name, p in critic.named_parameters() if not name.startswith("net.0."))


def test_a_critic_can_learn_again_after_a_generator_step_that_failed(marked):
    state = start(marked)

    def fails(fake):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(state, epochs=1, objective=replace(NON_SATURATING, generator=fails))
    assert all(parameter.requires_grad for parameter in state.networks["critic"].parameters())
