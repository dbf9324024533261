"""The front draws what full passes draw, and its skew is what gradients say."""

from collections import Counter
from functools import partial

import pytest
import torch

from gmlib.models.causal import CausalNetwork, Map, ShiftedConv2d, gated_stacks, here, plain_stack
from gmlib.models.wavefront import draw_naively, draw_pixels, leads, skew
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


def to_the_left() -> CausalNetwork:
    """Every row is drawn as if it were alone."""
    return CausalNetwork(
        [Map([(0, ShiftedConv2d(1, 3, range(1), range(-2, 0)))], 0), Map([here(1, 3, 1)], 0, linear=True)]
    )


def one_side(rows: range, columns: range) -> CausalNetwork:
    """One layer, whose kernel does not reach its own column."""
    return CausalNetwork([Map([(0, ShiftedConv2d(1, 1, rows, columns))], 0, linear=True)])


def skip_alone() -> CausalNetwork:
    """Map 3 sees map 2 a column to the right, and map 2 sees map 1 by its skip alone: both must be a column ahead."""
    above = range(-1, 0)
    first = Map([(0, ShiftedConv2d(1, 3, above, range(-1, 2)))], 0)
    second = Map([(0, ShiftedConv2d(1, 3, above, range(1)))], 0, skip=1)
    return CausalNetwork([first, second, Map([(2, ShiftedConv2d(3, 1, range(1), range(2)))], 0, linear=True)])


@pytest.mark.parametrize(
    ("make", "ahead", "lag"),
    [
        (to_the_left, [0, 0, 0], 1),
        (partial(one_side, range(1), range(-2, 0)), [0, 0], 1),  # all to the left
        (partial(one_side, range(-1, 0), range(2, 3)), [0, 0], 3),  # all to the right
        (skip_alone, [0, 1, 1, 0], 3),
    ],
    ids=["to_the_left", "left_alone", "right_alone", "skip_alone"],
)
def test_networks_made_by_hand_are_drawn_too(make, ahead, lag):
    network, z = trained(make()), torch.zeros(20, 0, dtype=torch.float64)
    assert leads(network) == ahead
    assert skew(network) == lag
    u = torch.rand(20, 1, 6, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.equal(draw_pixels(network, z, u), draw_naively(network, z, u))


@pytest.mark.parametrize(("inner", "columns"), [(3, 1), (5, 2)])
def test_a_vertical_map_is_ahead_by_all_that_those_above_it_see_to_the_right(inner, columns):
    network = gated_stacks(0, channels=2, layers=4, inner=inner)
    assert leads(network) == [0, 3 * columns, 0, 2 * columns, 0, columns, 0, 0, 0, 0]  # image, four pairs, logits
    assert leads(plain_stack(0, channels=2, layers=3)) == [0] * 5


@each_network
@pytest.mark.parametrize("size", [(6, 7), (9, 5), (1, 8), (8, 1)], ids=str)
def test_each_place_of_each_map_is_computed_once(make, size, monkeypatch):
    network, computed = make(0, channels=2, layers=3), []
    for number, each in network.numbered():

        def finish(seen, skip, dim, number=number, finish=each.finish):
            computed.extend([number] * seen.shape[1])  # of each image
            return finish(seen, skip, dim)

        monkeypatch.setattr(each, "finish", finish)
    draw_pixels(network, torch.zeros(2, 0), torch.rand(2, 1, *size))
    height, width = size
    assert Counter(computed) == {number: height * width for number, _ in network.numbered()}


@pytest.mark.parametrize("draw", [draw_pixels, draw_naively])
def test_a_pixel_is_1_below_its_probability_and_not_at_it(draw):
    network = plain_stack(0, channels=2, layers=1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()  # fair coins
    u = torch.tensor([[0.5, 0.49, 0.51], [0.0, 0.5, 0.99]]).view(1, 1, 2, 3)
    assert draw(network, torch.zeros(1, 0), u).flatten().tolist() == [0, 1, 0, 1, 0, 0]


@pytest.mark.parametrize("draw", [draw_pixels, draw_naively])
def test_conditions_and_uniforms_that_do_not_pair_are_refused(unchecked, refused, draw):
    network, u = plain_stack(0, channels=2, layers=1), torch.rand(3, 1, 4, 4)
    for wrong in ((5, 0), (1, 0), (3, 2), (3, 0, 4, 4)):
        with refused(f"got a condition of shape {wrong}", "expected (3, 0)"):
            draw(network, torch.zeros(wrong), u)
    with refused("got a condition of shape (3, 2)", "expected (3, 2, h, w), a plane"):
        draw(plain_stack(0, 2, channels=2, layers=1), torch.zeros(3, 2), u)
    for shape in ((3, 4, 4), (3, 2, 4, 4), (0, 1, 4, 4)):
        with refused(f"got uniforms of shape {shape}", "expected (batch, 1, h, w)"):
            draw(network, torch.zeros(shape[0], 0), torch.rand(shape))
    for scale, shift in ((2.0, 0.0), (1.0, -0.5), (float("nan"), 0.0)):
        with refused("got uniforms from", "[0, 1)"):
            draw(network, torch.zeros(3, 0), scale * u + shift)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_images_narrower_than_the_lag_even_with_what_is_around_them(width):
    network = trained(gated_stacks(0, channels=4, layers=7, kernel=3), seed=1)
    assert skew(network) > 1 + width + 1
    z = torch.zeros(5, 0, dtype=torch.float64)
    u = torch.rand(5, 1, 4, width, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.equal(draw_pixels(network, z, u), draw_naively(network, z, u))


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
