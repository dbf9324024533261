"""The texts of the quizzes, and the file that is made of them."""

import re

import nbformat
import pytest

from tests.book.loaded import BOOK, loaded

quizzes = loaded("make_quizzes")
GOOD = """\
1. Is $a_1 * b_1$
   *known*?
   - [ ] $a^2$ -- for $a < b$
   - [x] wrapped
     twice -- because
     it is `so`
2. And this? <b>
   - [x] yes -- it is
   - [ ] no -- it is
"""
FAULTS = {  # the content, and what is said of it
    "none": (
        "1. Which?\n   - [ ] a -- b\n   - [ ] c -- d",
        "line 1: got 0 right answers of 2 to 'Which?', expected one",
    ),
    "two": (
        "1. Which?\n   - [x] a -- b\n   - [x] c -- d",
        "line 1: got 2 right answers of 2 to 'Which?', expected one",
    ),
    "why": ("\n1. Which?\n   - [x] a -- b\n   - [ ] c", "line 4: got 'c', expected 'answer -- explanation'"),
    "blank": ("1. Which?\n   - [x] a -- b\n   - [ ] c --", "line 3: got 'c --', expected 'answer -- explanation'"),
    "stray": ("Well:\n1. Which?\n   - [x] a -- b", "line 1: got 'Well:', expected '1. question', or below"),
    "bullet": ("1. Which?\n   - [x] a -- b\n   - c -- d", "line 3: got '- c -- d', expected '1. question', or below"),
    "empty": ("", "got no question, expected '1. question'"),
}


def test_questions_are_html_with_mathml():
    first, second = quizzes.read(GOOD, "good.md")
    assert first["right"] == 1
    assert second["right"] == 0
    assert "<em>known</em>" in first["text"]
    assert first["text"].count("<math") == 1
    assert [re.sub(r"<span.*</span>", "M", answer["text"]) for answer in first["answers"]] == ["M", "wrapped twice"]
    assert first["answers"][1]["why"] == "because it is <code>so</code>"
    assert second["text"] == "And this? &lt;b&gt;"


@pytest.mark.parametrize(("text", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_its_line(text, message):
    with pytest.raises(quizzes.QuizError, match=re.escape(message)):
        quizzes.read(text, "bad.md")


def test_the_file_is_made_of_the_texts_as_they_are():
    stored = (BOOK.parent / "gmlib" / "widgets" / "quizzes.json").read_text(encoding="utf-8")
    assert stored == quizzes.encoded(BOOK / "quizzes"), "run python book/make_quizzes.py"


def test_every_chapter_shows_its_quiz_and_every_quiz_is_shown():
    shown = []
    for path in sorted(BOOK.glob("[01]*.ipynb")):
        found = re.findall(r'widgets\.quiz\("(.+)"\)', "\n".join(c.source for c in nbformat.read(path, 4).cells))
        assert len(found) == 1, path.name
        shown += found
    assert sorted(shown) == sorted(path.stem for path in (BOOK / "quizzes").glob("*.md"))


def test_quizzes_have_no_directives_since_nothing_resolves_them():
    for path in (BOOK / "quizzes").glob("*.md"):
        assert not re.search(r"\{[\w:]+\}`", path.read_text(encoding="utf-8")), path.name
