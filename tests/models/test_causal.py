"""Causality, sums over all images, and what is seen of the rows above."""

import itertools

import pytest
import torch

from gmlib.models.causal import CausalNetwork, gated_stacks, here, masked, plain_stack
from gmlib.objectives import bernoulli_log_prob

NETWORKS = {"plain": plain_stack, "gated": gated_stacks}
each_network = pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)


def trained(network: CausalNetwork, seed: int = 0) -> CausalNetwork:
    """Large random weights, so that whatever is seen is heard."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            scale = 1 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.1
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return network.double()


def seen(network: CausalNetwork, height: int, width: int, row: int, column: int) -> torch.Tensor:
    """Pixels that the logit of one pixel hears of, over a few images: `(height, width)`."""
    x = torch.rand(8, 1, height, width, dtype=torch.float64).requires_grad_()
    logits = network(x, torch.zeros(8, 0, dtype=torch.float64))
    return (torch.autograd.grad(logits[:, 0, row, column].sum(), x)[0] != 0).any(0)[0]


@each_network
@pytest.mark.parametrize("condition", [0, 3])
def test_the_probabilities_of_all_images_sum_to_1(make, condition):
    network = trained(make(condition, channels=4, layers=7))
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)), dtype=torch.float64).view(16, 1, 2, 2)
    totals = []
    for z in torch.randn(3, condition, dtype=torch.float64):
        probabilities = bernoulli_log_prob(x, network(x, z.expand(16, -1))).exp()
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
        for name, make in NETWORKS.items()
    }
    # a step to the right costs a row, so that of the r-th row above it sees r pixels to the right
    expected = torch.zeros(8, 12, dtype=torch.bool)
    for r in range(1, row + 1):
        expected[row - r, column + r + 1 :] = True
    assert torch.equal(blind["plain"], expected)
    assert not blind["gated"].any()


@each_network
def test_z_is_heard_in_every_map(make):
    network = make(2, channels=4, layers=3)
    conditioned = [each for _, each in network.numbered() if each.condition]
    assert len(conditioned) == len(network.maps) - 1  # all but the logits
    x, z = torch.rand(1, 1, 5, 5), torch.randn(1, 2)
    before = [found.clone() for found in network.all_maps(x, z)]
    after = network.all_maps(x, z + 1)
    assert all(not torch.equal(a, b) for a, b in zip(before[1:], after[1:], strict=True))


def test_masks_a_and_b():
    for centre, count in ((False, 24), (True, 25)):  # of the 49 places of a 7×7 kernel
        looks = masked(0, 1, 1, 7, centre=centre)
        assert sum(layer.weight.numel() for _, layer in looks) == count
    assert here(0, 1, 1)[1].weight.numel() == 1


@pytest.mark.parametrize("kernel", [0, 1, 2, 4, -3])
@pytest.mark.parametrize("where", ["kernel", "inner"])
@each_network
def test_a_kernel_without_a_centre_is_refused(refused, make, where, kernel):
    with refused(f"got a kernel of {kernel}", "expected an odd number"):
        make(0, channels=2, layers=2, **{where: kernel})
