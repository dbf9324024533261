"""With one process nothing is shared; `tests/release/test_torchrun.py` starts two."""

import pytest
import torch

from gmlib.errors import InputError
from gmlib.parallel import (
    BatchGenerator,
    average,
    batch_generator,
    draw,
    from_first,
    rank,
    shard,
    share_gradients,
    sync_batch_norm,
    world_size,
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
    network = torch.nn.Sequential(torch.nn.BatchNorm1d(3))
    assert sync_batch_norm(network)[0].__class__ is torch.nn.BatchNorm1d


def test_the_first_process_reads_or_refuses_for_all():
    def refuse():
        raise InputError("damaged")

    assert from_first(lambda: b"abc") == b"abc"
    with pytest.raises(InputError, match="damaged"):
        from_first(refuse)


@pytest.mark.parametrize("kind", [torch.Generator, BatchGenerator])
def test_one_process_draws_what_torch_draws(kind):
    first, second = kind().manual_seed(1), torch.Generator().manual_seed(1)
    assert torch.equal(draw(torch.randn, (3, 5), first, torch.device("cpu")), torch.randn(3, 5, generator=second))
