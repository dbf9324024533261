"""Rows of numbers."""

import csv
import io
import json

import pytest

from gmlib.errors import DivergedError
from gmlib.training import History

ROWS = [{"epoch": 1, "loss": 0.1 + 0.2, "critic": None}, {"epoch": 2, "loss": -1e-9, "critic": 4.0}]


def test_columns_and_length():
    history = History(ROWS)
    assert len(history) == 2
    assert history.column("critic") == [None, 4.0]
    with pytest.raises(KeyError, match="bound"):
        history.column("bound")
    assert len(History()) == 0


def test_csv_keeps_every_digit_and_leaves_none_empty():
    rows = list(csv.DictReader(io.StringIO(History(ROWS).csv())))
    assert [list(row) for row in rows] == [["epoch", "loss", "critic"]] * 2
    assert [float(row["loss"]) for row in rows] == [0.1 + 0.2, -1e-9]
    assert [row["critic"] for row in rows] == ["", "4.0"]
    assert History().csv() == "\n"


def test_histories_share_no_rows():
    History().rows.append({"epoch": 1})
    assert History().rows == []


def test_json_is_the_rows():
    assert json.loads(History(ROWS).json()) == ROWS
    assert json.loads(History().json()) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none_is_refused(value):
    history = History()
    history.add({"epoch": 1, "loss": 0.5, "critic": None})
    with pytest.raises(DivergedError, match=f"critic is {value} in epoch 2"):
        history.add({"epoch": 2, "loss": 0.5, "critic": value})
    assert len(history) == 1
