"""Effects and their margins: the numbers that are drawn, and on which side of the border."""

import pytest

from audit.forest import Effect, forest, margin, margins

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
