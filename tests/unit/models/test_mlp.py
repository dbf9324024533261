"""Fully connected networks: their sizes, and what they compute."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gmlib.models import MLPCritic, MLPDecoder, MLPEncoder, MLPGenerator
from tests.unit.models.test_networks import rand


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("classes", "hidden", "latent"), [(0, 100, 2), (10, 100, 2), (10, 30, 7)])
def test_parameters_are_those_of_one_hidden_layer(classes, hidden, latent):
    sizes = {"latent_dim": latent, "num_classes": classes, "hidden": hidden}
    out = hidden * 2 * latent + 2 * latent
    assert count(MLPEncoder(**sizes, batch_norm=False)) == (784 + classes) * hidden + hidden + out
    assert count(MLPEncoder(**sizes)) == (784 + classes) * hidden + 2 * hidden + out
    out = hidden * 784 + 784
    assert count(MLPDecoder(**sizes, batch_norm=False)) == (latent + classes) * hidden + hidden + out
    assert count(MLPDecoder(**sizes)) == (latent + classes) * hidden + 2 * hidden + out


def test_parameters_are_those_of_the_reports_gan():
    generator = (100 * 256 + 256) + (256 * 512 + 512) + (512 * 1024 + 1024) + (1024 * 784 + 784)
    critic = (784 * 1024 + 1024) + (1024 * 512 + 512) + (512 * 256 + 256) + (256 + 1)
    assert count(MLPGenerator()) == generator
    assert count(MLPCritic()) == critic
    # a norm has a gain and a bias, and the layer before it has no bias
    assert count(MLPGenerator(batch_norm=True)) == generator + 256 + 512 + 1024
    assert count(MLPCritic(norm="batch")) == critic + 1024 + 512 + 256
    assert count(MLPCritic(channels=2)) == critic + 784 * 1024
    # a label is a column of the first layer, and of no other
    assert count(MLPGenerator(num_classes=10)) == generator + 10 * 256
    assert count(MLPCritic(num_classes=10)) == critic + 10 * 1024


def by_hand(network: nn.Module, h: torch.Tensor, slope: float) -> torch.Tensor:
    """Linear maps, and a slope below zero; batch norm with its initial weights only standardises."""
    *hidden, last = (layer for layer in network.net if isinstance(layer, nn.Linear))
    normed = any(isinstance(layer, nn.BatchNorm1d) for layer in network.net)
    for layer in hidden:
        h = h @ layer.weight.T
        h = F.batch_norm(h, None, None, training=True) if normed else h + layer.bias
        h = torch.where(h > 0, h, slope * h)
    return h @ last.weight.T + last.bias


def close(output: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(output, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("classes", [0, 10])
def test_networks_are_linear_maps_between_nonlinearities(classes, batch_norm):
    """Of image or latent, and the one-hot label beside it."""
    z, x = torch.randn(6, 3, generator=torch.Generator().manual_seed(1)).double(), rand(6, 2, 28, 28).double()
    y = torch.tensor([3, 1, 4, 1, 5, 9]) if classes else None
    one_hot = torch.zeros(6, classes).double()
    if classes:
        one_hot[range(6), y] = 1
    encoder = MLPEncoder(3, classes, hidden=20, batch_norm=batch_norm).double()
    moments = by_hand(encoder, torch.cat([x[:, 0].reshape(6, 784), one_hot], 1), 0)
    mu, logvar = encoder(x[:, :1], y)
    close(mu, moments[:, :3])
    close(logvar, moments[:, 3:])
    decoder = MLPDecoder(3, classes, hidden=(20, 30), batch_norm=batch_norm).double()
    close(decoder(z, y), by_hand(decoder, torch.cat([z, one_hot], 1), 0).reshape(6, 1, 28, 28))
    generator = MLPGenerator(3, classes, hidden=(20, 30), batch_norm=batch_norm).double()
    # (tanh h + 1) / 2 is the sigmoid of 2 h
    samples = (2 * by_hand(generator, torch.cat([z, one_hot], 1), 0.2)).sigmoid().reshape(6, 1, 28, 28)
    close(generator(z, y), samples)
    norm = "batch" if batch_norm else None
    critic = MLPCritic(classes, hidden=(30, 20), norm=norm, dropout=0.0, channels=2).double()
    close(critic(x, y), by_hand(critic, torch.cat([2 * x.reshape(6, -1) - 1, one_hot], 1), 0.2).reshape(6))
