"""Train and eval mode: the mode of every module is restored, and frozen modules stay frozen."""

import pytest
from torch import nn

from gmlib.mode import eval_mode, train_mode


def modes(network: nn.Module) -> list[bool]:
    return [module.training for module in network.modules()]


def test_eval_mode_restores_the_mode_of_every_module():
    network = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    network[1].eval()
    before = modes(network)
    assert before == [True, True, False, False]
    with eval_mode(network):
        assert modes(network) == [False] * 4
    assert modes(network) == before
    with pytest.raises(KeyError), eval_mode(network):
        raise KeyError
    assert modes(network) == before
    train_mode(network)
    assert modes(network) == before  # what was frozen stays frozen
    train_mode(network.eval())
    assert modes(network) == [True] * 4
