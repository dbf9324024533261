"""Fully connected networks: their sizes, what they compute, and what they refuse."""

import pytest
import torch
from torch import nn

from gmlib.models import ConvDecoder, MLPDecoder, MLPEncoder


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("classes", "hidden", "latent"), [(0, 100, 2), (10, 100, 2), (10, 30, 7)])
def test_parameters_are_those_of_one_hidden_layer(classes, hidden, latent):
    sizes = {"latent_dim": latent, "num_classes": classes, "hidden": hidden}
    out = hidden * 2 * latent + 2 * latent
    assert count(MLPEncoder(**sizes, batch_norm=False)) == (784 + classes) * hidden + hidden + out
    assert count(MLPEncoder(**sizes, batch_norm=True)) == (784 + classes) * hidden + 2 * hidden + out
    out = hidden * 784 + 784
    assert count(MLPDecoder(**sizes, batch_norm=False)) == (latent + classes) * hidden + hidden + out
    assert count(MLPDecoder(**sizes, batch_norm=True)) == (latent + classes) * hidden + 2 * hidden + out


@pytest.mark.parametrize("batch_norm", [True, False])
def test_several_hidden_layers_follow_each_other(batch_norm):
    encoder = MLPEncoder(3, hidden=(30, 20), batch_norm=batch_norm)
    decoder = MLPDecoder(3, hidden=(20, 30), batch_norm=batch_norm)
    for network, sizes in ((encoder, [784, 30, 20, 6]), (decoder, [3, 20, 30, 784])):
        linear = [layer for layer in network.net if isinstance(layer, nn.Linear)]
        assert [layer.in_features for layer in linear] == sizes[:-1]
        assert [layer.out_features for layer in linear] == sizes[1:]
        assert isinstance(network.net[-1], nn.Linear)
        assert sum(isinstance(layer, nn.ReLU) for layer in network.net) == 2
        assert sum(isinstance(layer, nn.BatchNorm1d) for layer in network.net) == 2 * batch_norm
    same = MLPEncoder(3, hidden=(30,)).net
    assert [type(layer) for layer in same] == [type(layer) for layer in MLPEncoder(3, hidden=30).net]


@pytest.mark.parametrize("batch_norm", [True, False])
def test_networks_are_two_linear_maps_around_a_relu(batch_norm):
    x, z = rand(5, 1, 28, 28).double(), torch.randn(5, 3, generator=torch.Generator().manual_seed(1)).double()
    encoder = MLPEncoder(3, hidden=20, batch_norm=batch_norm).double()
    decoder = MLPDecoder(3, hidden=20, batch_norm=batch_norm).double()

    def by_hand(network: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        first, *_, last = (layer for layer in network.modules() if isinstance(layer, nn.Linear))
        hidden = inputs @ first.weight.T
        if batch_norm:  # at its start it only standardises, with the biased variance
            hidden = (hidden - hidden.mean(0)) / (hidden.var(0, correction=0) + 1e-5).sqrt()
        else:
            hidden = hidden + first.bias
        return hidden.clamp(min=0) @ last.weight.T + last.bias

    mu, logvar = encoder(x)
    expected = by_hand(encoder, x.reshape(5, 784))
    torch.testing.assert_close(mu, expected[:, :3], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(logvar, expected[:, 3:], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(decoder(z), by_hand(decoder, z).reshape(5, 1, 28, 28), rtol=1e-9, atol=1e-12)


def test_every_parameter_gets_a_gradient():
    encoder, decoder = MLPEncoder(2, num_classes=10), MLPDecoder(2, num_classes=10)
    y = torch.arange(10)
    mu, logvar = encoder(rand(10, 1, 28, 28), y)
    (decoder(mu + logvar, y) ** 2).mean().backward()
    for network in (encoder, decoder):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_labels_change_what_a_conditional_network_gives():
    x, z = rand(1, 1, 28, 28).expand(10, -1, -1, -1), torch.zeros(10, 2)
    y = torch.arange(10)
    mu, logvar = MLPEncoder(2, num_classes=10).eval()(x, y)
    logits = MLPDecoder(2, num_classes=10).eval()(z, y)
    for given in (mu, logvar, logits):
        assert len(given.detach().flatten(1).unique(dim=0)) == 10


def test_labels_have_to_fit_the_network(refused):
    x, z, y = rand(4, 1, 28, 28), torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64)
    for unconditional, given in ((MLPEncoder(2), x), (MLPDecoder(2), z)):
        with refused("unconditional"):
            unconditional(given, y)
    for conditional, given in ((MLPEncoder(2, num_classes=10), x), (MLPDecoder(2, num_classes=10), z)):
        with refused("conditional", "num_classes = 10"):
            conditional(given)


@pytest.mark.parametrize("shape", [(4, 784), (4, 28, 28), (4, 1, 32, 32), (4, 3, 28, 28)])
def test_encoder_refuses_images_of_another_shape(unchecked, refused, shape):
    with refused(f"got images of shape {shape}", "expected (batch, 1, 28, 28)"):
        MLPEncoder(2)(torch.zeros(shape))


def test_encoder_refuses_bytes(unchecked, refused):
    with refused("torch.uint8", "expected floats in [0, 1]"):
        MLPEncoder(2)(torch.zeros(4, 1, 28, 28, dtype=torch.uint8))


@pytest.mark.parametrize("decoder", [MLPDecoder, ConvDecoder])
@pytest.mark.parametrize("shape", [(3, 5), (3, 1), (2,), (3, 2, 1)])
def test_latents_of_another_model(refused, unchecked, decoder, shape):
    with refused(f"latents of shape {shape}", "(batch, 2)"):
        decoder(2)(torch.zeros(shape))
