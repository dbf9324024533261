"""A state that is saved and loaded continues bit for bit; averaged weights."""

from functools import partial

import pytest
import torch

from gmlib.data import Batches
from gmlib.metrics import validate_vae
from gmlib.models import VAE, BernoulliDecoder, MLPDecoder, MLPEncoder
from gmlib.training import State, fit_vae
from gmlib.training.checkpoint import pack, unpack
from tests.unit.training.common import SETTINGS, continue_from, differences

OPTIMISERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=1e-2),
    "adam, fused": lambda parameters: torch.optim.Adam(parameters, lr=1e-2, fused=True),
    "sgd, momentum": lambda parameters: torch.optim.SGD(parameters, lr=1e-4, momentum=0.9),
}


class DropoutEncoder(MLPEncoder):
    """An encoder with dropout, which draws from the default generator."""

    def forward(self, x, y=None):
        mu, logvar = super().forward(x, y)
        return torch.nn.functional.dropout(mu, 0.1, self.training), logvar


def start(digits, optimiser: str = "adam", seed: int = 0, ema: float = 0.9) -> State:
    torch.manual_seed(seed)
    vae = VAE(DropoutEncoder(2, hidden=20), BernoulliDecoder(MLPDecoder(2, hidden=20)))
    batches = Batches(digits, 24, binarised=True, seed=0)  # 16 of 64 images are left over in each epoch of two batches
    optimisers = {"vae": OPTIMISERS[optimiser](vae.parameters())}
    return State({"vae": vae}, optimisers, batches, torch.Generator().manual_seed(seed), averaged="vae", ema=ema)


def fit(state: State, **options) -> State:
    return continue_from(state, fit_vae, state.networks["vae"], **options)


@pytest.mark.parametrize(
    ("optimiser", "step"), [("adam", 1), ("adam", 4), ("adam, fused", 3), ("sgd, momentum", 4), ("sgd, momentum", 5)]
)
def test_resumed_equals_never_stopped(made_up, optimiser, step):
    """Stopped within an epoch or after its last step, whose row is not written yet; packing does not disturb the run."""
    options = {
        "epochs": 4,
        "lr": 1e-2 if optimiser.startswith("adam") else 1e-4,
        "decay": True,
        "validate": partial(validate_vae, images=made_up),
    }
    expected = fit(start(made_up, optimiser), **options).state_dict()

    saved, packed = {}, start(made_up, optimiser)
    fit(packed, **options, on_step=lambda state: saved.update({state.step: pack(state, SETTINGS)}))
    assert differences(packed.state_dict(), expected) == []
    fresh = start(made_up, optimiser, seed=7)
    unpack(saved[step], fresh, SETTINGS)
    assert (fresh.epoch, fresh.step, fresh.batches.position) == ((step - 1) // 2, step, (step - 1) % 2 + 1)
    assert fresh.seconds > 0
    assert differences(fit(fresh, **options).state_dict(), expected) == []


def test_the_dropout_generator_may_be_another_than_torchs(made_up):
    first, second = start(made_up), start(made_up)
    assert first.dropout_rng is torch.default_generator
    for state in (first, second):
        state.dropout_rng = torch.Generator().manual_seed(5)
    before = torch.get_rng_state()
    torch.rand(3, generator=first.dropout_rng)
    unpack(pack(first, SETTINGS), second, SETTINGS)
    assert torch.equal(second.dropout_rng.get_state(), first.dropout_rng.get_state())
    assert torch.equal(torch.get_rng_state(), before)


def test_the_average_follows_the_weights_with_a_smaller_decay_in_the_first_steps(made_up):
    state, betas = start(made_up, ema=0.22), [1 / 10, 2 / 11, 0.22, 0.22]
    parameter = next(state.networks["vae"].parameters())
    by_hand, steps = parameter.detach().clone(), []

    def check(state: State) -> None:
        nonlocal by_hand
        by_hand = betas[len(steps)] * by_hand + (1 - betas[len(steps)]) * parameter.detach()
        average = state.result()["vae"]
        torch.testing.assert_close(next(average.parameters()).detach(), by_hand, rtol=1e-5, atol=1e-7)
        for averaged, current in zip(average.buffers(), state.networks["vae"].buffers(), strict=True):
            assert torch.equal(averaged, current)  # running statistics of batch norm are copied
        steps.append(state.step)

    fit(state, epochs=2, lr=1e-2, on_step=check)
    assert steps == [1, 2, 3, 4]
    assert state.average_updates == 4
    assert not any(weight.requires_grad for weight in state.result()["vae"].parameters())


def test_without_an_average_the_result_is_the_network_itself(made_up):
    state = start(made_up, ema=0.0)
    state.update_average()
    assert state.result() == state.networks


def test_batches_must_not_be_empty(refused):
    with refused("batches 0"):
        State({}, {}, [], torch.Generator())


def test_a_single_bit_is_a_difference(made_up):
    first, second = start(made_up), start(made_up)
    assert differences(first.state_dict(), second.state_dict()) == []
    with torch.no_grad():
        parameter = next(second.networks["vae"].parameters())
        parameter[0, 0] = parameter[0, 0].nextafter(torch.tensor(torch.inf))
    assert differences(first.state_dict(), second.state_dict()) == ["/networks/vae/encoder.net.0.weight"]
