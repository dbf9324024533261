"""The rules in `rules.toml`: from the interval of each statistic to the verdict on a claim.

A rule is committed before the runs that it judges. A verdict is a function of stored numbers: with another rule nothing is
trained again.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gmlib.errors import InputError

RULES = Path(__file__).with_name("rules.toml")
QUESTIONS = ("report", "practice")
INTERVALS = ("t", "exact", "newcombe")
Verdict = Literal["holds", "does not hold", "undecided"]


@dataclass(frozen=True)
class Condition:
    """One statistic of a question, and the region from `low` to `high` in which it supports the claim."""

    statistic: str
    interval: str
    low: float = float("-inf")
    high: float = float("inf")
    seeds: int | None = None  # None: the number of the claim

    def __post_init__(self) -> None:
        """Refuse a region that supports nothing or everything, and an unknown interval."""
        bounded = self.low > float("-inf") or self.high < float("inf")
        if not (bounded and self.low < self.high and self.interval in INTERVALS):
            raise InputError(f"got the condition {self}, expected a bound, low below high, and one of {INTERVALS}")

    def decide(self, low: float, high: float) -> Verdict:
        """Return whether the condition holds, from the two ends of the statistic's 95 % interval."""
        if not low <= high:
            raise InputError(f"got the interval from {low} to {high} for {self.statistic!r}, expected numbers in order")
        if self.low <= low and high <= self.high:
            return "holds"
        if high < self.low or self.high < low:
            return "does not hold"
        return "undecided"


@dataclass(frozen=True)
class Rule:
    """How one claim is judged: its conditions by question, and the smallest number of seeds."""

    id: str
    claim: str
    seeds: int
    conditions: dict[str, tuple[Condition, ...]]
    note: str = ""


def load_rules(path: Path = RULES) -> dict[str, Rule]:
    """Return the rules by the number of the claim, such as "C21"."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        number: Rule(
            number,
            entry["claim"],
            entry["seeds"],
            {key: tuple(Condition(**each) for each in entry[key]) for key in QUESTIONS if key in entry},
            entry.get("note", ""),
        )
        for number, entry in content.items()
        if number != "budget"
    }


def verdict_of(decided: Iterable[Verdict]) -> Verdict:
    """Return the verdict on a question from those on its conditions.

    The claim holds if all conditions hold, and does not hold if one of them does not.
    """
    decided = list(decided)
    if "does not hold" in decided:
        return "does not hold"
    return "holds" if decided and set(decided) == {"holds"} else "undecided"


def judge(conditions: Sequence[Condition], intervals: Sequence[tuple[float, float]]) -> Verdict:
    """Return the verdict on a question, from one 95 % interval per condition."""
    return verdict_of(condition.decide(*each) for condition, each in zip(conditions, intervals, strict=True))
