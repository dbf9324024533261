"""Stopped and resumed equals never stopped, bit for bit; and a checkpoint is whole, of this run, or refused."""

import json
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
import torch
from safetensors.torch import load, save

from gmlib.data import Batches
from gmlib.errors import DivergedError, InputError
from gmlib.metrics import validate_vae
from gmlib.models import VAE, BernoulliDecoder, MLPDecoder, MLPEncoder
from gmlib.training import State, fit_vae
from gmlib.training.state import FORMAT, DamagedError, pack, unpack
from tests.unit.training.going_on import go_on

ABOUT = {"recipe": "vae", "recipe_hash": "0123", "seed": 0, "data": "made-up/train"}
OPTIMISERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=1e-2),
    "adam, fused": lambda parameters: torch.optim.Adam(parameters, lr=1e-2, fused=True),
    "sgd, momentum": lambda parameters: torch.optim.SGD(parameters, lr=1e-4, momentum=0.9),
}


class Noisy(MLPEncoder):
    """Dropout draws from the global generator, which a State carries too."""

    def forward(self, x, y=None):
        mu, logvar = super().forward(x, y)
        return torch.nn.functional.dropout(mu, 0.1, self.training), logvar


def start(digits, optimiser: str = "adam", seed: int = 0, ema: float = 0.9) -> State:
    torch.manual_seed(seed)
    vae = VAE(Noisy(2, hidden=20), BernoulliDecoder(MLPDecoder(2, hidden=20)))
    batches = Batches(digits, 24, binarised=True, seed=seed)  # 16 images are left over in each epoch
    generator = torch.Generator().manual_seed(seed)
    optimisers = {"vae": OPTIMISERS[optimiser](vae.parameters())}
    return State({"vae": vae}, optimisers, batches, generator, averaged="vae", ema=ema)


def fit(state: State, **options):
    return go_on(fit_vae, state.networks["vae"], state, **options)


def differences(a: Any, b: Any, path: str = "") -> list[str]:
    """Name the leaves where two trees differ in type or in a bit; training time aside."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [found for key in a if key != "seconds" for found in differences(a[key], b[key], f"{path}/{key}")]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        return [found for i in range(len(a)) for found in differences(a[i], b[i], f"{path}/{i}")]
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [path]
    return [] if type(a) is type(b) and a == b else [path]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_resumed_equals_never_stopped(made_up, optimiser):
    how = {
        "epochs": 4,
        "lr": 1e-2 if optimiser.startswith("adam") else 1e-4,
        "decay": True,
        "validate": partial(validate_vae, images=made_up),
    }
    whole = start(made_up, optimiser)
    fit(whole, **how)
    expected = whole.state_dict()

    class KilledError(Exception):
        pass

    saved = []

    def kill(state: State) -> None:
        if state.epoch == 2:
            saved.append(pack(state, ABOUT))
            raise KilledError

    with pytest.raises(KilledError):
        fit(start(made_up, optimiser), **how, on_epoch=kill)
    fresh = start(made_up, optimiser, seed=7)  # whatever it starts from, it becomes the saved run
    fresh.batches.seed = 0
    unpack(saved[0], fresh, ABOUT)
    assert (fresh.epoch, fresh.step, len(fresh.history)) == (2, 4, 2)
    fit(fresh, **how)
    assert differences(fresh.state_dict(), expected) == []


@pytest.mark.parametrize("step", [1, 3, 4])
def test_resumed_from_the_middle_of_an_epoch(made_up, step):
    """The fourth step is the last of the second epoch: its row is not written yet."""
    whole, saved = start(made_up), []
    fit(whole, epochs=3, lr=1e-2, validate=partial(validate_vae, images=made_up))
    expected = whole.state_dict()

    def save_one(state: State) -> None:
        if state.step == step:
            saved.append(pack(state, ABOUT))

    fit(start(made_up), epochs=3, lr=1e-2, validate=partial(validate_vae, images=made_up), on_step=save_one)
    fresh = start(made_up, seed=5)
    fresh.batches.seed = 0
    unpack(saved[0], fresh, ABOUT)
    assert (fresh.epoch, fresh.step, fresh.batches.position) == ((step - 1) // 2, step, (step - 1) % 2 + 1)
    fit(fresh, epochs=3, lr=1e-2, validate=partial(validate_vae, images=made_up))
    assert differences(fresh.state_dict(), expected) == []


def test_the_average_follows_the_weights(made_up):
    """With a memory that is short at first, and then as long as it was asked for."""
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
            assert torch.equal(ours, theirs)  # running statistics are no weights

    fit(state, epochs=2, lr=1e-2, on_step=check)
    assert len(averages) == state.averagings == 4
    assert not torch.equal(averages[-1], parameter)
    assert state.result()["vae"] is not state.networks["vae"]


def test_a_checkpoint_from_before_there_were_games(made_up):
    """It counts no rounds."""
    state, fresh = start(made_up), start(made_up, seed=7)
    fit(state, epochs=1, lr=1e-2)
    saved = state.state_dict()
    older = {key: value for key, value in saved.items() if key not in ("averagings", "rounds", "since")}
    assert len(older) == len(saved) - 3
    fresh.rounds = fresh.since = fresh.averagings = 9
    fresh.load_state_dict(older)
    assert differences(fresh.state_dict(), saved | {"averagings": 0, "rounds": 0, "since": 0}) == []


def test_a_checkpoint_of_1_0_from_the_end_of_an_epoch(made_up):
    """It has the sums of the epoch and not their names, and no step is left that would give them."""
    whole, saved = start(made_up), []
    fit(whole, epochs=2, lr=1e-2, on_step=lambda state: saved.append(deepcopy(state.state_dict())))
    for step in (0, 1):  # in the middle of the first epoch, and after its last step
        fresh = start(made_up, seed=7)
        fresh.batches.seed = 0
        older = {key: value for key, value in saved[step].items() if key != "names"}
        fresh.load_state_dict(older)
        fit(fresh, epochs=2, lr=1e-2)
        assert differences(fresh.state_dict(), whole.state_dict()) == []


def test_a_loader_without_a_place_cannot_be_kept(made_up, refused):
    state = start(made_up)
    plain = State(state.networks, state.optimisers, [(made_up.binarised(), None)], state.generator)
    with refused("batches of type list", "checkpoint", "state_dict"):
        pack(plain, ABOUT)


def test_without_batches_there_is_nothing_to_train_on(unchecked, refused):
    for batches, text in (([], "got batches 0"), (iter([1]), "without a length")):
        with refused(text, "expected"):
            State({}, {}, batches, torch.Generator())


def test_a_state_without_a_generator_seeds_one_from_the_global_generator(made_up):
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        state = State({"vae": torch.nn.Linear(1, 1)}, {}, [0])
        drawn.append(torch.rand(3, generator=state.generator))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_without_an_average_the_result_is_the_network_itself(made_up):
    whole = start(made_up)
    state = State(whole.networks, whole.optimisers, whole.batches, whole.generator, averaged="vae")
    state.average()
    assert state.result() == state.networks


def test_differences_sees_a_single_bit(made_up):
    a, b = start(made_up), start(made_up)
    assert differences(a.state_dict(), b.state_dict()) == []
    with torch.no_grad():
        parameter = next(b.networks["vae"].parameters())
        parameter[0, 0] = parameter[0, 0].nextafter(torch.tensor(torch.inf))
    assert differences(a.state_dict(), b.state_dict()) == ["/networks/vae/encoder.net.0.weight"]


def test_packing_changes_nothing_in_the_run(made_up):
    watched, plain = start(made_up), start(made_up)
    fit(watched, epochs=2, lr=1e-2, on_step=lambda state: pack(state, ABOUT))
    state = watched.state_dict()
    torch.manual_seed(0)
    plain = start(made_up)
    fit(plain, epochs=2, lr=1e-2)
    assert differences(state, plain.state_dict()) == []


@pytest.fixture
def checkpoint(made_up) -> bytes:
    state = start(made_up)
    fit(state, epochs=1, lr=1e-2)
    return pack(state, ABOUT)


@pytest.fixture
def fresh(made_up):
    """A fresh state, which a refused checkpoint must leave as it is."""
    state = start(made_up, seed=3)
    before = start(made_up, seed=3).state_dict()
    yield state
    assert differences(state.state_dict() | {"global_generator": None}, before | {"global_generator": None}) == []


@pytest.mark.parametrize(
    ("key", "value"), [("recipe", "vae_no_bn"), ("recipe_hash", "4567"), ("seed", 1), ("data", "mnist/train")]
)
def test_a_checkpoint_of_another_run(checkpoint, fresh, refused, key, value):
    with refused(f"is of {key} {ABOUT[key]!r}", repr(value), "--out"):
        unpack(checkpoint, fresh, ABOUT | {key: value})


def test_every_flipped_bit_is_noticed(checkpoint, fresh):
    """Of the header and of the tensors, where safetensors itself looks at nothing but sizes."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        place = int(torch.randint(len(checkpoint), (), generator=generator))
        bad = bytearray(checkpoint)
        bad[place] ^= 1 << int(torch.randint(8, (), generator=generator))
        with pytest.raises(DamagedError):
            unpack(bytes(bad), fresh, ABOUT)


@pytest.mark.parametrize("damage", ["half", "a byte short", "empty", "text", "without a record", "without a tensor"])
def test_a_damaged_checkpoint(checkpoint, fresh, damage):
    tensors = load(checkpoint)
    metadata = header(checkpoint)
    missing = {name: tensor for name, tensor in tensors.items() if name != "/batches/generator"}
    damaged = {
        "half": checkpoint[: len(checkpoint) // 2],
        "a byte short": checkpoint[:-1],
        "empty": b"",
        "text": b"epoch,elbo\n1,-200\n",
        "without a record": save(tensors),
        "without a tensor": save(missing, metadata=metadata),
    }
    with pytest.raises(DamagedError):
        unpack(damaged[damage], fresh, ABOUT)


def header(content: bytes) -> dict[str, str]:
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]


def test_a_checkpoint_of_a_newer_gmlib(made_up, fresh, refused, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("gmlib.training.state.FORMAT", FORMAT + 1)
        content = pack(start(made_up), ABOUT)
    with refused(f"newer gmlib (format {FORMAT + 1}", "update gmlib"):
        unpack(content, fresh, ABOUT)
    assert not issubclass(InputError, DamagedError)


@pytest.mark.parametrize("place", ["weight", "moment", "total"])
def test_a_run_that_has_left_the_finite_numbers_is_not_packed(made_up, place):
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
