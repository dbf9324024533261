"""The quiz of a chapter: questions with one right answer each, and an explanation of every answer."""

import base64
import json
from typing import Any

import anywidget
import traitlets

from gmlib.errors import InputError, nearest
from gmlib.widgets.explorer import FOLDER, figure, source


class Quiz(anywidget.AnyWidget):
    """Questions with radio buttons; a chosen answer shows whether it is right, and why.

    Where a kernel runs, it is a widget: `chosen` holds the answers, number of the question to number of the answer, both from 0.
    In a page the same JavaScript runs without a kernel; without JavaScript, and on paper, the questions are shown. Answers are
    in the page and in the notebook only as base64, which nobody reads by accident.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    content = traitlets.Unicode().tag(sync=True)
    chosen = traitlets.Dict().tag(sync=True)

    def __init__(self, name: str, content: str) -> None:
        """Take the name of the quiz and its content, base64 of the JSON that `book/make_quizzes.py` writes."""
        super().__init__(
            _esm=source("explorer.js", "quiz.js"), _css=source("explorer.css", "quiz.css"), content=content, chosen={}
        )
        self.name = name
        self.questions: list[dict[str, Any]] = json.loads(base64.b64decode(content))

    def __repr__(self) -> str:
        return f"Quiz({self.name!r}, {len(self.questions)} questions)"

    def html(self) -> str:
        """Return the quiz for a page: a `figure` element that contains all that it needs."""
        items = ""
        for question in self.questions:
            answers = "".join(f"<li>{answer['text']}</li>" for answer in question["answers"])
            items += f'<li>{question["text"]}<ol type="a">{answers}</ol></li>'
        questions_only = f'<div class="gm-poster"><ol>{items}</ol></div>'
        values = {"content": self.content, "chosen": {}}
        return figure(questions_only, values, module=self._esm, css=self._css, kind="gm-questions")

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle: Any = super()._repr_mimebundle_(**kwargs)
        # anywidget returns data and metadata, ipywidgets the data only
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return data | {"text/html": self.html(), "text/plain": repr(self)}, metadata


def quiz(name: str) -> Quiz:
    """Return the quiz of a chapter, such as "vae"; an unknown name raises InputError."""
    quizzes = json.loads((FOLDER / "quizzes.json").read_text(encoding="utf-8"))
    if name not in quizzes:
        raise InputError(f"got the quiz {name!r}, expected one of {', '.join(quizzes)}{nearest(name, quizzes)}")
    return Quiz(name, quizzes[name])
