"""Figures: the numbers that went in stand in the artists, and nothing stays open in pyplot."""

from io import BytesIO
from threading import Thread

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from gmlib.figures import (
    Bounds,
    Effect,
    bounds_below,
    clouds,
    compare,
    decoded_plane,
    forest,
    gaps,
    histograms,
    history_curves,
    image_grid,
    image_grids,
    latent_planes,
    layer_spreads,
    lines,
    margin,
    margins,
    network_drawing,
    planes,
    rows_of_images,
    samples_and_curves,
)
from gmlib.figures.grids import tile
from gmlib.figures.style import COLOURS, DIGIT_COLOURS, INK, drawing, png
from gmlib.training import History


@pytest.fixture(autouse=True)
def nothing_stays_open():
    before = plt.rcParams.copy()
    yield
    assert plt.get_fignums() == []
    assert plt.rcParams == before


def images(n: int, h: int = 3, w: int = 4) -> torch.Tensor:
    """Image i has the value (i + 1) / 100 in every pixel but its top left corner, which is 1."""
    values = ((torch.arange(n) + 1) / 100).reshape(n, 1, 1, 1).expand(n, 1, h, w).clone()
    values[:, :, 0, 0] = 1
    return values


def sheet_of(figure: Figure, panel: int = 0) -> np.ndarray:
    (image,) = figure.axes[panel].images
    assert image.origin == "upper"
    assert image.get_clim() == (0, 1)
    assert image.cmap(1.0)[:3] == (0, 0, 0)  # ink is dark
    return np.asarray(image.get_array())


# grids


@pytest.mark.parametrize(("n", "columns", "gap"), [(7, 3, 2), (6, 3, 1), (1, 1, 2), (5, 8, 0), (4, 2, 0)])
def test_tile_puts_each_image_in_its_place(n, columns, gap):
    found = tile(images(n), columns, gap)
    rows = (n + columns - 1) // columns
    assert found.shape == (rows * (3 + gap) - gap, columns * (4 + gap) - gap)
    expected = torch.zeros_like(found)
    for i in range(n):
        top, left = (i // columns) * (3 + gap), (i % columns) * (4 + gap)
        expected[top : top + 3, left : left + 4] = images(n)[i, 0]
    assert torch.equal(found, expected)


def test_the_digits_of_a_stack_lie_side_by_side():
    one, two, three = images(3)
    stacks = torch.stack([torch.cat([one, two, three]), torch.cat([three, one, two])])
    expected = torch.cat([torch.cat([one, two, three], 2), torch.cat([three, one, two], 2)], 1)
    assert torch.equal(tile(stacks, 1, gap=0), expected[0])


def test_tile_needs_an_image_and_a_column(refused):
    with refused("got 0 images in 3 columns", "at least one"):
        tile(images(0), 3)
    with refused("got 2 images in 0 columns", "at least one"):
        tile(images(2), 0)


def test_image_grid_shows_the_sheet():
    figure = image_grid(images(7), columns=3, title="Seven")
    np.testing.assert_array_equal(sheet_of(figure), tile(images(7), 3))
    assert figure.axes[0].get_title() == "Seven"


def test_image_grids_stand_side_by_side():
    figure = image_grids({"left": images(4), "right": images(6)}, columns=2)
    assert [ax.get_title() for ax in figure.axes] == ["left", "right"]
    for panel, n in enumerate((4, 6)):
        np.testing.assert_array_equal(sheet_of(figure, panel), tile(images(n), 2))


def test_rows_of_images_name_their_rows():
    rows = {"originals": images(5), "reconstructions": images(5) / 2}
    figure = rows_of_images(rows, title="Five")
    sheet = sheet_of(figure)
    np.testing.assert_array_equal(sheet[:3], tile(rows["originals"], 5))
    np.testing.assert_array_equal(sheet[-3:], tile(rows["reconstructions"], 5))
    (ax,) = figure.axes
    names = dict(zip([label.get_text() for label in ax.get_yticklabels()], ax.get_yticks(), strict=True))
    assert 0 < names["originals"] < 3
    assert len(sheet) - 3 < names["reconstructions"] < len(sheet)


def test_rows_of_images_have_one_length(refused):
    with refused("5", "4", "the same number"):
        rows_of_images({"originals": images(5), "reconstructions": images(4)})


# lines


def test_lines_are_the_points():
    panels = {
        "one": {"a": ([0.0, 1.0], [2.0, 3.0]), "b": ([0.0, 2.0], [1.0, -1.0])},
        "two": {"a": ([5.0, 6.0], [0.5, 0.25])},
    }
    figure = lines(panels, x="epoch", y="nats", bottom=-2.0)
    for ax, (title, named) in zip(figure.axes, panels.items(), strict=True):
        assert (ax.get_title(), ax.get_xlabel()) == (title, "epoch")
        drawn = {line.get_label(): line for line in ax.get_lines()}
        assert list(drawn) == [text.get_text() for text in ax.get_legend().get_texts()] == list(named)
        for name, (xs, ys) in named.items():
            assert drawn[name].get_xdata().tolist() == xs
            assert drawn[name].get_ydata().tolist() == ys
        looks = {(line.get_linestyle(), line.get_color()) for line in drawn.values()}
        assert len({style for style, _ in looks}) == len({colour for _, colour in looks}) == len(named)
    assert figure.axes[0].get_ylabel() == "nats"
    assert figure.axes[0].get_ylim()[0] == -2


@pytest.mark.parametrize(("x", "y"), [(False, False), (True, False), (False, True)])
def test_lines_over_logarithmic_axes(x, y):
    figure = lines({"": {"a": ([1, 10], [0.1, 1])}}, x="k", y="y", logarithmic=x, logarithmic_y=y)
    (ax,) = figure.axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("log" if x else "linear", "log" if y else "linear")


def test_few_points_on_a_logarithmic_axis_are_its_ticks():
    few, many = ([16, 64, 1024], [1, 2, 3]), (list(range(1, 20)), list(range(1, 20)))
    figure = lines({"few": {"a": few}, "many": {"a": many}}, x="images", y="y", logarithmic=True)
    ticks = [[text.get_text() for text in ax.get_xticklabels()] for ax in figure.axes]
    assert ticks[0] == ["16", "64", "1,024"]
    assert not list(figure.axes[0].get_xticks(minor=True))
    assert len(ticks[1]) < 10


def test_a_line_that_jumps_breaks_at_a_hole_and_its_value_there_is_a_dot():
    stairs = {"JS": ([-0.5, 0.0, 0.5], [1.0, np.nan, 1.0])}
    marks = {"dots": {"jumps": [(0.0, 0.25)]}, "holes": {"jumps": [(0.0, 1.0)]}}
    figure = lines({"jumps": stairs, "does not": stairs}, x="theta", y="nats", **marks)
    line, dot, hole = figure.axes[0].get_lines()
    np.testing.assert_array_equal(line.get_ydata(), [1, np.nan, 1])
    assert (dot.get_xdata().tolist(), dot.get_ydata().tolist()) == ([0.0], [0.25])
    assert (hole.get_xdata().tolist(), hole.get_ydata().tolist()) == ([0.0], [1.0])
    assert (dot.get_marker(), dot.get_markerfacecolor(), hole.get_markerfacecolor()) == ("o", INK, "white")
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["JS"]
    assert len(figure.axes[1].get_lines()) == 1


def test_history_curves_draw_columns_over_epochs():
    rows = [{"epoch": i, "elbo": -200.0 + i, "kl": 3.0 * i} for i in range(1, 5)]
    histories = {"with": History(rows), "without": History(rows[:2])}
    figure = history_curves(histories, {"elbo": "ELBO", "kl": "KL"}, "nats per image")
    for ax, (title, history) in zip(figure.axes, histories.items(), strict=True):
        assert ax.get_title() == title
        drawn = {line.get_label(): line for line in ax.get_lines()}
        for column, name in (("elbo", "ELBO"), ("kl", "KL")):
            assert list(drawn[name].get_xdata()) == history.column("epoch")
            assert list(drawn[name].get_ydata()) == history.column(column)


def test_compare_draws_one_column_of_each_run():
    runs = {"vae": History([{"epoch": 1, "elbo": -3.0}]), "vae_no_bn": History([{"epoch": 1, "elbo": -4.0}])}
    figure = compare({"panel": runs}, "elbo", "nats")
    drawn = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in figure.axes[0].get_lines()}
    assert drawn == {"vae": ([1], [-3.0]), "vae_no_bn": ([1], [-4.0])}


def test_bounds_lie_under_a_line_in_ink_and_touch_it_where_they_are_said_to():
    xs = [0.0, 1.0, 2.0]
    panel = Bounds(
        "theta", (xs, [1.0, 2.0, 3.0]), {"q": (xs, [0.0, 2.0, 0.0]), "r": (xs, [0.5, 1.0, 3.0])}, [(1.0, 2.0)]
    )
    figure = bounds_below({"both": panel}, truth="log p(x)", y="nats", bottom=-1.0)
    (ax,) = figure.axes
    truth, first, second, touch = ax.get_lines()
    assert (truth.get_label(), truth.get_color(), truth.get_ydata().tolist()) == ("log p(x)", INK, [1.0, 2.0, 3.0])
    assert (first.get_label(), first.get_ydata().tolist()) == ("q", [0.0, 2.0, 0.0])
    assert (second.get_label(), second.get_ydata().tolist()) == ("r", [0.5, 1.0, 3.0])
    assert len({line.get_linestyle() for line in (truth, first, second)}) == 3
    assert (touch.get_xdata().tolist(), touch.get_ydata().tolist(), touch.get_marker()) == ([1.0], [2.0], "o")
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_ylim()[0]) == ("theta", "nats", -1)


# the latent plane


def test_gaps_span_from_the_lower_value_to_the_upper_from_top_to_bottom():
    figure = gaps({"a": (-3.0, -1.0), "b": (-7.0, -2.0)}, lower="ELBO", upper="log p", x="nats")
    (ax,) = figure.axes
    lower, upper = ax.lines
    assert (list(lower.get_xdata()), list(upper.get_xdata())) == ([-3, -7], [-1, -2])
    assert list(lower.get_ydata()) == list(upper.get_ydata()) == [0, 1]
    bars = [segment.tolist() for segment in ax.collections[0].get_segments()]
    assert bars == [[[-3, 0], [-1, 0]], [[-7, 1], [-2, 1]]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert ax.yaxis_inverted()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ELBO", "log p"]
    assert ax.get_xlabel() == "nats"


# effects of claims


ABOVE = Effect(3.0, (1.0, 5.0), (2.0, 4.0), (0.0, None), "nats", "confirmed")
BELOW = Effect(3.0, (1.0, 5.0), (2.0, 4.0), (None, 2.0), "nats", "depends")
OUTSIDE = Effect(3.0, (2.0, 4.0), (3.0,), (-1.0, 1.0), "ln", "refuted")


@pytest.mark.parametrize(
    ("found", "effect", "interval"),
    [
        (ABOVE, 0.6, (0.2, 1.0)),
        (BELOW, -1 / 3, (-1.0, 1 / 3)),
        (OUTSIDE, -2 / 3, (-1.0, -1 / 3)),
        (OUTSIDE._replace(effect=0.5, interval=(-0.5, 1.5)), 0.5, (-0.5, 1.0)),  # deepest inside in the middle
        (ABOVE._replace(effect=0.0, interval=(0.0, 0.0)), 0.0, (0.0, 0.0)),
    ],
)
def test_a_margin_is_how_far_an_effect_lies_inside_its_border(found, effect, interval):
    scaled = margin(found)
    assert scaled.effect == pytest.approx(effect)
    assert scaled.interval == pytest.approx(interval)
    assert margin(ABOVE).values == pytest.approx((0.4, 0.8))


def test_margins_stand_in_a_row_each_on_their_side_of_the_border():
    figure = margins({"one": {"A": ABOVE, "B": BELOW}, "two": {"C": OUTSIDE}})
    first, second = figure.axes
    assert [label.get_text() for label in first.get_yticklabels()] == ["A", "B"]
    marks = [line for line in first.lines if line.get_marker() != "None"]
    assert [line.get_xdata()[0] for line in marks] == pytest.approx([0.6, -1 / 3])
    assert [line.get_ydata()[0] for line in marks] == [0, 1]
    assert len({line.get_marker() for line in (*marks, second.lines[0])}) == 3  # not by colour alone
    assert [collection.get_segments()[0][:, 0].tolist() for collection in first.collections] == [
        pytest.approx([0.2, 1.0]),
        pytest.approx([-1.0, 1 / 3]),
    ]
    assert first.yaxis_inverted()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["confirmed", "depends", "refuted"]


def test_a_forest_keeps_units_and_shades_where_the_claim_holds():
    figure = forest({"A": ABOVE, "B": BELOW, "C": OUTSIDE})
    assert [ax.get_xlabel() for ax in figure.axes] == ["nats", "nats", "ln"]
    for ax, found in zip(figure.axes, (ABOVE, BELOW, OUTSIDE), strict=True):
        shade, (left, right) = ax.patches[0].get_extents().transformed(ax.transData.inverted()), ax.get_xlim()
        low, high = found.holds
        assert shade.x0 == pytest.approx(left if low is None else low)
        assert shade.x1 == pytest.approx(right if high is None else high)
        ticks, mark = ax.lines[-2:]
        assert tuple(ticks.get_xdata()) == found.values
        assert mark.get_xdata() == [found.effect]
        assert tuple(ax.collections[0].get_segments()[0][:, 0]) == found.interval
        assert left < min(found.interval) < max(found.interval) < right


def test_latent_planes_colour_each_digit_and_name_it_at_its_median():
    labels = torch.arange(30) % 10
    mu = torch.stack([labels - 4.5, 0.1 * torch.arange(30)], 1)
    figure = latent_planes({"plane": (mu, labels)}, extent=6.0)
    (ax,) = figure.axes
    assert (ax.get_xlim(), ax.get_ylim()) == ((-6, 6), (-6, 6))
    assert len(ax.collections) == len(ax.texts) == 10
    for digit, (points, text) in enumerate(zip(ax.collections, ax.texts, strict=True)):
        np.testing.assert_allclose(points.get_offsets(), mu[labels == digit], rtol=1e-6)
        np.testing.assert_allclose(points.get_facecolor()[0][:3], DIGIT_COLOURS[digit][:3])
        assert text.get_text() == str(digit)
        np.testing.assert_allclose(text.get_position(), (digit - 4.5, 0.1 * (10 + digit)), rtol=1e-5)  # the middle one


def test_latent_planes_leave_out_a_digit_that_is_not_there():
    labels = torch.arange(20) % 9  # no nine
    figure = latent_planes({"plane": (torch.randn(20, 2, generator=torch.Generator().manual_seed(0)), labels)})
    named = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert set(named) == set("012345678")


def test_decoded_plane_reads_like_its_axes():
    ticks = [-1.0, -0.5, 0.0, 0.5]
    figure = decoded_plane(images(16), ticks)
    sheet = sheet_of(figure)
    np.testing.assert_array_equal(sheet, tile(images(16), 4, gap=0))
    (ax,) = figure.axes
    assert ax.images[0].get_extent() == [0, 4, 0, 4]
    assert ax.get_ylim() == (0, 4)  # upwards: the first row of images is the highest z_2
    for axis in (ax.xaxis, ax.yaxis):
        shown = dict(zip(axis.get_ticklocs(), [text.get_text() for text in axis.get_ticklabels()], strict=True))
        assert shown
        assert all(float(text) == ticks[int(place - 0.5)] for place, text in shown.items())


def test_decoded_plane_needs_an_image_for_each_place(refused):
    with refused("15 images", "4", "16"):
        decoded_plane(images(15), [-1.0, -0.5, 0.0, 0.5])


# the frame


def test_png_is_a_picture_of_the_figure():
    figure = image_grid(images(4), columns=2)
    picture = Image.open(BytesIO(png(figure)))
    assert picture.format == "PNG"
    assert picture.size == tuple(round(150 * inches) for inches in figure.get_size_inches())


def test_a_figure_whose_drawing_fails_is_closed_too_and_the_next_can_be_drawn():
    with pytest.raises(ZeroDivisionError), drawing():
        _ = 1 / 0


def test_colours_are_apart():
    assert len(set(COLOURS)) == len(COLOURS)
    assert len({tuple(colour) for colour in DIGIT_COLOURS}) == 10


# networks


def test_planes_are_what_the_layers_give():
    from gmlib.models import DCCritic, DCGenerator, MLPCritic

    generator = DCGenerator(5, num_classes=10, width=4).train()
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    found = planes(generator, torch.zeros(2, 5), torch.tensor([1, 2]))
    assert [shape for _, shape in found] == [(16, 4, 4), (8, 7, 7), (4, 14, 14), (1, 28, 28)]
    assert [words.split("\n") for words, _ in found] == [
        ["transposed", "conv 4×4"],
        ["transposed", "conv 3×3", "stride 2"],
        ["transposed", "conv 4×4", "stride 2"],
        ["transposed", "conv 4×4", "stride 2"],
    ]
    assert generator.training
    assert all(torch.equal(value, before[key]) for key, value in generator.state_dict().items())
    assert [words for words, _ in planes(DCCritic(width=4), torch.zeros(2, 1, 28, 28))][-1] == "conv 4×4"
    assert planes(MLPCritic(hidden=(6, 3)), torch.zeros(2, 1, 28, 28)) == [
        ("linear", (6,)),
        ("linear", (3,)),
        ("linear", (1,)),
    ]


def test_a_network_is_drawn_with_its_shapes():
    from gmlib.models import DCCritic, DCGenerator

    pair = {
        "generator": (DCGenerator(5, width=4), torch.zeros(2, 5)),
        "critic": (DCCritic(width=4), torch.zeros(2, 1, 28, 28)),
    }
    figure = network_drawing(pair)
    above, below = ([text.get_text() for text in ax.texts] for ax in figure.axes)
    assert [text for text in above if text.strip("0123456789×") == "" and text] == [
        "5",
        "16×4×4",
        "8×7×7",
        "4×14×14",
        "1×28×28",
    ]
    assert [text for text in below if text.strip("0123456789×") == "" and text] == [
        "1×28×28",
        "4×14×14",
        "8×7×7",
        "16×4×4",
        "1×1×1",
    ]
    # three faces, each filled and outlined, for each of five blocks; the image is the tallest
    for ax in figure.axes:
        assert len(ax.patches) == 30
    heights = [np.ptp(patch.get_xy()[:, 1]) for patch in figure.axes[0].patches[::6]]
    assert heights[-1] == max(heights)
    assert heights[1:] == pytest.approx([2.4 * edge / 28 for edge in (4, 7, 14, 28)])


def test_nothing_to_draw(refused):
    with refused("a ReLU without a linear or convolutional layer"):
        planes(torch.nn.ReLU(), torch.zeros(1))


# spreads


def test_histograms_share_their_bins_and_count_everything():
    figure = histograms({"all": torch.tensor([-1.0, 0.0, 0.0, 1.0]), "some": torch.tensor([0.01])}, x="weight", bins=4)
    counts = [[patch.get_height() for patch in ax.patches] for ax in figure.axes]
    assert counts == [[1, 0, 2, 1], [0, 0, 1, 0]]
    edges = [[patch.get_x() for patch in ax.patches] for ax in figure.axes]
    assert edges[0] == edges[1] == pytest.approx([-1, -0.5, 0, 0.5])
    assert [ax.get_yscale() for ax in figure.axes] == ["log", "log"]


def test_boxes_stand_at_the_quantiles_of_sizes():
    values = torch.linspace(0, 100, 101) * torch.tensor([1.0, -1.0]).repeat(51)[:101]  # 0 is left out
    figure = layer_spreads({"critic": {"first": values, "last": values / 1000}}, y="size")
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["first", "last"]
    medians = [line.get_ydata()[0] for line in ax.lines if line.get_color() == COLOURS[1]]
    assert medians == pytest.approx([50.5, 0.0505])
    ends = sorted({float(y) for line in ax.lines for y in line.get_ydata()})
    assert ends[0] == pytest.approx(0.00595)
    assert ends[-1] == pytest.approx(95.05)
    assert ax.get_yscale() == "log"


def test_zeros_have_no_box_and_are_named():
    mostly = torch.tensor([0.0] * 97 + [1.0, 2.0, 3.0], dtype=torch.float64)
    figure = layer_spreads({"critic": {"all": torch.zeros(3), "most": mostly, "none": torch.ones(3)}}, y="size")
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["all\n100% zero", "most\n97% zero", "none"]
    medians = [line for line in ax.lines if line.get_color() == COLOURS[1]]
    assert [(line.get_ydata()[0], line.get_xdata().mean()) for line in medians] == [(2, 2), (1, 3)]


def test_clouds_show_every_point_and_mark():
    figure = clouds({"a": torch.zeros(3, 2), "b": torch.ones(2, 2)}, marks=torch.eye(2), limit=2.0)
    for ax, n in zip(figure.axes, (3, 2), strict=True):
        points, marks = ax.lines
        assert len(points.get_xdata()) == n
        assert marks.get_xydata().tolist() == [[1, 0], [0, 1]]
        assert (ax.get_xlim(), ax.get_ylim()) == ((-2, 2), (-2, 2))


def test_samples_stand_above_the_curves_of_their_run_and_axes_are_shared():
    rows = [{"epoch": 1, "a": 1.0, "b": None}, {"epoch": 2, "a": 2.0, "b": 5.0}]
    runs = {"one": (images(4), History(rows)), "begun": (images(4), History())}
    figure = samples_and_curves(runs, {"y": {"a": "first", "b": "second", "missing": "third"}, "z": {"a": "again"}}, 2)
    tops, middle, _ = (figure.axes[i : i + 2] for i in (0, 2, 4))
    assert [ax.get_title() for ax in tops] == ["one", "begun"]
    for ax in tops:
        (sheet,) = ax.images
        np.testing.assert_array_equal(sheet.get_array(), tile(images(4), 2))
    first, second = middle[0].lines
    assert [line.get_label() for line in (first, second)] == ["first", "second"]
    np.testing.assert_array_equal(first.get_xydata(), [[1, 1], [2, 2]])
    np.testing.assert_array_equal(second.get_xydata(), [[1, np.nan], [2, 5]])
    assert first.get_linestyle() != second.get_linestyle()
    assert not middle[1].lines
    assert middle[0].get_ylim() == middle[1].get_ylim()
    assert middle[0].get_ylabel() == "y"


def test_few_colours_make_a_smaller_file():
    figure = image_grid(torch.rand(40, 1, 28, 28, generator=torch.Generator().manual_seed(0)))
    whole, few = png(figure), png(figure, colours=16)
    assert len(few) < len(whole)
    assert len(Image.open(BytesIO(few)).convert("RGB").getcolors()) <= 16


def test_another_thread_leaves_pyplot_and_its_style_alone():
    with drawing() as (figure, _):
        assert plt.get_fignums() == []
        other = Thread(target=image_grid, args=(images(4),))
        other.start()
        other.join(timeout=0.2)
        assert other.is_alive()  # it waits, since the style is one for all
    other.join(timeout=10)
    assert not other.is_alive()
    assert figure.axes


# images that a figure would draw as something else


DOORS = {
    "tile": lambda x: tile(x, 2),
    "image_grid": image_grid,
    "image_grids": lambda x: image_grids({"one": torch.zeros(2, 1, 28, 28), "other": x}),
    "rows_of_images": lambda x: rows_of_images({"one": x}),
    "decoded_plane": lambda x: decoded_plane(x, [0.0, 1.0]),
    "samples_and_curves": lambda x: samples_and_curves({"run": (x, History())}, {}),
}
WRONG = {
    "no channel": (torch.zeros(4, 28, 28), "(4, 28, 28)"),
    "array": (np.zeros((4, 1, 28, 28)), "ndarray"),
    "list": ([torch.zeros(1, 28, 28)] * 4, "list"),
    "bytes": (torch.zeros(4, 1, 28, 28, dtype=torch.uint8), "torch.uint8"),
    "tanh": (torch.full((4, 1, 28, 28), -1.0), "from -1 to -1"),
    "0 to 255": (torch.full((4, 1, 28, 28), 255.0), "from 255 to 255"),
    "NaN": (torch.full((4, 1, 28, 28), torch.nan), "nan"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("door", DOORS)
def test_what_is_no_batch_of_images_is_not_drawn(refused, door, wrong):
    given, found = WRONG[wrong]
    with refused(found):
        DOORS[door](given)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_floats_of_other_precision_are_drawn(dtype):
    np.testing.assert_allclose(sheet_of(image_grid(images(4).to(dtype))), tile(images(4), 10), atol=2e-3)


def test_rows_of_images_of_one_size(refused):
    with refused("[(1, 3, 4), (1, 5, 4)]", "one size"):
        rows_of_images({"small": images(2), "large": images(2, h=5)})


@pytest.mark.usefixtures("unchecked")
def test_points_that_are_not_of_the_plane(refused):
    labels = torch.zeros(5, dtype=torch.int64)
    with refused("(5, 50)", "(n, 2)"):
        latent_planes({"plane": (torch.zeros(5, 50), labels)})
    with refused("(4,)", "(n,)"):
        latent_planes({"plane": (torch.zeros(5, 2), labels[:4])})
    with refused("(5, 3)", "(n, 2)"):
        clouds({"points": torch.zeros(5, 3)})
    with refused("'a'", "1 are finite"):
        histograms({"a": torch.tensor([1.0, torch.nan])}, x="x")


@pytest.mark.parametrize(
    "draw",
    [
        *(
            lambda: image_grids({}),
            lambda: samples_and_curves({}, {}),
            lambda: lines({}, x="x", y="y"),
            lambda: forest({}),
        ),
        *(lambda: margins({}), lambda: latent_planes({}), lambda: clouds({}), lambda: histograms({}, x="x")),
        *(lambda: gaps({}, lower="a", upper="b", x="x"), lambda: layer_spreads({}, y="y")),
    ],
)
def test_nothing_is_not_drawn(refused, draw):
    with refused("got nothing to draw"):
        draw()
