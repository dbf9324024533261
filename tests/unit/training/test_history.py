"""Rows of numbers."""

import csv
import io

import pytest

from gmlib.errors import DivergedError
from gmlib.training import History
from gmlib.training.history import require_finite

ROWS = [{"epoch": 1, "loss": 0.1 + 0.2, "critic": None}, {"epoch": 2, "loss": -1e-9, "critic": 4.0}]


def test_columns_and_length():
    history = History(ROWS)
    assert len(history) == 2
    assert history.column("critic") == [None, 4.0]
    assert len(History()) == 0
    assert History([{"real_score": 3.0, "fake_score": 1.0}]).wasserstein_estimate() == [2.0]


@pytest.mark.parametrize(("auc", "died"), [(0.511, True), (0.3, True), (0.56, False), (None, False)])
def test_a_history_says_that_its_critic_has_died(auc, died):
    rows = [{"epoch": 1, "validation_auc": 0.9}, {"epoch": 2} | ({} if auc is None else {"validation_auc": auc})]
    sentence = History(rows).critic_died()
    assert bool(sentence) == died
    assert not died or f"in only {100 * auc:.0f} % of pairs" in sentence
    assert History().critic_died() == ""


def test_csv_keeps_every_digit_and_leaves_none_empty():
    rows = list(csv.DictReader(io.StringIO(History(ROWS).csv())))
    assert [list(row) for row in rows] == [["epoch", "loss", "critic"]] * 2
    assert [float(row["loss"]) for row in rows] == [0.1 + 0.2, -1e-9]
    assert [row["critic"] for row in rows] == ["", "4.0"]
    assert History().csv() == "\n"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_divergence(value):
    require_finite({"epoch": 1, "loss": 0.5, "critic": None})
    with pytest.raises(DivergedError, match=f"critic is {value} in epoch 2"):
        require_finite({"epoch": 2, "loss": 0.5, "critic": value})
