"""Causality, sums over all images, and what is seen of the rows above."""

import itertools
import math
from functools import partial
from typing import TypeVar

import pytest
import torch
from torch import nn

from gmlib.models.causal import PLANE, CausalNetwork, Map, gated_stacks, here, masked, plain_stack, receptive_field
from gmlib.objectives import bernoulli_log_prob

NETWORKS = {"plain": plain_stack, "gated": gated_stacks, "gated, two rows up": partial(gated_stacks, above=2)}
Network = TypeVar("Network", bound=nn.Module)
each_network = pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)


def trained(network: Network, seed: int = 0) -> Network:
    """Large random weights, so that whatever is seen is heard."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            scale = 1 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.1
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return network.double()


def seen(network: CausalNetwork, height: int, width: int, row: int, column: int) -> torch.Tensor:
    """Pixels that the logit of one pixel hears of, over a few images: `(height, width)`."""
    return receptive_field(network, torch.rand(8, 1, height, width, dtype=torch.float64), row, column) > 0


CONDITIONS = {"nothing": (0, 0), "numbers": (3, 0), "a plane": (0, 2)}
each_condition = pytest.mark.parametrize("sizes", CONDITIONS.values(), ids=CONDITIONS)


def given(sizes: tuple[int, int], count: int, height: int, width: int) -> torch.Tensor:
    """What a network of these sizes is conditioned on, in float64: `(count, d)`, or planes `(count, k, height, width)`."""
    numbers, channels = sizes
    shape = (channels, height, width) if channels else (numbers,)
    return torch.randn(count, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4))


@each_network
@each_condition
def test_the_probabilities_of_all_images_sum_to_1(make, sizes):
    network = trained(make(*sizes, channels=4, layers=8))
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)), dtype=torch.float64).view(16, 1, 2, 2)
    totals = []
    for z in given(sizes, 3, 2, 2):
        probabilities = bernoulli_log_prob(x, network(x, z.expand(16, *z.shape))).exp()
        assert probabilities.std() > 1e-3  # not all alike
        totals.append(probabilities.sum())
    assert torch.allclose(torch.stack(totals), torch.ones(3, dtype=torch.float64), atol=1e-12)


@each_network
def test_no_pixel_hears_of_itself_or_of_what_comes_after(make):
    network, height, width = trained(make(0, channels=4, layers=3)), 6, 7
    for place in range(height * width):
        found = seen(network, height, width, *divmod(place, width)).flatten()
        assert not found[place:].any()
        assert place % width == 0 or found[place - 1]  # it does hear of the one to the left


def test_a_plain_stack_is_blind_above_to_the_right_and_two_stacks_are_not():
    row, column = 6, 3
    before = torch.zeros(8, 12, dtype=torch.bool)
    before[:row], before[row, :column] = True, True
    blind = {
        name: before & ~seen(trained(make(0, channels=4, layers=9, kernel=3)), 8, 12, row, column)
        for name, make in {"plain": plain_stack, "gated": gated_stacks}.items()
    }
    # a step to the right costs a row, so that of the r-th row above it sees r pixels to the right
    expected = torch.zeros(8, 12, dtype=torch.bool)
    for r in range(1, row + 1):
        expected[row - r, column + r + 1 :] = True
    assert torch.equal(blind["plain"], expected)
    assert not blind["gated"].any()


@pytest.mark.parametrize(("above", "rows"), [(None, 3 + 7), (0, 3), (1, 3 + 7), (2, 3 + 2 * 7)])
def test_how_many_rows_up_two_stacks_see(above, rows):
    """The first map three of its 7×7, each of the other seven as many as it is told."""
    found = seen(trained(gated_stacks(0, channels=3, layers=8, above=above)), 24, 9, 23, 4)
    assert int(found.any(1).nonzero().min()) == 23 - rows


def test_a_map_that_says_nothing_passes_on_the_one_before_it_in_its_stack():
    network, x = trained(gated_stacks(0, channels=4, layers=3)), torch.rand(2, 1, 5, 5, dtype=torch.float64)
    for number, each in network.numbered()[2:-1]:
        with torch.no_grad():
            for parameter in each.parameters():
                parameter.zero_()
        found = network.all_maps(x, torch.zeros(2, 0, dtype=torch.float64))
        assert torch.equal(found[number], found[number - 2])


def test_bfloat16_layers_make_bfloat16_maps():
    """Else each would be computed, kept and read in twice the memory."""
    network, x = gated_stacks(0, channels=4, layers=2), torch.rand(1, 1, 5, 5)
    with torch.autocast("cpu", torch.bfloat16):
        found = network.all_maps(x, torch.zeros(1, 0))
    assert {each.dtype for number, each in found.items() if number} == {torch.bfloat16}


def test_dropout_is_for_training_and_stays_causal():
    network = trained(gated_stacks(0, channels=8, layers=3, dropout=0.5))
    x, nothing = torch.rand(2, 1, 6, 6, dtype=torch.float64), torch.zeros(2, 0, dtype=torch.float64)
    assert not torch.equal(network(x, nothing), network(x, nothing))
    assert not seen(network, 6, 6, 2, 3).flatten()[2 * 6 + 3 :].any()
    network.eval()
    assert torch.equal(network(x, nothing), network(x, nothing))


@each_network
@pytest.mark.parametrize("sizes", [(2, 0), (0, 2)], ids=["numbers", "a plane"])
def test_z_is_heard_in_every_map(make, sizes):
    """By each map itself, not only through those before it."""
    network = trained(make(*sizes, channels=4, layers=3))
    x, z = torch.rand(1, 1, 5, 5, dtype=torch.float64), given(sizes, 1, 5, 5)
    for number, each in network.numbered()[:-1]:  # all but the logits
        weight = each.condition.weight if sizes[0] else each.layers[each.sources.index(PLANE)].weight
        before = network.all_maps(x, z)
        with torch.no_grad():
            weight += 1
        after = network.all_maps(x, z)
        assert next(n for n in before if not torch.equal(before[n], after[n])) == number


@each_network
def test_a_plane_is_heard_at_its_own_place_and_before_pixels(make):
    network, z = trained(make(0, 2, channels=4, layers=3)), given((0, 2), 1, 5, 6).requires_grad_()
    logits = network(torch.rand(1, 1, 5, 6, dtype=torch.float64), z)
    heard = torch.autograd.grad(logits[0, 0, 2, 3], z)[0][0].abs().sum(0) > 0
    assert heard[2, 3]
    assert heard[1, 2]  # through the maps above
    assert not heard[3:].any()


def test_the_field_of_one_layer_is_its_mask_and_its_strength_the_weights():
    network = plain_stack(0, channels=1, layers=1, kernel=3).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(0.5)
    field = receptive_field(network, torch.ones(3, 1, 4, 5, dtype=torch.float64), 2, 2)
    expected = torch.zeros(4, 5, dtype=torch.float64)
    expected[1, 1:4], expected[2, 1] = 3 * 0.5 * 0.5, 3 * 0.5 * 0.5  # of three images, through two layers
    assert torch.equal(field, expected)


def test_a_field_hears_of_the_condition_and_wants_a_pixel(refused):
    network, x = trained(gated_stacks(2, channels=2, layers=2)), torch.rand(2, 1, 4, 5, dtype=torch.float64)
    z = torch.randn(2, 2, dtype=torch.float64)
    assert not torch.equal(receptive_field(network, x, 2, 2, z), receptive_field(network, x, 2, 2, z + 1))
    for row, column in ((4, 0), (0, 5), (-1, 0), (0, -1)):
        with refused(f"got row {row} and column {column} for images of 4 × 5"):
            receptive_field(network, x, row, column, z)
    with refused("condition of shape (2, 0)", "(2, 1)"):  # a network with one latent is not told that it is 0
        receptive_field(gated_stacks(1, channels=2, layers=2).double(), x, 2, 2)


def test_masks_a_and_b():
    for centre, count in ((False, 24), (True, 25)):  # of the 49 places of a 7×7 kernel
        looks = masked(0, 1, 1, 7, centre=centre)
        assert sum(layer.weight.numel() for _, layer in looks) == count
    assert here(0, 1, 1)[1].weight.numel() == 1


@pytest.mark.parametrize(("numbers", "plane"), [(0, 0), (5, 0), (0, 2)])
def test_parameters_are_as_many_as_the_masks_leave(numbers, plane):
    """Seven layers of 64 channels, unless told otherwise: of each kernel the places that are seen, and one bias a map."""

    def count(network: CausalNetwork) -> int:
        return sum(parameter.numel() for parameter in network.parameters())

    heard, logits = 1 + numbers + plane, 64 + 1  # by each channel: a bias, z and label, the plane
    first, other = 24 * 64, 5 * 64 * 64  # of 49 places, of nine
    assert count(plain_stack(numbers, plane)) == first + 6 * other + 7 * 64 * heard + logits
    own, mix = 64 * 128, 64 * 64 + 64  # a look at one place, and what mixes the 64 channels that 128 become
    first = 3 * 7 * 128 + 3 * 128 + own
    other = 2 * 3 * own + 2 * own + own  # the row above and its own; the one to the left and itself; the vertical map
    assert count(gated_stacks(numbers, plane)) == first + 6 * other + 14 * (128 * heard + mix) + logits


@pytest.mark.parametrize("shape", [(1, 4), (1, 4, 1, 1)], ids=["a place", "a map"])
def test_nonlinearities_by_hand(shape):
    """tanh(ln 2) = 0.6 and σ(ln 3) = 0.75."""
    seen = torch.tensor([2.0, 0.5, 3.0, 1 / 3], dtype=torch.float64).log().view(shape)

    def finish(skip: float | None = None, **kind: bool) -> list[float]:
        each = Map([here(0, 1, 4)], 0, **kind)
        added = None if skip is None else torch.full_like(seen[:, : each.channels], skip)
        found = each.finish(seen, added, 1 if len(shape) == 4 else -1)
        assert found.shape == (1, each.channels, *shape[2:])
        return found.flatten().tolist()

    assert finish(gated=True) == pytest.approx([0.6 * 0.75, -0.6 * 0.25])
    assert finish() == pytest.approx([math.log(2), 0, math.log(3), 0])
    assert finish(linear=True) == pytest.approx(seen.flatten().tolist())
    assert finish(2.0, gated=True) == pytest.approx([2 + 0.6 * 0.75, 2 - 0.6 * 0.25])


def test_biases_by_hand():
    each, deaf = Map([here(0, 1, 2)], 3), Map([here(0, 1, 2)], 0)
    with torch.no_grad():
        each.condition.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.0, 1.0]]))
        for bias in (each.bias, deaf.bias):
            bias.copy_(torch.tensor([10.0, 20.0]))
    assert each.biases(torch.tensor([[1.0, 1.0, 2.0], [0.0, 0.0, 0.0]])).tolist() == [[19, 21], [10, 20]]
    assert deaf.biases(torch.zeros(2, 0)).tolist() == [[10, 20], [10, 20]]


def test_a_new_network_takes_the_pixels_of_a_black_image_for_fair_coins():
    """All biases of a plain stack start at 0."""
    assert not plain_stack(0, channels=4)(torch.zeros(1, 1, 5, 5), torch.zeros(1, 0)).any()


@each_network
@pytest.mark.parametrize("logit", [-3.0, 3.0])
def test_logits_are_not_bent(make, logit):
    network = make(0, channels=4, layers=2)
    with torch.no_grad():
        for parameter in network.maps[-1].parameters():
            parameter.zero_()
        network.maps[-1].bias.fill_(logit)
    assert (network(torch.rand(2, 1, 4, 4), torch.zeros(2, 0)) == logit).all()


@pytest.mark.parametrize("kernel", [0, 1, 2, 4, -3])
@pytest.mark.parametrize("where", ["kernel", "inner"])
@each_network
def test_a_kernel_without_a_centre_is_refused(refused, make, where, kernel):
    with refused(f"got a kernel of {kernel}", "expected an odd number"):
        make(0, channels=2, layers=2, **{where: kernel})
