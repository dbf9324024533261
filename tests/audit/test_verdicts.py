"""Every claim has an entry that can be trusted as far as its form goes, and a place in the book."""

import json
import math
import re
from collections import Counter
from pathlib import Path

import pytest

from audit import claim, margin, verdict, verdicts
from audit.__main__ import CLAIMS
from audit.forest import MARKS

BOOK = Path(__file__).resolve().parents[2] / "book"
NUMBERS = sorted({number for numbers in verdicts.CHAPTERS.values() for number in numbers})


def test_the_list_of_claims_is_whole():
    """All that the report says, in the order of its numbers, and two claims of our own."""
    report = [f"C{i:02}" for i in range(1, 30)] + [f"T{i}" for i in range(1, 5)]
    assert sorted([*report, "S01", "S02"]) == NUMBERS == sorted(CLAIMS)
    assert sorted(number for numbers in verdicts.parts().values() for number in numbers) == NUMBERS


@pytest.mark.parametrize("text", [None, '[{"id": ', "[{}]", "3"])
def test_claims_that_cannot_be_read(tmp_path, monkeypatch, refused, text):
    monkeypatch.setattr(verdicts, "RESULTS", tmp_path / "claims.json")
    if text:
        verdicts.RESULTS.write_text(text)
    with refused("claims.json", "make claims"):
        claim("C02")


def test_claims_are_looked_up_by_number(tmp_path, monkeypatch, refused):
    monkeypatch.setattr(verdicts, "RESULTS", tmp_path / "claims.json")
    verdicts.RESULTS.write_text(json.dumps([{"id": "C02", "effect": 1.5}, {"id": "C05", "effect": 2.5}]))
    assert claim("C05") == {"id": "C05", "effect": 2.5}
    with refused("'C99'", "C02, C05"):
        claim("C99")


@pytest.mark.parametrize("number", NUMBERS)
def test_a_claim_has_a_verdict_and_an_interval_around_its_effect(number):
    entry = claim(number)
    low, high = entry["interval"]
    assert entry["verdict"] in MARKS
    assert low <= entry["effect"] <= high
    assert entry["section"]
    assert entry["experiment"]
    assert entry["unit"]
    assert entry["because"]
    if entry["over"] == "derivation":
        assert (entry["seeds"], low, high) == (0, entry["effect"], entry["effect"])
    else:
        assert len(entry["values"]) >= 3
        # one run a model, and a clock: neither is a matter of seeds
        assert entry["seeds"] >= 3 or number in ("C29", "T4")


@pytest.mark.parametrize("number", [n for n in NUMBERS if claim(n)["over"] != "models"])
def test_an_effect_is_the_mean_of_its_values(number):
    entry = claim(number)
    assert entry["effect"] == pytest.approx(sum(entry["values"]) / len(entry["values"]), rel=2e-3, abs=2e-4)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_verdict_never_contradicts_its_effect(number):
    """Confirmed on this side of the border, refuted not clearly on this side; what depends may lie anywhere."""
    (found,) = verdicts.effects([number]).values()
    low, high = margin(found).interval
    assert not (found.verdict == "confirmed" and low < 0)
    assert not (found.verdict == "refuted" and low > 0)
    assert high >= low


@pytest.mark.parametrize("chapter", verdicts.CHAPTERS)
def test_a_claim_is_discussed_where_it_is_said_to_be(chapter):
    cells = json.loads((BOOK / f"{chapter}.ipynb").read_text())["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells)
    shown = set(re.findall(r'(?:claim|verdict)\("([CST]\d+)"\)', text)) | set(re.findall(r"Verdict ([CT]\d+)", text))
    assert shown == set(verdicts.CHAPTERS[chapter])


def test_a_page_lists_claims_with_links_to_their_chapters():
    text = verdicts.listed(["C15", "C28", "T1"]).markdown
    first, second, third = text.split("\n\n---\n\n")
    assert first.startswith(verdict("C15").markdown)
    assert first.endswith("Discussed in [chapter 7](07-gan.ipynb) and [chapter 10](10-mode-collapse.ipynb).")
    assert second == verdict("C28").markdown
    assert "nats, computed." in third
    assert "over 33 runs" in first
    assert all((BOOK / name).exists() for name in re.findall(r"\((\S+\.ipynb)\)", text))


def test_parts_count_each_claim_once_where_it_comes_first():
    counts = Counter(number for numbers in verdicts.parts().values() for number in numbers)
    assert set(counts.values()) == {1}
    assert "C15" in verdicts.parts()["II Games"]


def test_an_effect_is_what_the_entry_says():
    found = verdicts.effects(["C17"])["C17"]
    assert found.holds == pytest.approx((-math.log(1.25), math.log(1.25)))
    assert (found.effect, list(found.interval)) == (claim("C17")["effect"], claim("C17")["interval"])
