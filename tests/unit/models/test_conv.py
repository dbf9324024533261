"""Convolutional and residual encoder and decoder: their sizes, layers and receptive field."""

import pytest
import torch
from torch import nn

from gmlib.models import ConvDecoder, ConvEncoder, ResidualBlock, ResidualDecoder, ResidualEncoder
from tests.unit.models.test_mlp import count
from tests.unit.models.test_networks import rand


@pytest.mark.parametrize("classes", [0, 10])
def test_parameters_are_those_of_the_report(classes):
    """Two 3×3 convolutions of 8 channels, and a hidden layer of 100."""
    convolutions = 9 * (1 + classes) * 8 + 9 * 8 * 8
    assert count(ConvEncoder(2, classes)) == convolutions + 32 + 6272 * 100 + 200 + 100 * 4 + 4
    assert count(ConvEncoder(2, classes, batch_norm=False)) == convolutions + 16 + 6272 * 100 + 100 + 100 * 4 + 4
    up = 16 * 32 * 16 + 16 * 16 + 1
    first = (2 + classes) * 100 + 100 * 1568 + 1568
    assert count(ConvDecoder(2, classes)) == first + 200 + up + 32
    assert count(ConvDecoder(2, classes, batch_norm=False)) == first + 100 + up + 16


@pytest.mark.parametrize("classes", [0, 10])
def test_parameters_with_strides_and_of_another_width(classes):
    halves = 16 * (1 + classes) * 32 + 16 * 32 * 64
    assert count(ConvEncoder(2, classes, strided=True)) == halves + 192 + 3136 * 100 + 200 + 100 * 4 + 4
    first = (2 + classes) * 100 + 200 + 100 * 784 + 784
    decoder = ConvDecoder(2, classes, channels=3, width=16)
    assert count(decoder) == first + 16 * 16 * 8 + 16 + 8 * 3 * 16 + 3
    assert decoder(rand(4, 2), torch.arange(4) if classes else None).shape == (4, 3, 28, 28)


def kinds(network: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in network.net]


def test_the_order_of_layers():
    conv, hidden = ["Conv2d", "BatchNorm2d", "ReLU"], ["Linear", "BatchNorm1d", "ReLU"]
    assert kinds(ConvEncoder(2)) == [*conv, *conv, "Flatten", *hidden, "Linear"]
    up = "ConvTranspose2d"
    assert kinds(ConvDecoder(2)) == [*hidden, "Linear", "ReLU", "Unflatten", up, "BatchNorm2d", "ReLU", up]
    assert kinds(ConvDecoder(2, batch_norm=False)) == ["Linear", "ReLU", "Linear", "ReLU", "Unflatten", up, "ReLU", up]


def test_mean_and_log_variance_are_the_halves_of_the_last_layer():
    encoder, x = ConvEncoder(3).eval(), rand(5, 1, 28, 28)
    assert torch.equal(torch.cat(encoder(x), 1), encoder.net(x))


@pytest.mark.parametrize(("strided", "shape", "reach"), [(False, (8, 28, 28), 2), (True, (64, 7, 7), 5)])
def test_a_feature_map_depends_on_the_pixels_around_its_place(strided, shape, reach):
    """On 5×5 pixels with stride 1; on 10×10, that is 5 before and 4 after pixel 4 · place, with stride 2."""
    maps = ConvEncoder(2, batch_norm=False, strided=strided).double().net[:4]
    x = rand(1, 1, 28, 28).double().requires_grad_()
    out = maps(x)
    assert out.shape == (1, *shape)
    row, column, step = (3, 4, 4) if strided else (10, 20, 1)
    (slope,) = torch.autograd.grad(out[0, :, row, column].sum(), x)
    offsets = slope[0, 0].nonzero() - step * torch.tensor([row, column])
    assert offsets.min() >= -reach
    assert offsets.max() <= reach + strided
    assert len(offsets) > 5


def test_a_residual_block_adds_two_convolutions_to_its_input():
    torch.manual_seed(0)
    block, h = ResidualBlock(3).double(), rand(2, 3, 7, 7).double() - 0.5
    convolve = torch.nn.functional.conv2d
    inner = convolve(torch.where(h > 0, h, h.exp() - 1), block.first.weight, block.first.bias, padding=1)
    outer = convolve(torch.where(inner > 0, inner, inner.exp() - 1), block.second.weight, block.second.bias, padding=1)
    torch.testing.assert_close(block(h), h + outer)
    with torch.no_grad():
        block.second.weight.zero_()
        block.second.bias.zero_()
    assert torch.equal(block(h), h)


@pytest.mark.parametrize("classes", [0, 10])
@pytest.mark.parametrize(("width", "blocks"), [(4, 1), (8, 3)])
def test_parameters_of_residual_networks(classes, width, blocks):
    """Strided convolutions of 4×4, in each block two convolutions of 3×3 with a bias, and a hidden layer of 10."""
    block = sum(2 * (9 * channels**2 + channels) for channels in (width, 2 * width))
    wide = 2 * width * 49
    encoder = 16 * (1 + classes) * width + width + 16 * width * 2 * width + 2 * width + (wide + 1) * 10 + 11 * 4
    assert count(ResidualEncoder(2, classes, 10, width=width, blocks=blocks)) == encoder + blocks * block
    decoder = (2 + classes + 1) * 10 + 11 * wide + 16 * 2 * width * width + width + 16 * width + 1
    assert count(ResidualDecoder(2, classes, 10, width=width, blocks=blocks)) == decoder + blocks * block
    batch_norm = ResidualEncoder(2, classes, 10, batch_norm=True, width=width, blocks=blocks)
    assert count(batch_norm) == encoder + blocks * block + 10  # of the hidden layer alone: 20 more, and no bias
