"""Make `gmlib/widgets/quizzes.json` of the texts in `book/quizzes`: `python book/make_quizzes.py`.

    1. Question?
       - [ ] answer -- explanation
       - [x] the right answer -- explanation

A question has one right answer, and every answer an explanation. Formulas become MathML. In the result each quiz is base64, so
that no answer can be read in a notebook or in a page before one is given.
"""

import base64
import json
import re
import sys
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
from mathml import mathml  # noqa: E402

QUESTION = re.compile(r"\d+\.\s+(.*)")
ANSWER = re.compile(r"\s*-\s+\[([ x])\]\s+(.*)")
MARKDOWN = MarkdownIt("commonmark", {"html": False}).use(
    dollarmath_plugin,
    renderer=lambda tex, options: mathml(tex, options["display_mode"]),
)


class QuizError(Exception):
    """A quiz is not written as it should be; the message names its line."""


def read(text: str, name: str) -> list[dict[str, Any]]:
    """Read the questions of a quiz.

    Args:
        text: the quiz in Markdown.
        name: of its file, for messages.

    Returns:
        One dict per question: its text, its answers, each with an explanation, all as HTML, and the number of the right one.

    Raises:
        QuizError: if a line belongs to no question, a question has no right answer or several, or an answer has no explanation.
    """
    questions: list[dict[str, Any]] = []
    entry: dict[str, Any] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if found := QUESTION.fullmatch(line):
            entry = {"text": found[1], "line": number, "answers": []}
            questions.append(entry)
        elif questions and (found := ANSWER.fullmatch(line)):
            entry = {"text": found[2], "line": number, "right": found[1] == "x"}
            questions[-1]["answers"].append(entry)
        elif entry and line.startswith(" ") and not line.strip().startswith("- "):
            entry["text"] += f" {line.strip()}"
        elif line.strip():
            expected = "'1. question', or below one '- [ ] answer -- explanation'"
            raise QuizError(
                f"{name}, line {number}: got '{line.strip()}', expected {expected}"
            )
    if not questions:
        raise QuizError(
            f"{name}: got no question, expected '1. question' and answers below it"
        )
    return [as_html(question, name) for question in questions]


def as_html(question: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a question with its texts as HTML, and its answers split into answer and explanation."""
    right = [number for number, a in enumerate(question["answers"]) if a["right"]]
    if len(right) != 1:
        raise QuizError(
            f"{name}, line {question['line']}: got {len(right)} right answers of {len(question['answers'])} to "
            f"'{question['text']}', expected one '- [x]'"
        )
    answers = []
    for answer in question["answers"]:
        said, _, why = (part.strip() for part in answer["text"].partition(" -- "))
        if not said or not why:
            raise QuizError(
                f"{name}, line {answer['line']}: got '{answer['text']}', expected 'answer -- explanation'"
            )
        answers.append(
            {"text": MARKDOWN.renderInline(said), "why": MARKDOWN.renderInline(why)}
        )
    return {
        "text": MARKDOWN.renderInline(question["text"]),
        "answers": answers,
        "right": right[0],
    }


def encoded(folder: Path) -> str:
    """Return the file of all quizzes in a folder: JSON with the base64 of each, by name."""
    quizzes = {
        path.stem: read(path.read_text(encoding="utf-8"), path.name)
        for path in sorted(folder.glob("*.md"))
    }
    return (
        json.dumps(
            {
                name: base64.b64encode(
                    json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode()
                ).decode()
                for name, each in quizzes.items()
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    try:
        content = encoded(ROOT / "book" / "quizzes")
    except QuizError as error:
        sys.exit(f"make_quizzes: {error}")
    (ROOT / "gmlib" / "widgets" / "quizzes.json").write_text(content, encoding="utf-8")
