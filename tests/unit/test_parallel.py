"""What several processes share is nothing where there is one; `tests/release/test_torchrun.py` starts two."""

import pytest
import torch

from gmlib.parallel import (
    BatchGenerator,
    average,
    batch_generator,
    broadcast,
    draw,
    rank,
    shard,
    share_gradients,
    sync_batch_norm,
    world_size,
)

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available(), reason="this torch was built without torch.distributed"
)


def test_one_process_is_alone():
    assert (world_size(), rank()) == (1, 0)
    x = torch.arange(6.0)
    assert shard()(x) is x
    assert average(x) is x
    generator = torch.Generator()
    assert batch_generator(generator, lambda: torch.device("meta")) is generator
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    share_gradients(optimiser)
    assert not optimiser._optimizer_step_pre_hooks
    assert broadcast(b"abc") == b"abc"
    network = torch.nn.Sequential(torch.nn.BatchNorm1d(3))
    assert sync_batch_norm(network)[0].__class__ is torch.nn.BatchNorm1d


@pytest.mark.parametrize("kind", [torch.Generator, BatchGenerator])
def test_one_process_draws_what_torch_draws(kind):
    first, second = kind().manual_seed(1), torch.Generator().manual_seed(1)
    assert torch.equal(draw(torch.randn, (3, 5), first, torch.device("cpu")), torch.randn(3, 5, generator=second))


def test_a_generator_on_another_device(refused):
    with refused("got a generator on cpu for tensors on meta", "torch.Generator('meta')"):
        draw(torch.randn, (2, 2), torch.Generator(), torch.device("meta"))
