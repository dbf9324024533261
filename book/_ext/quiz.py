"""The directive `quiz`: questions with one right answer each, and a reason for every answer.

    :::{quiz} quiz-elbo
    1. Question?
       - [ ] answer -- explanation
       - [x] the right answer -- explanation
    :::

Where nothing renders it, it looks like a task list. In the page each question is a fieldset of radio buttons. Its explanations
are in a <details> element; `assets/quiz.js` moves the explanation of the chosen answer below the question.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from string import ascii_lowercase
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

QUESTION = re.compile(r"\d+\.\s+(.*)")
ANSWER = re.compile(r"\s*-\s+\[([ x])\]\s+(.*)")
SEPARATOR = " -- "


@dataclass
class Line:
    """A question with its answers, or an answer: the text, and the line where it begins."""

    text: str
    number: int
    right: bool = False
    answers: "list[Line]" = field(default_factory=list)


class Tag(nodes.General, nodes.Element):
    """A docutils node for an HTML element: its name is in `tag`, its attributes are in `html`."""


def tag(name: str, html: dict[str, Any], *children: nodes.Node) -> Tag:
    """Return an HTML element with children."""
    return Tag("", *children, tag=name, html=html)


class Quiz(SphinxDirective):
    """A numbered list of questions, with a task list of answers under each."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the quiz, or one error message per fault."""
        name = self.arguments[0]
        questions, stray = self.read()
        faults = [*stray, *self.repeated_id(name), *self.faults(questions)]
        if faults:
            report = self.state_machine.reporter.error
            return [report(f"quiz {name}: {text}", line=at) for at, text in faults]
        body = [self.question(f"{name}-{n}", n, q) for n, q in enumerate(questions, 1)]
        score = tag("p", {"class": "quiz-score", "role": "status"})
        return [tag("div", {"class": "quiz", "ids": [name]}, *body, score)]

    def read(self) -> tuple[list[Line], list[tuple[int, str]]]:
        """Return the questions, and each line that belongs to none with an error message."""
        questions: list[Line] = []
        stray = []
        current = None
        for number, line in enumerate(
            self.content, self.lineno + 1 + self.content_offset
        ):
            if found := QUESTION.fullmatch(line):
                current = Line(found[1], number)
                questions.append(current)
            elif questions and (found := ANSWER.fullmatch(line)):
                current = Line(found[2], number, right=found[1] == "x")
                questions[-1].answers.append(current)
            elif current and line.startswith(" ") and not line.strip().startswith("- "):
                current.text += f" {line.strip()}"
            elif line.strip():
                expected = "'1. question', or below one '- [ ] answer -- explanation'"
                stray.append((number, f"got '{line.strip()}', expected {expected}"))
        return questions, stray

    def repeated_id(self, name: str) -> Iterator[tuple[int, str]]:
        """Record the quiz's id, and yield an error if another quiz has it."""
        here = self.env.docname, self.lineno
        first = quiz_ids(self.env).setdefault(name, here)
        if first != here:
            yield (
                self.lineno,
                f"got the id '{name}', which {first[0]}:{first[1]} has, expected one of its own",
            )

    def faults(self, questions: list[Line]) -> Iterator[tuple[int, str]]:
        """Yield the line and message of each fault."""
        if not questions:
            yield (
                self.lineno,
                "got no question, expected '1. question' and answers below it",
            )
        for question in questions:
            right = sum(answer.right for answer in question.answers)
            if right != 1:
                yield (
                    question.number,
                    f"got {right} right answers of {len(question.answers)} to '{question.text}', expected one '- [x]'",
                )
            for answer in question.answers:
                said, _, why = answer.text.partition(SEPARATOR)
                if not said.strip() or not why.strip():
                    yield (
                        answer.number,
                        f"got '{answer.text}', expected 'answer -- explanation'",
                    )

    def question(self, name: str, number: int, question: Line) -> Tag:
        """Return the nodes of a question."""
        choices, reasons = [], []
        radio: dict[str, Any]
        for letter, answer in zip(ascii_lowercase, question.answers, strict=False):
            said, _, why = answer.text.partition(SEPARATOR)
            radio = {"type": "radio", "name": name, "ids": [f"{name}{letter}"]}
            radio["autocomplete"] = "off"  # a page loaded again starts anew
            if answer.right:
                radio["data-right"] = ""
            marked = tag("span", {"class": "quiz-letter"}, nodes.Text(letter))
            text = self.inline(said, answer)
            label = tag("label", {"for": f"{name}{letter}"}, marked, text)
            choices.append(tag("li", {}, tag("input", radio), label))
            verdict = nodes.strong("", "Right." if answer.right else "No.")
            why_node = self.inline(why, answer)
            reason = nodes.paragraph("", "", verdict, nodes.Text(" "), why_node)
            reasons.append(tag("li", {}, reason))
        legend = self.inline(f"{number}. {question.text}", question)
        summary = tag("summary", {}, nodes.Text("The answers explained"))
        return tag(
            "fieldset",
            {},
            tag("legend", {}, legend),
            tag("ol", {"type": "a"}, *choices),
            tag("div", {"class": "quiz-reply", "aria-live": "polite"}),
            tag("details", {}, summary, tag("ol", {"type": "a"}, *reasons)),
        )

    def inline(self, text: str, line: Line) -> nodes.inline:
        """Return a text with its formulas and references parsed."""
        children, messages = self.state.inline_text(text.strip(), line.number)
        return nodes.inline("", "", *children, *messages)


def quiz_ids(env: BuildEnvironment) -> dict[str, tuple[str, int]]:
    """Return the ids of all quizzes, each with its document and line."""
    taken: dict[str, tuple[str, int]] = vars(env).setdefault("quizzes", {})
    return taken


def forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Remove the ids of a document that is read again."""
    for name, (where, _) in list(quiz_ids(env).items()):
        if where == docname:
            del quiz_ids(env)[name]


def open_tag(self: Any, node: Tag) -> None:
    """Write an element's beginning."""
    end = (
        "\n" if node.children else ""
    )  # the CSS selector :empty does not match a line break
    self.body.append(self.starttag(node, node["tag"], end, **node["html"]))


def close_tag(self: Any, node: Tag) -> None:
    """Write an element's end."""
    if node["tag"] != "input":  # an empty element
        self.body.append(f"</{node['tag']}>\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_node(Tag, html=(open_tag, close_tag))
    app.add_directive("quiz", Quiz)
    app.connect("env-purge-doc", forget)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
