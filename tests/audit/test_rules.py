"""The rules that claims are judged by: their file, the verdict of a condition, and that of a question."""

import pytest

from audit.rules import QUESTIONS, Condition, judge, load_rules
from audit.verdicts import CHAPTERS
from gmlib.errors import InputError

FROM_ISSUE = ["C12", "C14", "C16", "C19", "C20", "C21", "C22", "C23", "C24", "C25", "C26", "C27", "T3", "S02"]


def test_every_claim_whose_runs_are_made_again_has_a_rule() -> None:
    """Each is a claim of the book, with conditions for a question and at least three seeds."""
    rules = load_rules()
    assert sorted(rules) == sorted(FROM_ISSUE)
    known = {number for numbers in CHAPTERS.values() for number in numbers}
    for number, rule in rules.items():
        assert number in known
        assert rule.seeds >= 3
        assert rule.conditions
        assert set(rule.conditions) <= set(QUESTIONS)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((0.1, 0.4), "holds"),
        ((0.0, 1.0), "holds"),
        ((-0.5, -0.1), "does not hold"),
        ((1.1, 2.0), "does not hold"),
        ((-0.1, 0.1), "undecided"),
        ((0.9, 1.1), "undecided"),
        ((-1.0, 2.0), "undecided"),
    ],
)
def test_a_condition_is_decided_unless_the_interval_crosses_a_bound(ends: tuple[float, float], expected: str) -> None:
    """The region is from 0 to 1."""
    assert Condition("a difference", "t", low=0.0, high=1.0).decide(*ends) == expected


def test_a_claim_holds_if_all_its_conditions_do_and_fails_if_one_fails() -> None:
    """One failed condition decides."""
    conditions = [Condition("a", "t", low=0.0), Condition("b", "t", high=0.0)]
    holds, crosses, fails = ((1.0, 2.0), (-2.0, -1.0)), ((1.0, 2.0), (-1.0, 1.0)), ((-1.0, 1.0), (1.0, 2.0))
    assert judge(conditions, holds) == "holds"
    assert judge(conditions, crosses) == "undecided"
    assert judge(conditions, fails) == "does not hold"


@pytest.mark.parametrize("wrong", [{}, {"low": 1.0, "high": 0.0}, {"low": 0.0, "interval": "normal"}])
def test_a_condition_without_a_region_or_a_known_interval_is_refused(wrong: dict[str, float]) -> None:
    """A region without bounds would support any result."""
    with pytest.raises(InputError, match="condition"):
        Condition(**{"statistic": "a", "interval": "t"} | wrong)  # type: ignore[arg-type]


def test_an_interval_of_nan_is_refused() -> None:
    """It would fall into no region and count as undecided."""
    with pytest.raises(InputError, match="interval"):
        Condition("a", "t", low=0.0).decide(float("nan"), 1.0)
