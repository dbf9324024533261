"""PixelCNN: causality, the sum of all probabilities, the blind spot, and layers computed by hand."""

import itertools
from functools import partial
from typing import TypeVar

import pytest
import torch
from torch import nn

from gmlib.errors import InputError
from gmlib.models.pixelcnn import (
    CausalLayer,
    CausalNetwork,
    ConditionSizes,
    GatedActivation,
    GatedPixelCNN,
    MaskedConv2d,
    PixelCNN,
    conv1x1,
    receptive_field,
)
from gmlib.objectives import bernoulli_log_prob

NETWORKS = {"plain": PixelCNN, "gated": GatedPixelCNN, "gated, two rows above": partial(GatedPixelCNN, rows_above=2)}
Network = TypeVar("Network", bound=nn.Module)
each_network = pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)

CONDITIONS = {"none": (0, 0), "bias": (3, 0), "spatial": (0, 2)}
each_condition = pytest.mark.parametrize("sizes", CONDITIONS.values(), ids=CONDITIONS)


def randomised(network: Network, seed: int = 0) -> Network:
    """Large random weights, so that each pixel of the receptive field changes the logit."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            scale = 1 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.1
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return network.double()


def in_receptive_field(network: CausalNetwork, height: int, width: int, row: int, column: int) -> torch.Tensor:
    """Pixels in the receptive field of one logit, over a few images: `(height, width)`."""
    return receptive_field(network, torch.rand(8, 1, height, width, dtype=torch.float64), row, column) > 0


def random_condition(sizes: tuple[int, int], count: int, height: int, width: int) -> torch.Tensor:
    """A condition of these sizes, in float64: `(count, d)`, or feature maps `(count, k, height, width)`."""
    numbers, channels = sizes
    shape = (channels, height, width) if channels else (numbers,)
    return torch.randn(count, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))


def layers(network: CausalNetwork) -> list[CausalLayer]:
    """All layers in the order in which they are computed."""
    return [module for module in network.modules() if isinstance(module, CausalLayer)]


def feature_maps(network: CausalNetwork, x: torch.Tensor, condition: torch.Tensor) -> list[torch.Tensor]:
    """The outputs of all layers, in order."""
    outputs, hooks = [], []
    for layer in layers(network):
        hooks.append(layer.register_forward_hook(lambda module, inputs, output: outputs.append(output)))
    network(x, condition)
    for hook in hooks:
        hook.remove()
    return outputs


# ---- a distribution over images


@each_network
@each_condition
def test_the_probabilities_of_all_images_sum_to_1(make, sizes):
    network = randomised(make(*sizes, channels=4, layers=8))
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)), dtype=torch.float64).view(16, 1, 2, 2)
    totals = []
    for z in random_condition(sizes, 3, 2, 2):
        probabilities = bernoulli_log_prob(x, network(x, z.expand(16, *z.shape))).exp()
        assert probabilities.std() > 1e-3  # not all alike
        totals.append(probabilities.sum())
    assert torch.allclose(torch.stack(totals), torch.ones(3, dtype=torch.float64), atol=1e-12)


@each_network
def test_no_logit_depends_on_its_own_pixel_or_a_later_one(make):
    network, height, width = randomised(make(channels=4, layers=3)), 6, 7
    for place in range(height * width):
        field = in_receptive_field(network, height, width, *divmod(place, width)).flatten()
        assert not field[place:].any()
        assert place % width == 0 or field[place - 1]  # it depends on the pixel to its left


def test_a_plain_stack_has_a_blind_spot_above_to_the_right_and_a_gated_one_has_none():
    row, column = 6, 3
    before = torch.zeros(8, 12, dtype=torch.bool)
    before[:row], before[row, :column] = True, True
    blind = {
        make: before & ~in_receptive_field(randomised(make(channels=4, layers=9, kernel=3)), 8, 12, row, column)
        for make in (PixelCNN, GatedPixelCNN)
    }
    # each layer covers one column to the right in the row above, so that the receptive field has r pixels to the right in the r-th row above
    expected = torch.zeros(8, 12, dtype=torch.bool)
    for r in range(1, row + 1):
        expected[row - r, column + r + 1 :] = True
    assert torch.equal(blind[PixelCNN], expected)
    assert not blind[GatedPixelCNN].any()


@pytest.mark.parametrize(("rows_above", "rows"), [(None, 3 + 7), (0, 3), (1, 3 + 7), (2, 3 + 2 * 7)])
def test_rows_above_in_the_receptive_field(rows_above, rows):
    """The first layer covers three rows above, each of the other seven covers `rows_above`."""
    field = in_receptive_field(randomised(GatedPixelCNN(channels=3, layers=8, rows_above=rows_above)), 24, 9, 23, 4)
    assert int(field.any(1).nonzero().min()) == 23 - rows


def test_the_receptive_field_of_one_layer_is_its_mask_and_its_strength_the_weights():
    network = PixelCNN(channels=1, layers=1, kernel=3).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(0.5)
    field = receptive_field(network, torch.ones(3, 1, 4, 5, dtype=torch.float64), 2, 2)
    expected = torch.zeros(4, 5, dtype=torch.float64)
    expected[1, 1:4], expected[2, 1] = 3 * 0.5 * 0.5, 3 * 0.5 * 0.5  # of three images, through two layers
    assert torch.equal(field, expected)


# ---- layers


@pytest.mark.parametrize("mask", ["A", "B"])
def test_a_masked_convolution_is_a_convolution_whose_kernel_is_masked(mask):
    conv, x = MaskedConv2d(mask, 2, 3, 5).double(), torch.randn(2, 2, 6, 7, dtype=torch.float64)
    kernel = torch.zeros(3, 2, 5, 5, dtype=torch.float64)
    kernel[:, :, :2] = conv.above.weight
    kernel[:, :, 2, : 3 if mask == "B" else 2] = conv.left.weight[:, :, 0]
    assert torch.allclose(conv(x), torch.nn.functional.conv2d(x, kernel, padding=2), atol=1e-12)


def test_a_layer_with_output_0_passes_on_its_first_input():
    network, x = randomised(GatedPixelCNN(channels=4, layers=3)), torch.rand(2, 1, 5, 5, dtype=torch.float64)
    for layer in layers(network)[2:-1]:
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.zero_()
    v, h, *others, _ = feature_maps(network, x, torch.zeros(2, 0, dtype=torch.float64))
    assert all(torch.equal(maps, (v, h)[number % 2]) for number, maps in enumerate(others))
    assert len(others) == 4


def test_bfloat16_layers_make_bfloat16_feature_maps():
    """In float32 they would take twice the memory."""
    network, x = GatedPixelCNN(channels=4, layers=2), torch.rand(1, 1, 5, 5)
    with torch.autocast("cpu", torch.bfloat16):
        maps = feature_maps(network, x, torch.zeros(1, 0))
    assert {tensor.dtype for tensor in maps} == {torch.bfloat16}


def test_dropout_is_for_training_and_stays_causal():
    network = randomised(GatedPixelCNN(channels=8, layers=3, dropout=0.5))
    x = torch.rand(2, 1, 6, 6, dtype=torch.float64)
    assert not torch.equal(network(x), network(x))
    assert not in_receptive_field(network, 6, 6, 2, 3).flatten()[2 * 6 + 3 :].any()
    network.eval()
    assert torch.equal(network(x), network(x))


@each_network
@pytest.mark.parametrize("sizes", [(2, 0), (0, 2)], ids=["bias", "spatial"])
def test_each_layer_depends_on_the_condition(make, sizes):
    """By its own weights, not only through the layers before it."""
    network = randomised(make(*sizes, channels=4, layers=3))
    x, z = torch.rand(1, 1, 5, 5, dtype=torch.float64), random_condition(sizes, 1, 5, 5)
    for number, layer in enumerate(layers(network)[:-1]):  # all but the logits
        weight = layer.condition_bias.weight if sizes[0] else layer.spatial.weight
        before = feature_maps(network, x, z)
        with torch.no_grad():
            weight += 1
        after = feature_maps(network, x, z)
        changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
        assert changed.index(True) == number


@each_network
def test_a_spatial_condition_acts_at_the_same_pixel_and_not_at_earlier_pixels(make):
    network, z = randomised(make(0, 2, channels=4, layers=3)), random_condition((0, 2), 1, 5, 6).requires_grad_()
    logits = network(torch.rand(1, 1, 5, 6, dtype=torch.float64), z)
    slopes = torch.autograd.grad(logits[0, 0, 2, 3], z)[0][0].abs().sum(0) > 0
    assert slopes[2, 3]
    assert slopes[1, 2]  # through the feature maps above
    assert not slopes[3:].any()


@pytest.mark.parametrize(("numbers", "channels"), [(0, 0), (5, 0), (0, 2)])
def test_the_number_of_parameters(numbers, channels):
    """By default seven layers of 64 channels: one weight per visible kernel position, and one bias per channel."""

    def count(network: CausalNetwork) -> int:
        return sum(parameter.numel() for parameter in network.parameters())

    each, logits = 1 + numbers + channels, 64 + 1  # per channel: a bias, z and label, the spatial condition
    first, other = 24 * 64, 5 * 64 * 64  # of 49 and of 9 kernel positions
    assert count(PixelCNN(numbers, channels)) == first + 6 * other + 7 * 64 * each + logits
    link, mix = 64 * 128, 64 * 64 + 64  # from the vertical stack; after the gate
    first = 3 * 7 * 128 + 3 * 128 + link
    other = 2 * 3 * link + 2 * link + link  # the row above and its own; the pixel to the left and its own; the link
    assert count(GatedPixelCNN(numbers, channels)) == first + 6 * other + 14 * (128 * each + mix) + logits


@pytest.mark.parametrize("shape", [(1, 1, 4), (1, 4, 1, 1)], ids=["wavefront", "feature map"])
def test_the_gated_activation_by_hand(shape):
    """tanh(ln 2) = 0.6 and σ(ln 3) = 0.75; then a 1×1 convolution."""
    features = torch.tensor([2.0, 0.5, 3.0, 1 / 3], dtype=torch.float64).log().view(shape)
    unit = GatedActivation(2).double()
    with torch.no_grad():
        unit.conv.weight.copy_(torch.tensor([[1.0, 0.0], [2.0, 1.0]])[:, :, None, None])
        unit.conv.bias.copy_(torch.tensor([0.0, 10.0]))
    a, b = 0.6 * 0.75, -0.6 * 0.25
    assert unit(features).flatten().tolist() == pytest.approx([a, 10 + 2 * a + b])
    assert unit(features).shape == (*shape[:-1], 2) if len(shape) == 3 else (1, 2, 1, 1)


@pytest.mark.parametrize("residual", [False, True])
def test_activations_and_residuals_by_hand(residual):
    x = torch.tensor([-2.0, 3.0]).view(1, 2, 1, 1)
    for activation, expected in ((nn.ReLU, [0.0, 3.0]), (nn.Identity, [-2.0, 3.0])):
        layer = CausalLayer([conv1x1(2, 2)], 2, ConditionSizes(), activation=activation, residual=residual)
        with torch.no_grad():
            layer.convolutions[0].weight.copy_(torch.eye(2)[:, :, None, None])
        added = x.flatten().tolist() if residual else [0.0, 0.0]
        output = layer([x], torch.zeros(1, 0)).flatten().tolist()
        assert output == [a + b for a, b in zip(expected, added, strict=True)]


def test_biases_by_hand():
    with_z, without = (
        CausalLayer([conv1x1(1, 2)], 2, ConditionSizes(bias=3)),
        CausalLayer([conv1x1(1, 2)], 2, ConditionSizes()),
    )
    with torch.no_grad():
        with_z.condition_bias.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.0, 1.0]]))
        for layer in (with_z, without):
            layer.bias.copy_(torch.tensor([10.0, 20.0]))
    assert with_z.biases(torch.tensor([[1.0, 1.0, 2.0], [0.0, 0.0, 0.0]])).tolist() == [[19, 21], [10, 20]]
    assert without.biases(torch.zeros(2, 0)).tolist() == [[10, 20], [10, 20]]


def test_a_receptive_field_depends_on_the_condition():
    network, x = randomised(GatedPixelCNN(2, channels=2, layers=2)), torch.rand(2, 1, 4, 5, dtype=torch.float64)
    z = torch.randn(2, 2, dtype=torch.float64)
    assert not torch.equal(receptive_field(network, x, 2, 2, z), receptive_field(network, x, 2, 2, z + 1))


@each_network
def test_logits_have_no_activation(make):
    network = make(channels=4, layers=2)
    with torch.no_grad():
        network.logits.convolutions[0].weight.zero_()
        network.logits.bias.fill_(-3)
    assert (network(torch.rand(2, 1, 4, 4)) == -3).all()


@pytest.mark.parametrize("where", ["kernel", "inner_kernel"])
@pytest.mark.parametrize("make", [PixelCNN, GatedPixelCNN])
def test_a_kernel_has_a_centre_and_rows_above_it(make, where):
    for kernel in (1, 4):
        with pytest.raises(InputError, match="kernel"):
            make(channels=2, layers=2, **{where: kernel})


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("sizes", "shape"),
    [((2, 0), (1, 2)), ((2, 0), (3, 0)), ((0, 2), (3, 2)), ((0, 2), (1, 2, 6, 6)), ((0, 2), (3, 2, 1, 1))],
)
def test_a_condition_that_would_broadcast_is_refused(sizes, shape):
    with pytest.raises(InputError, match="condition"):
        PixelCNN(*sizes, channels=4, layers=3)(torch.rand(3, 1, 6, 6), torch.zeros(shape))


@pytest.mark.usefixtures("unchecked")
def test_images_outside_0_to_1_or_of_several_channels_are_refused():
    for wrong in (torch.full((3, 1, 6, 6), 5.0), torch.rand(3, 2, 6, 6)):
        with pytest.raises(InputError, match="images"):
            PixelCNN(channels=4, layers=3)(wrong)
