"""Histograms count every number, boxes are at the quantiles, and points at their coordinates."""

import pytest
import torch

from gmlib.figures import clouds, histograms, layer_spreads
from gmlib.figures.style import COLOURS


def test_histograms_share_their_bins_and_count_all_numbers():
    figure = histograms({"all": torch.tensor([-1.0, 0.0, 0.0, 1.0]), "some": torch.tensor([0.01])}, x="weight", bins=4)
    counts = [[patch.get_height() for patch in ax.patches] for ax in figure.axes]
    assert counts == [[1, 0, 2, 1], [0, 0, 1, 0]]
    for ax, title in zip(figure.axes, ("all", "some"), strict=True):
        assert [patch.get_x() for patch in ax.patches] == pytest.approx([-1, -0.5, 0, 0.5])
        assert (ax.get_title(), ax.get_xlabel(), ax.get_yscale()) == (title, "weight", "log")
    with pytest.raises(ValueError, match="finite"):
        histograms({"a": torch.tensor([1.0, torch.nan])}, x="x")


def test_boxes_are_at_the_quantiles_of_absolute_values():
    values = torch.linspace(0, 100, 101) * torch.tensor([1.0, -1.0]).repeat(51)[:101]  # the zero is omitted
    (ax,) = layer_spreads({"critic": {"first": values, "last": values / 1000}}, y="size").axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["first", "last"]
    medians = [line.get_ydata()[0] for line in ax.lines if line.get_color() == COLOURS[1]]
    assert medians == pytest.approx([50.5, 0.0505])
    boxes = [sorted(line.get_ydata()) for line in ax.lines if len(line.get_ydata()) == 5]
    assert (boxes[0][0], boxes[0][-1]) == pytest.approx((25.75, 75.25))
    ends = sorted({float(y) for line in ax.lines for y in line.get_ydata()})
    assert (ends[0], ends[-1]) == pytest.approx((0.00595, 95.05))
    assert (ax.get_title(), ax.get_ylabel(), ax.get_yscale()) == ("critic", "size", "log")


def test_the_fraction_of_zeros_is_added_to_the_name_of_a_layer():
    most = torch.tensor([0.0] * 97 + [1.0, 2.0, 3.0], dtype=torch.float64)
    few = torch.tensor([0.0] + [1.0] * 100)  # below 1 %
    (ax,) = layer_spreads({"critic": {"all": torch.zeros(3), "most": most, "few": few}}, y="size").axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["all\n100% zero", "most\n97% zero", "few"]
    medians = [line for line in ax.lines if line.get_color() == COLOURS[1]]
    assert [(line.get_ydata()[0], line.get_xdata().mean()) for line in medians] == [(2, 2), (1, 3)]


def test_clouds_show_every_point_and_mark():
    figure = clouds({"a": torch.zeros(3, 2), "b": torch.tensor([[1.0, 2.0]])}, marks=torch.eye(2), limit=2.0)
    for ax, expected in zip(figure.axes, ([[0, 0]] * 3, [[1, 2]]), strict=True):
        points, marks = ax.lines
        assert points.get_xydata().tolist() == expected
        assert marks.get_xydata().tolist() == [[1, 0], [0, 1]]
        assert (ax.get_xlim(), ax.get_ylim()) == ((-2, 2), (-2, 2))
