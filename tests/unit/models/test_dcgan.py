"""The DCGAN: its planes, what it computes, how it begins, and what it refuses."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gmlib.models import DCCritic, DCGenerator


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def kinds(network: nn.Module) -> list[str]:
    return [type(part).__name__ for part in network.net]


def convolutions(network: nn.Module) -> list[nn.Module]:
    return [part for part in network.net if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)]


def test_parameters_are_those_of_four_convolutions():
    generator = 100 * 256 * 4 * 4 + 256 * 128 * 3 * 3 + 128 * 64 * 4 * 4 + (64 * 4 * 4 + 1)
    critic = (32 * 4 * 4 + 32) + 32 * 64 * 4 * 4 + 64 * 128 * 3 * 3 + (128 * 4 * 4 + 1)
    assert count(DCGenerator()) == generator + 2 * (256 + 128 + 64)
    assert count(DCGenerator(batch_norm=False)) == generator + 256 + 128 + 64
    assert count(DCCritic()) == critic + 64 + 128
    assert count(DCCritic(norm="batch")) == critic + 2 * (64 + 128)
    assert count(DCCritic(channels=2)) == critic + 64 + 128 + 32 * 4 * 4
    # a label is a plane before the first convolution, and before no other
    assert count(DCGenerator(num_classes=10)) == generator + 2 * (256 + 128 + 64) + 10 * 256 * 4 * 4
    assert count(DCCritic(num_classes=10)) == critic + 64 + 128 + 10 * 32 * 4 * 4
    assert count(DCGenerator(5, width=3)) == 5 * 12 * 16 + 12 * 6 * 9 + 6 * 3 * 16 + 3 * 16 + 1 + 2 * (12 + 6 + 3)


def test_there_is_no_pooling_no_linear_layer_and_no_norm_at_the_ends():
    up, norm = "ConvTranspose2d", "BatchNorm2d"
    assert kinds(DCGenerator()) == ["Unflatten", *(up, norm, "ReLU") * 3, up, "Tanh"]
    assert kinds(DCGenerator(batch_norm=False)) == ["Unflatten", *(up, "ReLU") * 3, up, "Tanh"]
    assert kinds(DCCritic()) == [*("Conv2d", "LeakyReLU") * 3, "Conv2d", "Flatten"]
    assert kinds(DCCritic(norm="batch", dropout=0.3)) == [
        *("Conv2d", "LeakyReLU", "Dropout"),
        *("Conv2d", norm, "LeakyReLU", "Dropout") * 2,
        *("Conv2d", "Flatten"),
    ]
    for part in DCGenerator().modules():
        if isinstance(part, nn.BatchNorm2d):
            assert (part.eps, part.momentum) == (1e-5, 0.1)


@pytest.mark.parametrize("classes", [0, 10])
def test_planes_grow_and_shrink_by_stride(classes):
    generator, critic = DCGenerator(5, classes, width=8), DCCritic(classes, width=8)
    y, sizes = torch.arange(3) if classes else None, []
    for network in (generator, critic):
        for part in convolutions(network):
            part.register_forward_hook(lambda module, given, out: sizes.append(tuple(out.shape[1:])))
    images = generator(rand(3, 5), y)
    assert images.shape == (3, 1, 28, 28)
    assert critic(images, y).shape == (3,)
    grown = [(32, 4, 4), (16, 7, 7), (8, 14, 14), (1, 28, 28)]
    assert sizes == [*grown, *grown[-2::-1], (1, 1, 1)]


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("classes", [0, 10])
def test_a_label_is_a_plane_beside_what_comes_in_and_nowhere_else(classes, batch_norm):
    """All of both networks, by hand."""
    generator = DCGenerator(3, classes, width=4, batch_norm=batch_norm).double()
    critic = DCCritic(classes, width=4, norm="batch" if batch_norm else None, channels=2).double()
    with torch.no_grad():  # away from where they begin, where biases are 0 and scores are small
        for network in (generator, critic):
            for parameter in network.parameters():
                parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2))
    z, x = torch.randn(6, 3, generator=torch.Generator().manual_seed(1)).double(), rand(6, 2, 28, 28).double()
    y = torch.tensor([3, 1, 4, 1, 5, 9]) if classes else None
    planes = torch.zeros(6, classes, 1, 1).double()
    if classes:
        planes[range(6), y] = 1

    def norm(network: nn.Module, place: int, h: torch.Tensor) -> torch.Tensor:
        if not batch_norm:
            return h
        part = [part for part in network.net if isinstance(part, nn.BatchNorm2d)][place]
        return F.batch_norm(h, None, None, part.weight, part.bias, training=True)

    one, two, three, four = convolutions(generator)
    h = torch.cat([z[:, :, None, None], planes], 1)
    h = norm(generator, 0, F.conv_transpose2d(h, one.weight, one.bias)).clamp(min=0)
    h = norm(generator, 1, F.conv_transpose2d(h, two.weight, two.bias, stride=2, padding=1)).clamp(min=0)
    h = norm(generator, 2, F.conv_transpose2d(h, three.weight, three.bias, stride=2, padding=1)).clamp(min=0)
    h = F.conv_transpose2d(h, four.weight, four.bias, stride=2, padding=1)
    # inside, images are in [-1, 1]: (tanh h + 1) / 2 is the sigmoid of 2 h
    torch.testing.assert_close(generator(z, y), (2 * h).sigmoid(), rtol=1e-9, atol=1e-12)

    one, two, three, four = convolutions(critic)
    h = torch.cat([2 * x - 1, planes.expand(-1, -1, 28, 28)], 1)
    h = F.conv2d(h, one.weight, one.bias, stride=2, padding=1)
    h = norm(critic, 0, F.conv2d(torch.where(h > 0, h, 0.2 * h), two.weight, two.bias, stride=2, padding=1))
    h = norm(critic, 1, F.conv2d(torch.where(h > 0, h, 0.2 * h), three.weight, three.bias, stride=2, padding=1))
    h = F.conv2d(torch.where(h > 0, h, 0.2 * h), four.weight, four.bias)
    torch.testing.assert_close(critic(x, y), h.reshape(6), rtol=1e-9, atol=1e-12)


def test_images_are_in_their_range_and_scores_in_none():
    torch.manual_seed(0)
    generator, critic = DCGenerator(), DCCritic()
    z, x = torch.randn(20, 100, generator=torch.Generator().manual_seed(0)), rand(20, 1, 28, 28)
    for scale in (1, 1e6):  # far out as well
        images = generator.eval()(scale * z)
        assert images.shape == (20, 1, 28, 28)
        assert 0 <= images.min() < images.max() <= 1
    with torch.no_grad():
        for parameter in convolutions(critic)[-1].parameters():
            parameter *= 10_000
    assert critic(x).abs().max() > 10


@pytest.mark.parametrize("kind", [DCGenerator, DCCritic])
def test_weights_begin_at_random_from_a_narrow_gaussian(kind):
    """N(0, 0.02²), gains N(1, 0.02²); within five standard errors."""
    torch.manual_seed(0)
    network = kind(num_classes=10, **({"batch_norm": True} if kind is DCGenerator else {"norm": "batch"}))
    for part in convolutions(network):
        w, n = part.weight.detach().double(), part.weight.numel()
        assert w.mean().abs() < 5 * 0.02 / n**0.5
        assert w.std().item() == pytest.approx(0.02, abs=5 * 0.02 / (2 * n) ** 0.5)
        # a Gaussian: two thirds lie within one deviation, and of a thousand a few beyond two and a half
        assert (w.abs() < 0.02).double().mean().item() == pytest.approx(0.6827, abs=5 * (0.22 / n) ** 0.5)
        assert w.abs().max() > 0.05
        assert part.bias is None or not part.bias.any()
    norms = [part for part in network.net if isinstance(part, nn.BatchNorm2d)]
    assert norms
    for part in norms:
        gain, n = part.weight.detach().double(), part.num_features
        assert gain.mean().item() == pytest.approx(1, abs=5 * 0.02 / n**0.5)
        assert gain.std().item() == pytest.approx(0.02, abs=5 * 0.02 / (2 * n) ** 0.5)
        assert not part.bias.any()


def test_the_critic_drops_in_training_only():
    torch.manual_seed(0)
    x = rand(5, 1, 28, 28)
    critic, kept = DCCritic(dropout=0.3), []
    for part in critic.modules():
        if isinstance(part, nn.Dropout):
            part.register_forward_hook(lambda module, given, out: kept.append((out == 0).double()))
    assert not torch.equal(critic(x), critic(x))
    assert len(kept) == 6
    for zeros in kept:
        assert zeros.mean().item() == pytest.approx(0.3, abs=5 * (0.21 / zeros.numel()) ** 0.5)
    assert torch.equal(critic.eval()(x), critic(x))
    still = DCCritic()
    assert torch.equal(still(x), still(x))


@pytest.mark.parametrize("classes", [0, 10])
def test_samples_and_scores_do_not_see_each_other_in_eval_mode(classes):
    torch.manual_seed(0)
    z, y = rand(6, 20), torch.arange(6) if classes else None
    generator, critic = DCGenerator(20, classes, width=8), DCCritic(classes, width=8, norm="batch")
    critic(generator(z, y), y)  # running statistics
    mixed = generator(z, y)[:1]
    generator.eval(), critic.eval()
    own = None if y is None else y[:1]
    alone = generator(z[:1], own)
    torch.testing.assert_close(generator(z, y)[:1], alone)
    torch.testing.assert_close(critic(generator(z, y), y)[:1], critic(alone, own))
    assert not torch.allclose(mixed, alone)


def test_every_parameter_gets_a_gradient():
    torch.manual_seed(0)
    generator, critic = DCGenerator(5, 10, width=4), DCCritic(10, width=4, norm="batch")
    y = torch.arange(10)
    critic(generator(rand(10, 5), y), y).square().mean().backward()
    for network in (generator, critic):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_what_does_not_fit_is_refused(unchecked, refused):
    x, z, y = rand(4, 1, 28, 28), rand(4, 100), torch.zeros(4, dtype=torch.int64)
    with refused("latent_dim 0"):
        DCGenerator(0)
    with refused("got latents of shape (4, 100), expected (batch, 5)"):
        DCGenerator(5)(z)
    for unconditional, conditional, given in (
        (DCGenerator(), DCGenerator(100, 10), z),
        (DCCritic(), DCCritic(10), x),
    ):
        with refused("got labels for an unconditional model"):
            unconditional(given, y)
        with refused("got no labels for a conditional model (num_classes = 10)"):
            conditional(given)
    with refused("got images of shape (4, 1, 32, 32), expected (batch, 1, 28, 28)"):
        DCCritic()(torch.zeros(4, 1, 32, 32))
    with refused("got images of shape (4, 1, 28, 28), expected (batch, 2, 28, 28)"):
        DCCritic(channels=2)(x)
