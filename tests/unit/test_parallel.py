"""With one process nothing is shared, also if variables of torchrun are left; `tests/release/test_torchrun.py` starts two."""

import socket

import pytest
import torch

from gmlib import parallel
from gmlib.errors import InputError
from gmlib.parallel import SharedRng, draw

CPU = torch.device("cpu")
JOB = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29517"}


@pytest.fixture
def environment(monkeypatch):
    """Set variables as torchrun does."""

    def set_variables(**changed: str) -> None:
        for name, value in (JOB | changed).items():
            monkeypatch.setenv(name, value)

    return set_variables


def test_one_process_shares_nothing():
    assert (parallel.world_size(), parallel.rank()) == (1, 0)
    x = torch.arange(6.0)
    assert parallel.shard()(x) is x
    assert parallel.average(x) is x
    generator = torch.Generator()
    assert parallel.shared_rng(generator, torch.device("meta")) is generator
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    parallel.share_gradients(optimiser)
    assert not optimiser._optimizer_step_pre_hooks
    network = torch.nn.Sequential(torch.nn.BatchNorm1d(3))
    assert parallel.sync_batch_norm(network)[0].__class__ is torch.nn.BatchNorm1d


def test_the_first_process_reads_or_refuses_for_all():
    def refuse():
        raise InputError("damaged")

    assert parallel.from_first(lambda: b"abc") == b"abc"
    with pytest.raises(InputError, match="damaged"):
        parallel.from_first(refuse)


@pytest.mark.parametrize("kind", [torch.Generator, SharedRng])
def test_one_process_draws_what_torch_draws(kind):
    noise = draw(torch.randn, (3, 5), kind().manual_seed(1), CPU)
    assert torch.equal(noise, torch.randn(3, 5, generator=torch.Generator().manual_seed(1)))


def test_noise_is_float32_for_every_default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        assert draw(torch.rand, (2,), None, CPU).dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("changed", [{"WORLD_SIZE": "1"}, {"RANK": ""}, {"MASTER_ADDR": ""}])
def test_variables_of_an_earlier_job_change_nothing(environment, changed):
    environment(**changed)
    assert parallel.rank() == 0
    assert parallel.init(CPU) == CPU
    assert parallel.world_size() == 1


def test_the_number_of_a_process_is_known_before_it_is_connected(environment):
    environment()
    assert (parallel.rank(), parallel.world_size()) == (1, 1)


def test_a_port_in_use_is_an_error_of_this_process(environment):
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        environment(RANK="0", MASTER_PORT=str(used.getsockname()[1]))
        with pytest.raises(parallel.AloneError, match="process 0 of 2 did not meet"):
            parallel.init(CPU)
