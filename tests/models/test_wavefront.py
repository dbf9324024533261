"""The front draws what full passes draw, and its skew is what gradients say."""

from functools import partial

import pytest
import torch

from gmlib.models.causal import gated_stacks, plain_stack
from gmlib.models.wavefront import draw_naively, draw_pixels, skew
from tests.models.test_causal import each_condition, each_network, given, seen, trained

SEVEN = {  # seven layers, and the steps that 28×28 pixels take
    "plain, 7×7 first": (partial(plain_stack, 0, layers=7), 4, 136),
    "plain, 3×3": (partial(plain_stack, 0, layers=7, kernel=3), 2, 82),
    "two stacks, 7×7 first": (partial(gated_stacks, 0, layers=7), 10, 298),
    "two stacks, 3×3": (partial(gated_stacks, 0, layers=7, kernel=3), 8, 244),
    "pixel_cnn": (partial(gated_stacks, 0, layers=8, above=2), 11, 325),
    "two stacks, 5×5 inside": (partial(gated_stacks, 0, layers=3, inner=5), 8, 244),
}


@pytest.mark.parametrize(("make", "lag", "steps"), SEVEN.values(), ids=SEVEN)
def test_the_skew_is_the_least_that_gradients_allow(make, lag, steps):
    network = trained(make(channels=3))
    assert skew(network) == lag
    assert 28 + 27 * lag == steps
    row, column = 7, 4
    found = seen(network, row + 1, 28, row, column)
    reach = {r: int(found[row - r].nonzero().max()) - column for r in range(1, row + 1)}
    fits = [s for s in range(1, 30) if all(s * r > columns for r, columns in reach.items())]
    assert fits[0] == lag


@each_network
@pytest.mark.parametrize("size", [(6, 7), (9, 5), (1, 8), (8, 1), (2, 2)], ids=str)
@each_condition
def test_the_front_draws_what_full_passes_draw(make, size, sizes, monkeypatch):
    monkeypatch.setattr("gmlib.models.wavefront.PART", 3)  # so that there are two parts
    network = trained(make(*sizes, channels=4, layers=4), seed=1)
    z = given(sizes, 5, *size)
    u = torch.rand(5, 1, *size, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    drawn = draw_pixels(network, z, u)
    assert torch.equal(drawn, draw_naively(network, z, u))
    assert drawn.shape == u.shape
    assert sorted(drawn.unique().tolist()) == [0, 1]


@each_network
def test_a_skew_that_is_too_small_is_noticed(make, monkeypatch):
    """That the test above can fail."""
    network = trained(make(0, channels=4, layers=4), seed=1)
    u = torch.rand(100, 1, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    z = torch.zeros(100, 0, dtype=torch.float64)
    lag = skew(network)
    monkeypatch.setattr("gmlib.models.wavefront.skew", lambda network: lag - 1)
    assert not torch.equal(draw_pixels(network, z, u), draw_naively(network, z, u))


def test_long_work_can_be_watched():
    steps, ended = [], []

    def watch(work):
        for step in work:
            steps.append(step)
            yield step
        ended.append(True)

    network, z, u = plain_stack(0, channels=2, layers=2), torch.zeros(300, 0), torch.rand(300, 1, 5, 5)
    draw_pixels(network, z, u, watch)
    assert len(steps) == 2 * (5 + 4 * skew(network))  # of two parts
    assert ended
    steps.clear()
    draw_naively(network, z, u, watch)
    assert len(steps) == 25
