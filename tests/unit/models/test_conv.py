"""Convolutional encoder and decoder: their sizes, what they see, and what they refuse."""

import pytest
import torch
from torch import nn

from gmlib.models import ConvDecoder, ConvEncoder


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("classes", [0, 10])
def test_parameters_are_those_of_the_report(classes):
    """Two 3×3 convolutions of 8 channels, and a hidden layer of 100."""
    convolutions = 9 * (1 + classes) * 8 + 9 * 8 * 8
    assert count(ConvEncoder(2, classes, batch_norm=True)) == convolutions + 32 + 6272 * 100 + 200 + 100 * 4 + 4
    assert count(ConvEncoder(2, classes, batch_norm=False)) == convolutions + 16 + 6272 * 100 + 100 + 100 * 4 + 4
    up = 16 * 32 * 16 + 16 * 16 + 1
    first = (2 + classes) * 100 + 100 * 1568 + 1568
    assert count(ConvDecoder(2, classes, batch_norm=True)) == first + 200 + up + 32
    assert count(ConvDecoder(2, classes, batch_norm=False)) == first + 100 + up + 16


@pytest.mark.parametrize("classes", [0, 10])
def test_parameters_with_strides_and_of_another_width(classes):
    halves = 16 * (1 + classes) * 32 + 16 * 32 * 64
    assert count(ConvEncoder(2, classes, strided=True)) == halves + 192 + 3136 * 100 + 200 + 100 * 4 + 4
    first = (2 + classes) * 100 + 200 + 100 * 784 + 784
    assert count(ConvDecoder(2, classes, channels=3, width=16)) == first + 16 * 16 * 8 + 16 + 8 * 3 * 16 + 3


@pytest.mark.parametrize("strided", [False, True], ids=["stride 1", "stride 2"])
@pytest.mark.parametrize("classes", [0, 10])
def test_shapes_and_labels(classes, strided, refused):
    x, y = rand(5, 1, 28, 28), torch.arange(5) if classes else None
    mu, logvar = ConvEncoder(3, classes, strided=strided)(x, y)
    assert mu.shape == logvar.shape == (5, 3)
    assert ConvDecoder(3, classes)(mu, y).shape == (5, 1, 28, 28)
    with refused("got no labels" if classes else "got labels"):
        ConvEncoder(3, classes)(x, None if classes else torch.arange(5))


def test_another_size_is_refused(unchecked, refused):
    with refused("got images of shape (2, 1, 32, 32), expected (batch, 1, 28, 28)"):
        ConvEncoder(2)(rand(2, 1, 32, 32))


def test_convolutions_keep_the_place_of_every_pixel():
    """Stride 1 and padding 1: what the hidden layer gets at a pixel depends on the 5×5 pixels around it."""
    encoder = ConvEncoder(2, batch_norm=False).double()
    maps = encoder.net[:4]
    x = rand(1, 1, 28, 28).double().requires_grad_()
    out = maps(x)
    assert out.shape == (1, 8, 28, 28)
    (slope,) = torch.autograd.grad(out[0, :, 10, 20].sum(), x)
    seen = slope[0, 0].nonzero()
    assert seen.min(0).values.tolist() >= [8, 18]
    assert seen.max(0).values.tolist() <= [12, 22]
    assert len(seen) > 5


@pytest.mark.parametrize("network", [ConvEncoder, ConvDecoder])
def test_images_do_not_see_each_other_in_eval_mode(network):
    torch.manual_seed(0)
    inputs = rand(6, 1, 28, 28) if network is ConvEncoder else rand(6, 2)
    model = network(2)
    model(inputs)  # running statistics
    model.eval()
    whole = model(inputs)[0] if network is ConvEncoder else model(inputs)
    alone = model(inputs[:1])[0] if network is ConvEncoder else model(inputs[:1])
    torch.testing.assert_close(whole[:1], alone)
    model.train()
    mixed = model(inputs)[0] if network is ConvEncoder else model(inputs)
    assert not torch.allclose(mixed[:1], alone)


@pytest.mark.parametrize("classes", [0, 10])
def test_every_parameter_gets_a_gradient(classes):
    encoder, decoder = ConvEncoder(2, classes), ConvDecoder(2, classes)
    y = torch.arange(10) if classes else None
    mu, logvar = encoder(rand(10, 1, 28, 28), y)
    (decoder(mu + logvar, y) ** 2).mean().backward()
    for network in (encoder, decoder):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name
