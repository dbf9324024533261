"""The DCGAN: its sizes, what it computes, and its initial weights."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gmlib.models import DCCritic, DCGenerator
from tests.unit.models.test_mlp import count
from tests.unit.models.test_networks import rand


def convolutions(network: nn.Module) -> list[nn.Module]:
    return [layer for layer in network.net if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]


def test_parameters_are_those_of_four_convolutions():
    generator = 100 * 256 * 4 * 4 + 256 * 128 * 3 * 3 + 128 * 64 * 4 * 4 + (64 * 4 * 4 + 1)
    critic = (32 * 4 * 4 + 32) + 32 * 64 * 4 * 4 + 64 * 128 * 3 * 3 + (128 * 4 * 4 + 1)
    assert count(DCGenerator()) == generator + 2 * (256 + 128 + 64)
    assert count(DCGenerator(batch_norm=False)) == generator + 256 + 128 + 64
    assert count(DCCritic()) == critic + 64 + 128
    assert count(DCCritic(norm="batch")) == critic + 2 * (64 + 128)
    assert count(DCCritic(channels=2)) == critic + 64 + 128 + 32 * 4 * 4
    # a label is a channel before the first convolution, and before no other
    assert count(DCGenerator(num_classes=10)) == generator + 2 * (256 + 128 + 64) + 10 * 256 * 4 * 4
    assert count(DCCritic(num_classes=10)) == critic + 64 + 128 + 10 * 32 * 4 * 4
    assert count(DCGenerator(5, width=3, channels=2)) == 5 * 192 + 12 * 54 + 6 * 48 + 2 * 48 + 2 + 2 * (12 + 6 + 3)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("classes", [0, 10])
def test_both_networks_by_hand(classes, batch_norm):
    generator = DCGenerator(3, classes, width=4, batch_norm=batch_norm).double()
    critic = DCCritic(classes, width=4, norm="batch" if batch_norm else None, channels=2).double()
    with torch.no_grad():  # away from the initial weights, with which biases are 0 and scores are small
        for network in (generator, critic):
            for parameter in network.parameters():
                parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2))
    z, x = torch.randn(6, 3, generator=torch.Generator().manual_seed(1)).double(), rand(6, 2, 28, 28).double()
    y = torch.tensor([3, 1, 4, 1, 5, 9]) if classes else None
    label = torch.zeros(6, classes, 1, 1).double()
    if classes:
        label[range(6), y] = 1

    def norm(network: nn.Module, place: int, h: torch.Tensor) -> torch.Tensor:
        if not batch_norm:
            return h
        layer = [layer for layer in network.net if isinstance(layer, nn.BatchNorm2d)][place]
        return F.batch_norm(h, None, None, layer.weight, layer.bias, training=True)

    one, two, three, four = convolutions(generator)
    h = torch.cat([z[:, :, None, None], label], 1)
    h = norm(generator, 0, F.conv_transpose2d(h, one.weight, one.bias)).clamp(min=0)
    h = norm(generator, 1, F.conv_transpose2d(h, two.weight, two.bias, stride=2, padding=1)).clamp(min=0)
    h = norm(generator, 2, F.conv_transpose2d(h, three.weight, three.bias, stride=2, padding=1)).clamp(min=0)
    h = F.conv_transpose2d(h, four.weight, four.bias, stride=2, padding=1)
    # (tanh h + 1) / 2 is the sigmoid of 2 h
    torch.testing.assert_close(generator(z, y), (2 * h).sigmoid(), rtol=1e-9, atol=1e-12)

    one, two, three, four = convolutions(critic)
    h = torch.cat([2 * x - 1, label.expand(-1, -1, 28, 28)], 1)
    h = F.conv2d(h, one.weight, one.bias, stride=2, padding=1)
    h = norm(critic, 0, F.conv2d(torch.where(h > 0, h, 0.2 * h), two.weight, two.bias, stride=2, padding=1))
    h = norm(critic, 1, F.conv2d(torch.where(h > 0, h, 0.2 * h), three.weight, three.bias, stride=2, padding=1))
    h = F.conv2d(torch.where(h > 0, h, 0.2 * h), four.weight, four.bias)
    torch.testing.assert_close(critic(x, y), h.reshape(6), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", [DCGenerator, DCCritic])
def test_initial_weights_are_those_of_a_narrow_gaussian(kind):
    """N(0, 0.02²), gains N(1, 0.02²); within five standard errors."""
    torch.manual_seed(0)
    network = kind(num_classes=10, **({"batch_norm": True} if kind is DCGenerator else {"norm": "batch"}))
    norms = [layer for layer in network.net if isinstance(layer, nn.BatchNorm2d)]
    assert norms
    for mean, parts in ((0, convolutions(network)), (1, norms)):
        for layer in parts:
            w, n = layer.weight.detach().double(), layer.weight.numel()
            assert w.mean().item() == pytest.approx(mean, abs=5 * 0.02 / n**0.5)
            assert w.std().item() == pytest.approx(0.02, abs=5 * 0.02 / (2 * n) ** 0.5)
            # a Gaussian: 68 % of the weights are within one standard deviation
            assert ((w - mean).abs() < 0.02).double().mean().item() == pytest.approx(0.6827, abs=5 * (0.22 / n) ** 0.5)
            assert layer.bias is None or not layer.bias.any()
