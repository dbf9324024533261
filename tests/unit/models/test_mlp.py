"""Fully connected networks: their sizes, what they compute, and what they refuse."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gmlib.models import ConvDecoder, DCGenerator, MLPCritic, MLPDecoder, MLPEncoder, MLPGenerator


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


@pytest.mark.parametrize("decoder", [MLPDecoder, ConvDecoder, MLPGenerator, DCGenerator])
@pytest.mark.parametrize("shape", [(3, 5), (3, 1), (2,), (3, 2, 1)])
def test_latents_of_another_model(refused, unchecked, decoder, shape):
    with refused(f"latents of shape {shape}", "(batch, 2)"):
        decoder(2)(torch.zeros(shape))


# generator and critic


def test_parameters_are_those_of_the_reports_gan():
    generator = (100 * 256 + 256) + (256 * 512 + 512) + (512 * 1024 + 1024) + (1024 * 784 + 784)
    critic = (784 * 1024 + 1024) + (1024 * 512 + 512) + (512 * 256 + 256) + (256 + 1)
    assert count(MLPGenerator()) == generator
    assert count(MLPCritic()) == critic
    # a norm has a gain and a shift, and then the layer before needs no bias
    assert count(MLPGenerator(batch_norm=True)) == generator + 256 + 512 + 1024
    assert count(MLPCritic(norm="batch")) == critic + 1024 + 512 + 256
    assert count(MLPCritic(channels=2)) == critic + 784 * 1024
    # a label is a column of the first layer, and of no other
    assert count(MLPGenerator(num_classes=10)) == generator + 10 * 256
    assert count(MLPCritic(num_classes=10)) == critic + 10 * 1024


def by_hand(network: nn.Module, h: torch.Tensor) -> torch.Tensor:
    """Linear maps and a slope of 0.2 below zero; a fresh batch norm only standardises."""
    *hidden, last = (layer for layer in network.net if isinstance(layer, nn.Linear))
    normed = any(isinstance(layer, nn.BatchNorm1d) for layer in network.net)
    for layer in hidden:
        h = h @ layer.weight.T
        h = F.batch_norm(h, None, None, training=True) if normed else h + layer.bias
        h = torch.where(h > 0, h, 0.2 * h)
    return h @ last.weight.T + last.bias


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("classes", [0, 10])
def test_a_label_stands_beside_what_comes_in_and_nowhere_else(classes, batch_norm):
    generator = MLPGenerator(3, classes, hidden=(20, 30), batch_norm=batch_norm).double()
    critic = MLPCritic(classes, hidden=(30, 20), norm="batch" if batch_norm else None, dropout=0.0, channels=2).double()
    z, x = torch.randn(6, 3, generator=torch.Generator().manual_seed(1)).double(), rand(6, 2, 28, 28).double()
    y = torch.tensor([3, 1, 4, 1, 5, 9]) if classes else None
    one_hot = torch.zeros(6, classes).double()
    if classes:
        one_hot[range(6), y] = 1
    # inside, images are in [-1, 1]: (tanh h + 1) / 2 is the sigmoid of 2 h
    samples = (2 * by_hand(generator, torch.cat([z, one_hot], 1))).sigmoid().reshape(6, 1, 28, 28)
    torch.testing.assert_close(generator(z, y), samples, rtol=1e-9, atol=1e-12)
    scores = by_hand(critic, torch.cat([2 * x.reshape(6, 2 * 784) - 1, one_hot], 1)).reshape(6)
    torch.testing.assert_close(critic(x, y), scores, rtol=1e-9, atol=1e-12)


def test_norms_stand_before_every_slope_or_nowhere():
    """None in the critic unless it is asked for, and none beside images or scores."""
    layer, norm = ["Linear", "LeakyReLU"], ["Linear", "BatchNorm1d", "LeakyReLU"]

    def kinds(network: nn.Module) -> list[str]:
        return [type(part).__name__ for part in network.net]

    assert kinds(MLPGenerator()) == [*layer * 3, "Linear", "Tanh"]
    assert kinds(MLPGenerator(batch_norm=True)) == [*norm * 3, "Linear", "Tanh"]
    assert kinds(MLPCritic(dropout=0.0)) == [*layer * 3, "Linear", "Flatten"]
    assert kinds(MLPCritic()) == [*[*layer, "Dropout"] * 3, "Linear", "Flatten"]
    assert kinds(MLPCritic(norm="batch")) == [*[*norm, "Dropout"] * 3, "Linear", "Flatten"]


def test_images_are_in_their_range_and_scores_in_none():
    torch.manual_seed(0)
    generator, critic = MLPGenerator(), MLPCritic().eval()
    z, x = torch.randn(50, 100, generator=torch.Generator().manual_seed(0)), rand(50, 1, 28, 28)
    for scale in (1, 1000):  # far out as well
        images = generator(scale * z)
        assert images.shape == (50, 1, 28, 28)
        assert 0 <= images.min() < images.max() <= 1
    before = critic(x)
    assert before.shape == (50,)
    with torch.no_grad():
        for parameter in critic.net[-2].parameters():
            parameter *= 1000
    torch.testing.assert_close(critic(x), 1000 * before)
    assert critic(x).abs().max() > 1


def test_the_critic_drops_in_training_only():
    torch.manual_seed(0)
    x, critic = rand(200, 1, 28, 28), MLPCritic()
    kept = []
    for part in critic.net:
        if isinstance(part, nn.Dropout):
            part.register_forward_hook(lambda module, given, out: kept.append((out / given[0]).flatten()))
    assert not torch.equal(critic(x), critic(x))
    assert len(kept) == 6
    for ratio in kept:  # three outputs of ten are 0, the others grow in their place
        assert (ratio == 0).double().mean().item() == pytest.approx(0.3, abs=5 * (0.21 / len(ratio)) ** 0.5)
        torch.testing.assert_close(ratio[ratio != 0], torch.full_like(ratio[ratio != 0], 1 / 0.7))
    critic.eval()
    assert torch.equal(critic(x), critic(x))
    torch.testing.assert_close(critic(x), by_hand(critic, 2 * x.flatten(1) - 1).flatten())


@pytest.mark.parametrize("classes", [0, 10])
def test_samples_and_scores_do_not_see_each_other_in_eval_mode(classes):
    torch.manual_seed(0)
    z, y = rand(6, 100), torch.arange(6) if classes else None
    generator, critic = MLPGenerator(100, classes, batch_norm=True), MLPCritic(classes, norm="batch")
    critic(generator(z, y), y)  # running statistics
    mixed = generator(z, y)[:1]
    generator.eval(), critic.eval()
    alone = generator(z[:1], y if y is None else y[:1])
    torch.testing.assert_close(generator(z, y)[:1], alone)
    torch.testing.assert_close(critic(generator(z, y), y)[:1], critic(alone, y if y is None else y[:1]))
    assert not torch.allclose(mixed, alone)


def test_every_parameter_of_a_gan_gets_a_gradient():
    generator, critic = MLPGenerator(5, 10, batch_norm=True), MLPCritic(10)
    y = torch.arange(10)
    critic(generator(rand(10, 5), y), y).square().mean().backward()
    for network in (generator, critic):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_a_gan_refuses_what_does_not_fit(unchecked, refused):
    x, z, y = rand(4, 1, 28, 28), rand(4, 100), torch.zeros(4, dtype=torch.int64)
    with refused("latent_dim 0"):
        MLPGenerator(0)
    for unconditional, conditional, given in (
        (MLPGenerator(), MLPGenerator(100, 10), z),
        (MLPCritic(), MLPCritic(10), x),
    ):
        with refused("got labels for an unconditional model"):
            unconditional(given, y)
        with refused("got no labels for a conditional model (num_classes = 10)"):
            conditional(given)
        with refused("got labels from 0 to 10 for a model of 10 classes"):
            conditional(given, y + torch.tensor([0, 0, 0, 10]))
    with refused("got images of shape (4, 1, 32, 32), expected (batch, 1, 28, 28)"):
        MLPCritic()(torch.zeros(4, 1, 32, 32))
    with refused("got images of shape (4, 1, 28, 28), expected (batch, 2, 28, 28)"):
        MLPCritic(channels=2)(x)
    with refused("values from -1 to"):
        MLPCritic()(2 * x.round() - 1)
