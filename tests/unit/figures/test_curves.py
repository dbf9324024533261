"""The lines of a figure are the points that were given, and samples are above the curves of their run."""

import numpy as np
import pytest

from gmlib.figures import Bounds, bounds_below, compare, gaps, history_curves, lines, samples_and_curves
from gmlib.figures.grids import tile
from gmlib.figures.style import INK
from gmlib.training import History
from tests.unit.figures.drawn import images, sheet_of

ROWS = [{"epoch": i, "elbo": -200.0 + i, "kl": 3.0 * i} for i in range(1, 5)]


def points(ax) -> dict[str, tuple[list[float], list[float]]]:
    """Return the lines of a legend: name to x and y."""
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    drawn = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.get_lines()}
    return {name: drawn[name] for name in names}


def labels(ax) -> tuple[str, str, str]:
    return ax.get_title(), ax.get_xlabel(), ax.get_ylabel()


def test_lines_are_the_points():
    panels = {
        "one": {"a": ([0.0, 1.0], [2.0, 3.0]), "b": ([0.0, 2.0], [1.0, -1.0])},
        "two": {"a": ([5.0, 6.5], [0.5, 0.25])},
    }
    figure = lines(panels, x="epoch", y="nats", bottom=-2.0, height=4.0)
    left, right = figure.axes
    assert (points(left), points(right)) == (panels["one"], panels["two"])
    assert (labels(left), labels(right)) == (("one", "epoch", "nats"), ("two", "epoch", ""))
    for attribute in ("get_linestyle", "get_color"):  # lines differ in both
        assert len({getattr(line, attribute)() for line in left.get_lines()}) == 2
    assert left.get_ylim()[0] == right.get_ylim()[0] == -2
    assert figure.get_size_inches().tolist() == [7, 4]
    assert all(tick == int(tick) for tick in left.get_xticks())  # as all values of x are whole numbers
    assert not all(tick == int(tick) for tick in right.get_xticks())


@pytest.mark.parametrize(("x", "y"), [(False, False), (True, False), (False, True)])
def test_axes_are_logarithmic_on_demand(x, y):
    (ax,) = lines({"": {"a": ([1, 10], [0.1, 1])}}, x="k", y="y", logarithmic=x, logarithmic_y=y).axes
    assert (ax.get_xscale(), ax.get_yscale()) == ("log" if x else "linear", "log" if y else "linear")


def test_at_most_eight_points_of_a_logarithmic_axis_are_its_ticks():
    panels = {"eight": [16, 64, 100, 200, 300, 400, 500, 1024], "nine": list(range(1, 10))}
    figure = lines({name: {"a": (xs, xs)} for name, xs in panels.items()}, x="images", y="y", logarithmic=True)
    eight, nine = ([text.get_text() for text in ax.get_xticklabels()] for ax in figure.axes)
    assert eight == ["16", "64", "100", "200", "300", "400", "500", "1,024"]
    assert not list(figure.axes[0].get_xticks(minor=True))
    assert "9" not in nine


def test_a_line_breaks_at_nan_where_circles_show_the_value_and_the_limit():
    steps = {"JS": ([-0.5, 0.0, 0.5], [1.0, np.nan, 1.0])}
    circles = {"dots": {"jumps": [(0.0, 0.25)]}, "holes": {"jumps": [(0.0, 1.0)]}}
    figure = lines({"jumps": steps, "does not": steps}, x="theta", y="nats", **circles)
    line, dot, hole = figure.axes[0].get_lines()
    np.testing.assert_array_equal(line.get_ydata(), [1, np.nan, 1])
    assert [circle.get_xydata().tolist() for circle in (dot, hole)] == [[[0, 0.25]], [[0, 1]]]
    assert (dot.get_marker(), dot.get_markerfacecolor(), hole.get_markerfacecolor()) == ("o", INK, "white")
    assert len(figure.axes[1].get_lines()) == 1


def test_histories_are_drawn_over_epochs():
    histories = {"with": History(ROWS), "without": History(ROWS[:2])}
    first, second = history_curves(histories, {"elbo": "ELBO", "kl": "KL"}, "nats per image", bottom=-300).axes
    assert points(first) == {"ELBO": ([1, 2, 3, 4], [-199, -198, -197, -196]), "KL": ([1, 2, 3, 4], [3, 6, 9, 12])}
    assert points(second)["KL"] == ([1, 2], [3, 6])
    assert labels(first) == ("with", "epoch", "nats per image")
    assert first.get_ylim()[0] == -300


def test_compare_draws_one_column_of_each_run():
    (ax,) = compare({"panel": {"vae": History(ROWS[:1]), "other": History(ROWS[:2])}}, "elbo", "nats", bottom=-300).axes
    assert points(ax) == {"vae": ([1], [-199]), "other": ([1, 2], [-199, -198])}
    assert labels(ax) == ("panel", "epoch", "nats")
    assert ax.get_ylim()[0] == -300


def test_bounds_are_drawn_with_the_quantity_and_the_points_where_they_touch_it():
    xs = [0.0, 1.0, 2.0]
    bounds = {"q": (xs, [0.0, 2.0, 0.0]), "r": (xs, [0.5, 1.0, 3.0])}
    panel = Bounds("theta", (xs, [1.0, 2.0, 3.0]), bounds, [(1.0, 2.0)])
    (ax,) = bounds_below({"both": panel}, truth="log p(x)", y="nats", bottom=-1.0).axes
    assert points(ax) == {"log p(x)": (xs, [1.0, 2.0, 3.0])} | bounds
    truth, first, second, touch = ax.get_lines()
    assert truth.get_color() == INK
    assert len({line.get_linestyle() for line in (truth, first, second)}) == 3
    assert (touch.get_xydata().tolist(), touch.get_marker()) == ([[1, 2]], "o")
    assert labels(ax) == ("both", "theta", "nats")
    assert ax.get_ylim()[0] == -1


def test_gaps_are_bars_from_the_lower_to_the_upper_value():
    figure = gaps({"a": (-3.0, -1.0), "b": (-7.0, -2.0)}, lower="ELBO", upper="log p", x="nats")
    (ax,) = figure.axes
    lower, upper = ax.lines
    assert lower.get_xydata().tolist() == [[-3, 0], [-7, 1]]
    assert upper.get_xydata().tolist() == [[-1, 0], [-2, 1]]
    assert lower.get_markerfacecolor() == "white" != upper.get_markerfacecolor()
    bars = [segment.tolist() for segment in ax.collections[0].get_segments()]
    assert bars == [[[-3, 0], [-1, 0]], [[-7, 1], [-2, 1]]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert ax.get_ylim() == (1.5, -0.5)  # the first row is on top
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ELBO", "log p"]
    assert ax.get_xlabel() == "nats"


def test_samples_are_above_the_curves_of_their_run():
    rows = [{"epoch": 1, "a": 1.0, "b": None}, {"epoch": 2, "a": 2.0, "b": 5.0}, {"epoch": 3, "a": 3.0, "b": 6.0}]
    runs = {"one": (images(4), History(rows)), "begun": (images(4), History())}
    figure = samples_and_curves(runs, {"y": {"a": "first", "b": "second", "missing": "third"}, "z": {"a": "again"}}, 2)
    assert [ax.get_title() for ax in figure.axes[:2]] == ["one", "begun"]
    for panel in (0, 1):
        np.testing.assert_array_equal(sheet_of(figure, panel), tile(images(4), 2))
    left, right, bottom, _ = figure.axes[2:]
    first, second = left.lines
    np.testing.assert_array_equal(first.get_xydata(), [[1, 1], [2, 2], [3, 3]])
    np.testing.assert_array_equal(second.get_xydata(), [[1, np.nan], [2, 5], [3, 6]])
    assert first.get_linestyle() != second.get_linestyle()
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["first", "second"]
    assert not right.lines
    assert left.get_ylim() == right.get_ylim()
    assert left.get_xlim() == right.get_xlim() == pytest.approx((0.8, 3.2))
    assert (left.get_ylabel(), bottom.get_ylabel(), bottom.get_xlabel()) == ("y", "z", "epoch")
    assert figure.get_size_inches().tolist() == pytest.approx([7, 3.5 * 8 / 10 + 0.35 + 2 * 1.6])
    single = samples_and_curves({"one": runs["begun"]}, {"y": {"a": "first"}})
    assert single.get_size_inches()[0] == 4.5
    assert single.axes[1].get_xlim() == pytest.approx((0.8, 2.2))
    assert single.axes[1].get_legend() is None
