"""Two samplers of a PixelCNN that draw the same images."""

import math
from collections import Counter
from functools import partial

import pytest
import torch
from torch import nn

from gmlib.errors import InputError
from gmlib.models import pixelcnn_sampling
from gmlib.models.pixelcnn import CausalLayer, CausalNetwork, ConditionSizes, GatedPixelCNN, PixelCNN, ShiftedConv2d
from gmlib.models.pixelcnn_sampling import columns_ahead, sample_sequentially, sample_wavefront, skew
from tests.unit.models.test_pixelcnn import (
    each_condition,
    each_network,
    in_receptive_field,
    layers,
    random_condition,
    randomised,
)

SEVEN = {  # seven layers, and the steps that 28×28 pixels take
    "plain, 7×7 first": (partial(PixelCNN, layers=7), 4, 136),
    "gated, 7×7 first": (partial(GatedPixelCNN, layers=7), 10, 298),
    "pixel_cnn": (partial(GatedPixelCNN, layers=8, rows_above=2), 11, 325),
    "gated, 5×5 inside": (partial(GatedPixelCNN, layers=3, inner_kernel=5), 8, 244),
}


@pytest.mark.parametrize(("make", "lag", "steps"), SEVEN.values(), ids=SEVEN)
def test_the_skew_is_the_least_that_gradients_allow(make, lag, steps):
    network = randomised(make(channels=3))
    assert skew(network) == lag
    assert 28 + 27 * lag == steps
    row, column = 7, 4
    field = in_receptive_field(network, row + 1, 28, row, column)
    reach = {r: int(field[row - r].nonzero().max()) - column for r in range(1, row + 1)}
    fits = [s for s in range(1, 30) if all(s * r > columns for r, columns in reach.items())]
    assert fits[0] == lag


@each_network
@pytest.mark.parametrize("size", [(6, 7), (1, 8), (8, 1)], ids=str)
@each_condition
def test_both_samplers_draw_the_same_images(make, size, sizes, monkeypatch):
    monkeypatch.setattr(pixelcnn_sampling, "BATCH", 3)  # so that there are two batches
    network = randomised(make(*sizes, channels=4, layers=4), seed=1)
    z = random_condition(sizes, 5, *size)
    u = torch.rand(5, 1, *size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    sampled = sample_wavefront(network, u, z)
    assert torch.equal(sampled, sample_sequentially(network, u, z))
    assert sampled.shape == u.shape
    assert sorted(sampled.unique().tolist()) == [0, 1]


class Chain(CausalNetwork):
    """Layers in a row, each with one input."""

    def __init__(self, *layers: CausalLayer) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def connect(self, image, apply):
        for layer in self.layers:
            image = apply(layer, [image])
        return image


def link(inputs: int, outputs: int, rows: range, columns: range, *, residual: bool = False, last: bool = False):
    convolution = ShiftedConv2d(inputs, outputs, rows, columns)
    activation = nn.Identity if last else nn.ReLU
    return CausalLayer([convolution], outputs, ConditionSizes(), activation=activation, residual=residual)


def to_the_left() -> CausalNetwork:
    """Every row is independent of the others."""
    return Chain(link(1, 3, range(1), range(-2, 0)), link(3, 1, range(1), range(1), last=True))


def one_side(rows: range, columns: range) -> CausalNetwork:
    """One layer whose kernel does not cover the column of the pixel."""
    return Chain(link(1, 1, rows, columns, last=True))


def residual_alone() -> CausalNetwork:
    """The last layer reads a column to the right. In its own row the layer before reads its input by the residual alone."""
    above = range(-1, 0)
    second = link(3, 3, above, range(1), residual=True)
    return Chain(link(1, 3, above, range(-1, 2)), second, link(3, 1, range(1), range(2), last=True))


@pytest.mark.parametrize(
    ("make", "ahead", "lag"),
    [
        (to_the_left, [0, 0, 0], 1),
        (partial(one_side, range(1), range(-2, 0)), [0, 0], 1),  # all to the left
        (partial(one_side, range(-1, 0), range(2, 3)), [0, 0], 3),  # all to the right
        (residual_alone, [0, 1, 1, 0], 3),
    ],
    ids=["to_the_left", "left_alone", "right_alone", "residual_alone"],
)
def test_networks_made_by_hand_are_sampled_too(make, ahead, lag):
    network = randomised(make())
    assert columns_ahead(network) == ahead
    assert skew(network) == lag
    u = torch.rand(20, 1, 6, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.equal(sample_wavefront(network, u), sample_sequentially(network, u))


@pytest.mark.parametrize(("inner_kernel", "columns"), [(3, 1), (5, 2)])
def test_a_vertical_layer_is_ahead_by_all_columns_that_later_ones_read_to_the_right(inner_kernel, columns):
    network = GatedPixelCNN(channels=2, layers=4, inner_kernel=inner_kernel)
    assert columns_ahead(network) == [0, 3 * columns, 0, 2 * columns, 0, columns, 0, 0, 0, 0]  # image, blocks, logits
    assert columns_ahead(PixelCNN(channels=2, layers=3)) == [0] * 5


@each_network
@pytest.mark.parametrize("size", [(6, 7), (8, 1)], ids=str)
def test_each_pixel_of_each_feature_map_is_computed_once(make, size):
    network, computed = make(channels=2, layers=3), Counter()
    for number, layer in enumerate(layers(network)):

        def count(module, inputs, number=number):
            computed[number] += inputs[0].shape[1]  # of each image

        layer.activation.register_forward_pre_hook(count)
    sample_wavefront(network, torch.rand(2, 1, *size))
    assert computed == {number: math.prod(size) for number in range(len(layers(network)))}


@pytest.mark.parametrize("sample", [sample_wavefront, sample_sequentially])
def test_a_pixel_is_1_below_its_probability_and_not_at_it(sample):
    network = PixelCNN(channels=2, layers=1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()  # all probabilities are 0.5
    u = torch.tensor([[0.5, 0.49, 0.51], [0.0, 0.5, 0.99]]).view(1, 1, 2, 3)
    assert sample(network, u).flatten().tolist() == [0, 1, 0, 1, 0, 0]


@pytest.mark.parametrize("width", [1, 2, 5])
def test_images_narrower_than_the_skew_even_with_the_padding(width):
    network = randomised(GatedPixelCNN(channels=4, layers=7, kernel=3), seed=1)
    assert skew(network) > 1 + width + 1
    u = torch.rand(5, 1, 4, width, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.equal(sample_wavefront(network, u), sample_sequentially(network, u))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("sample", [sample_wavefront, sample_sequentially])
def test_conditions_and_uniforms_that_do_not_fit_are_refused(sample):
    network, u = PixelCNN(channels=2, layers=1), torch.rand(3, 1, 4, 4)
    for uniforms, condition in ((u, torch.zeros(1, 0)), (u.expand(3, 2, 4, 4), None), (2 * u, None)):
        with pytest.raises(InputError, match="expected"):
            sample(network, uniforms, condition)
