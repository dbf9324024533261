"""The quiz of a chapter: what it shows, and what it hides until an answer is given."""

import base64
import json
import re
from html import unescape

import pytest

from gmlib.widgets import quiz
from gmlib.widgets.explorer import FOLDER

NAMES = list(json.loads((FOLDER / "quizzes.json").read_text(encoding="utf-8")))


def words(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html))).strip()


@pytest.mark.parametrize("name", NAMES)
def test_questions_and_answers_are_in_the_page_and_what_explains_them_is_not(name):
    widget = quiz(name)
    shown, plain = widget._repr_mimebundle_()[0], repr(widget)
    assert shown["text/plain"] == plain == f"Quiz('{name}', {len(widget.questions)} questions)"
    page = words(shown["text/html"])
    for question in widget.questions:
        assert 0 <= question["right"] < len(question["answers"])
        assert words(question["text"]) in page
        for answer in question["answers"]:
            assert words(answer["text"]) in page
            for sentence in (each for each in re.split(r"(?<=\.) ", words(answer["why"])) if len(each) > 30):
                assert sentence not in page
    for word in ('"right"', '"why"', "data-right"):
        assert word not in shown["text/html"]
    assert widget.questions == json.loads(base64.b64decode(widget.content))


def test_a_widget_reports_what_was_chosen():
    widget = quiz("vae")
    assert widget.chosen == {}
    assert {"content", "chosen", "_esm", "_css"} <= set(widget.get_state())
    assert "application/vnd.jupyter.widget-view+json" in widget._repr_mimebundle_()[0]


def test_an_unknown_quiz_is_refused(refused):
    with refused("got the quiz 'vea'", "did you mean 'vae'"):
        quiz("vea")
