"""Stopped and resumed equals never stopped, bit for bit; a checkpoint is whole and of this run, or refused."""

import json
from functools import partial
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from gmlib.data import Batches
from gmlib.errors import DivergedError
from gmlib.metrics import validate_vae
from gmlib.models import VAE, BernoulliDecoder, MLPDecoder, MLPEncoder
from gmlib.training import State, fit_vae
from gmlib.training.state import DamagedError, pack, unpack
from tests.unit.training.going_on import go_on

ABOUT = {"recipe": "vae", "recipe_hash": "0123", "seed": 0, "data": "made-up/train"}
OPTIMISERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=1e-2),
    "adam, fused": lambda parameters: torch.optim.Adam(parameters, lr=1e-2, fused=True),
    "sgd, momentum": lambda parameters: torch.optim.SGD(parameters, lr=1e-4, momentum=0.9),
}


class Noisy(MLPEncoder):
    """An encoder with dropout, which draws from the global generator."""

    def forward(self, x, y=None):
        mu, logvar = super().forward(x, y)
        return torch.nn.functional.dropout(mu, 0.1, self.training), logvar


def start(digits, optimiser: str = "adam", seed: int = 0, ema: float = 0.9) -> State:
    torch.manual_seed(seed)
    vae = VAE(Noisy(2, hidden=20), BernoulliDecoder(MLPDecoder(2, hidden=20)))
    batches = Batches(digits, 24, binarised=True, seed=0)  # 16 images are left over in each epoch
    generator = torch.Generator().manual_seed(seed)
    optimisers = {"vae": OPTIMISERS[optimiser](vae.parameters())}
    return State({"vae": vae}, optimisers, batches, generator, averaged="vae", ema=ema)


def fit(state: State, **options):
    return go_on(fit_vae, state.networks["vae"], state, **options)


def differences(a: Any, b: Any, path: str = "") -> list[str]:
    """Return the leaves where two trees differ in type or in a bit, without the training time."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [found for key in a if key != "seconds" for found in differences(a[key], b[key], f"{path}/{key}")]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        return [found for i in range(len(a)) for found in differences(a[i], b[i], f"{path}/{i}")]
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [path]
    return [] if type(a) is type(b) and a == b else [path]


@pytest.mark.parametrize(
    ("optimiser", "step"),
    [("adam", 1), ("adam", 3), ("adam", 4), ("adam, fused", 4), ("sgd, momentum", 4), ("sgd, momentum", 5)],
)
def test_resumed_equals_never_stopped(made_up, optimiser, step):
    """Stopped within an epoch or after its last step, whose row is not written yet; packing does not disturb the run."""
    how = {
        "epochs": 4,
        "lr": 1e-2 if optimiser.startswith("adam") else 1e-4,
        "decay": True,
        "validate": partial(validate_vae, images=made_up),
    }
    saved, whole = {}, start(made_up, optimiser)
    fit(whole, **how)
    expected = whole.state_dict()

    packed = start(made_up, optimiser)
    fit(packed, **how, on_step=lambda state: saved.update({state.step: pack(state, ABOUT)}))
    assert differences(packed.state_dict(), expected) == []
    fresh = start(made_up, optimiser, seed=7)
    unpack(saved[step], fresh, ABOUT)
    assert (fresh.epoch, fresh.step, fresh.batches.position) == ((step - 1) // 2, step, (step - 1) % 2 + 1)
    assert fresh.seconds > 0
    fit(fresh, **how)
    assert differences(fresh.state_dict(), expected) == []


def test_dropout_may_have_a_generator_of_its_own(made_up):
    states = [start(made_up) for _ in range(2)]
    for state in states:
        state.dropout = torch.Generator().manual_seed(5)
    before = torch.get_rng_state()
    torch.rand(3, generator=states[0].dropout)
    expected = states[0].dropout.get_state()
    unpack(pack(states[0], ABOUT), states[1], ABOUT)
    assert torch.equal(states[1].dropout.get_state(), expected)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_average_follows_the_weights(made_up):
    """With a smaller decay in the first steps."""
    state, betas = start(made_up, ema=0.22), [1 / 10, 2 / 11, 0.22, 0.22]
    parameter = next(state.networks["vae"].parameters())
    by_hand = parameter.detach().clone()
    averages = []

    def check(state: State) -> None:
        nonlocal by_hand
        beta = betas[len(averages)]
        by_hand = beta * by_hand + (1 - beta) * parameter.detach()
        averages.append(next(state.result()["vae"].parameters()).detach().clone())
        torch.testing.assert_close(averages[-1], by_hand, rtol=1e-5, atol=1e-7)
        for ours, theirs in zip(state.result()["vae"].buffers(), state.networks["vae"].buffers(), strict=True):
            assert torch.equal(ours, theirs)  # running statistics are not averaged

    fit(state, epochs=2, lr=1e-2, on_step=check)
    assert len(averages) == state.averagings == 4
    assert not torch.equal(averages[-1], parameter)
    assert not any(weight.requires_grad for weight in state.result()["vae"].parameters())


def test_without_an_average_the_result_is_the_network_itself(made_up):
    state = start(made_up, ema=0.0)
    state.average()
    assert state.result() == state.networks


def test_a_state_without_a_generator_seeds_one_from_the_global_generator():
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        state = State({"vae": torch.nn.Linear(1, 1)}, {}, [0])
        drawn.append(torch.rand(3, generator=state.generator))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_batches_must_not_be_empty(refused):
    with refused("batches 0"):
        State({}, {}, [], torch.Generator())


def test_differences_sees_a_single_bit(made_up):
    a, b = start(made_up), start(made_up)
    assert differences(a.state_dict(), b.state_dict()) == []
    with torch.no_grad():
        parameter = next(b.networks["vae"].parameters())
        parameter[0, 0] = parameter[0, 0].nextafter(torch.tensor(torch.inf))
    assert differences(a.state_dict(), b.state_dict()) == ["/networks/vae/encoder.net.0.weight"]


@pytest.fixture
def checkpoint(made_up) -> bytes:
    state = start(made_up)
    fit(state, epochs=1, lr=1e-2)
    return pack(state, ABOUT)


@pytest.fixture
def fresh(made_up):
    """A fresh state, which a refused checkpoint must not change."""
    state = start(made_up, seed=3)
    before = start(made_up, seed=3).state_dict()
    yield state
    assert differences(state.state_dict() | {"global_generator": None}, before | {"global_generator": None}) == []


@pytest.mark.parametrize(("key", "value"), [("recipe_hash", "4567"), ("seed", 1), ("epochs", 2)])
def test_a_checkpoint_of_another_run(checkpoint, fresh, refused, key, value):
    with refused(f"is of {key} {ABOUT.get(key)!r}"):
        unpack(checkpoint, fresh, ABOUT | {key: value})


def test_every_flipped_bit_is_noticed(checkpoint, fresh):
    """In the header and in the tensors, whose values safetensors itself does not check."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        place = int(torch.randint(len(checkpoint), (), generator=generator))
        bad = bytearray(checkpoint)
        bad[place] ^= 1 << int(torch.randint(8, (), generator=generator))
        with pytest.raises(DamagedError):
            unpack(bytes(bad), fresh, ABOUT)


@pytest.mark.parametrize("damage", ["half", "empty", "text", "without a record", "without a tensor"])
def test_a_damaged_checkpoint(checkpoint, fresh, damage):
    tensors = load(checkpoint)
    metadata = json.loads(checkpoint[8 : 8 + int.from_bytes(checkpoint[:8], "little")])["__metadata__"]
    missing = {name: tensor for name, tensor in tensors.items() if name != "/batches/generator"}
    damaged = {
        "half": checkpoint[: len(checkpoint) // 2],
        "empty": b"",
        "text": b"epoch,elbo\n1,-200\n",
        "without a record": save(tensors),
        "without a tensor": save(missing, metadata=metadata),
    }
    with pytest.raises(DamagedError):
        unpack(damaged[damage], fresh, ABOUT)


@pytest.mark.parametrize("place", ["weight", "moment", "total"])
def test_a_run_that_diverged_is_not_packed(made_up, place):
    state = start(made_up)
    fit(state, epochs=1, lr=1e-2)
    parameter = state.networks["vae"].encoder.net[0].weight
    with torch.no_grad():
        if place == "weight":
            parameter[0, 0] = torch.inf
        elif place == "moment":
            state.optimisers["vae"].state[parameter]["exp_avg"][0, 0] = torch.nan
        else:
            state.note(torch.tensor([1.0, torch.nan]), ("log_px", "kl"))
    with pytest.raises(DivergedError, match="not finite in epoch 2"):
        pack(state, ABOUT)
