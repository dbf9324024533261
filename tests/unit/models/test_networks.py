"""What holds for all encoders, decoders, generators and critics: shapes, gradients, labels, normalisation, refusals."""

from functools import partial

import pytest
import torch
from torch import nn

from gmlib.errors import InputError
from gmlib.models import (
    Classifier,
    ConvDecoder,
    ConvEncoder,
    DCCritic,
    DCGenerator,
    MLPCritic,
    MLPDecoder,
    MLPEncoder,
    MLPGenerator,
    ResidualDecoder,
    ResidualEncoder,
)
from gmlib.objectives import gradient_penalty
from gmlib.training.gan import has_batch_norm

LATENTS = {  # networks that take z
    "MLP decoder": partial(MLPDecoder, 3, hidden=8),
    "MLP generator": partial(MLPGenerator, 3, hidden=(8, 9), batch_norm=True),
    "convolutional decoder": partial(ConvDecoder, 3, hidden=8),
    "residual decoder": partial(ResidualDecoder, 3, hidden=8, batch_norm=True, width=2, blocks=2),
    "DCGAN generator": partial(DCGenerator, 3, width=4),
}
IMAGES = {  # networks that take x
    "MLP encoder": partial(MLPEncoder, 3, hidden=8),
    "MLP critic": partial(MLPCritic, hidden=(8, 9), norm="batch", dropout=0.0),
    "convolutional encoder": partial(ConvEncoder, 3, hidden=8),
    "strided encoder": partial(ConvEncoder, 3, hidden=8, strided=True),
    "residual encoder": partial(ResidualEncoder, 3, hidden=8, batch_norm=True, width=2, blocks=2),
    "DCGAN critic": partial(DCCritic, width=4, norm="batch"),
}
each_network = pytest.mark.parametrize("name", [*LATENTS, *IMAGES])


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def build(name: str, classes: int = 0) -> nn.Module:
    torch.manual_seed(0)
    return (LATENTS | IMAGES)[name](num_classes=classes)


def batch(name: str, count: int = 10) -> torch.Tensor:
    return rand(count, 3) if name in LATENTS else rand(count, 1, 28, 28)


def output(network: nn.Module, inputs: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
    """The output, of encoders mean and log-variance side by side."""
    outputs = network(inputs, y)
    return torch.cat(outputs, 1) if isinstance(outputs, tuple) else outputs


@each_network
def test_shapes_and_gradients_of_every_parameter(name):
    network, y = build(name, 10), torch.arange(10)
    outputs = output(network, batch(name), y)
    scores = (10,) if "critic" in name else (10, 6)
    assert outputs.shape == ((10, 1, 28, 28) if name in LATENTS else scores)
    (outputs**2).mean().backward()
    for parameter, value in network.named_parameters():
        assert value.grad is not None, parameter
        assert value.grad.abs().max() > 0, parameter


@each_network
def test_an_output_depends_on_its_own_input_alone_in_eval_mode(name):
    network, inputs = build(name), batch(name)
    mixed = output(network, inputs)  # which moves the running statistics too
    network.eval()
    alone = output(network, inputs[:1])
    torch.testing.assert_close(output(network, inputs)[:1], alone)
    assert not torch.allclose(mixed[:1], alone)


@each_network
def test_labels_change_the_output_and_have_to_fit(name):
    conditional, inputs = build(name, 10).eval(), batch(name)
    outputs = output(conditional, inputs[:1].expand_as(inputs), torch.arange(10))
    assert len(outputs.detach().reshape(10, -1).unique(dim=0)) == 10
    for network, y in ((build(name), torch.arange(10)), (conditional, None), (conditional, torch.arange(1, 11))):
        with pytest.raises(InputError, match="labels"):
            network(inputs, y)


@pytest.mark.usefixtures("unchecked")
@each_network
def test_inputs_of_another_shape_or_range_are_refused(name):
    wrong = [rand(4, 5), rand(4, 1), rand(3), rand(4, 3, 1)]
    if name in IMAGES:
        wrong = [rand(4, 784), rand(4, 1, 32, 32), rand(4, 3, 28, 28), 255 * rand(4, 1, 28, 28)]
        wrong.append(torch.zeros(4, 1, 28, 28, dtype=torch.uint8))
    for inputs in wrong:
        with pytest.raises(InputError, match="latents" if name in LATENTS else "images"):
            build(name)(inputs)


@pytest.mark.parametrize("name", ["MLP generator", "DCGAN generator"])
def test_generated_images_are_in_their_range(name):
    generator = build(name).eval()
    for scale in (1, 1e6):  # also for latents that are far from the prior
        images = generator(scale * (batch(name) - 0.5))
        assert 0 <= images.min() < images.max() <= 1


@pytest.mark.parametrize("make", [MLPCritic, partial(DCCritic, width=8, dropout=0.3)])
def test_a_critic_drops_in_training_only(make):
    torch.manual_seed(0)
    critic, x, kept = make(), rand(50, 1, 28, 28), []
    for module in critic.modules():
        if isinstance(module, nn.Dropout):
            module.register_forward_hook(lambda module, inputs, out: kept.append((out == 0).double()))
    assert not torch.equal(critic(x), critic(x))
    assert len(kept) == 6  # three hidden layers, twice
    for zeros in kept:
        assert zeros.mean().item() == pytest.approx(0.3, abs=5 * (0.21 / zeros.numel()) ** 0.5)
    assert torch.equal(critic.eval()(x), critic(x))


# the norm of a critic

CRITICS = {"mlp": partial(MLPCritic, hidden=(12, 8), dropout=0.0), "dcgan": partial(DCCritic, width=4)}
each_critic = pytest.mark.parametrize("make", CRITICS.values(), ids=CRITICS)


@each_critic
@pytest.mark.parametrize("norm", [None, "batch", "layer", "layer_no_affine"])
def test_only_batch_norm_makes_a_score_depend_on_the_batch(make, norm):
    torch.manual_seed(0)
    critic, x, plain = make(norm=norm), rand(6, 1, 28, 28), make()
    assert has_batch_norm(critic) == (norm == "batch")
    alone = torch.cat([critic(x[:2]), critic(x[2:])])
    assert torch.allclose(critic(x), alone, atol=1e-5) == (norm != "batch")
    # a gain and a bias per feature or channel; batch norm replaces the bias of the layer before it
    features = {"mlp": 12 + 8, "dcgan": 8 + 16}["mlp" if make.func is MLPCritic else "dcgan"]
    more = {None: 0, "batch": features, "layer": 2 * features, "layer_no_affine": 0}[norm]
    assert sum(p.numel() for p in critic.parameters()) == sum(p.numel() for p in plain.parameters()) + more


@each_critic
@pytest.mark.parametrize("norm", ["layer", "layer_no_affine"])
def test_layer_norm_standardises_the_features_of_each_image(make, norm):
    """Over all features, or over channels and places together; initial gains, if any, are 1 and biases 0."""
    torch.manual_seed(0)
    critic, pairs = make(norm=norm), []
    for module in critic.modules():
        if isinstance(module, nn.LayerNorm | nn.GroupNorm):
            module.register_forward_hook(
                lambda module, inputs, out: pairs.append((inputs[0].flatten(1), out.flatten(1)))
            )
    x = rand(6, 1, 28, 28)
    critic(x)
    assert len(pairs) == 2
    for h, out in pairs:
        var, mean = torch.var_mean(h, 1, unbiased=False, keepdim=True)
        torch.testing.assert_close(out, (h - mean) / (var + 1e-5).sqrt(), rtol=1e-4, atol=1e-4)
    eps = torch.full((6, 1, 1, 1), 0.5)  # so that a penalty on each image's own gradient is defined
    whole, alone = (gradient_penalty(critic, x[:n], 1 - x[:n], None, eps[:n]) for n in (6, 1))
    torch.testing.assert_close(whole[:1], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("unchecked")
@each_critic
def test_another_norm_is_refused(make):
    with pytest.raises(InputError, match="norm"):
        make(norm="instance")


def test_a_classifier_has_128_features_after_four_convolutions():
    classifier = Classifier(7).eval()
    assert classifier.features(rand(3, 1, 28, 28)).shape == (3, 128)
    assert classifier(rand(3, 1, 28, 28)).shape == (3, 7)
    convolutions = [module for module in classifier.features if isinstance(module, nn.Conv2d)]
    assert [module.out_channels for module in convolutions] == [16, 32, 64, 64]
    assert [module.stride[0] for module in convolutions] == [1, 2, 1, 2]
    assert sum(isinstance(module, nn.BatchNorm2d) for module in classifier.features) == 4
