"""The directive `quiz`, in a small site made here; and the quizzes that the chapters hold."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup, Tag

ROOT = Path(__file__).resolve().parents[2]

CONF = f"""
import sys
sys.path.insert(0, {str(ROOT / "book" / "_ext")!r})
extensions = ["myst_parser", "quiz"]
myst_enable_extensions = ["colon_fence", "dollarmath", "tasklist"]
html_theme = "basic"
"""
GOOD = """\
# Good

```{math}
:label: eq-known
a = b
```

:::{quiz} quiz-good

1. Is $a_1 * b_1$ in {eq}`eq-known`
   *known*?
   - [ ] $a^2$ -- see {doc}`other`, for $a < b$
   - [x] wrapped
     twice -- because
     {eq}`eq-known` says so
2. And this?
   - [x] `yes` -- it is
   - [ ] no -- it is

:::
"""
QUIZ = "# Bad\n\n:::{{quiz}} {name}\n{text}\n:::\n"
FAULTS = {  # the content, the line of the page, what is said of it
    "none": ("1. Which?\n   - [ ] a -- b\n   - [ ] c -- d", 4, "got 0 right answers of 2 to 'Which?', expected one"),
    "two": ("1. Which?\n   - [x] a -- b\n   - [x] c -- d", 4, "got 2 right answers of 2 to 'Which?', expected one"),
    "why": ("\n1. Which?\n   - [x] a -- b\n   - [ ] c", 7, "got 'c', expected 'answer -- explanation'"),
    "blank": ("1. Which?\n   - [x] a -- b\n   - [ ] c --", 6, "got 'c --', expected 'answer -- explanation'"),
    "stray": ("Well:\n1. Which?\n   - [x] a -- b", 4, "got 'Well:', expected '1. question', or below"),
    "bullet": ("1. Which?\n   - [x] a -- b\n   - c -- d", 6, "got '- c -- d', expected '1. question', or below"),
    "empty": ("", 3, "got no question, expected '1. question'"),
}


@dataclass
class Site:
    """A rendered site, and the messages of Sphinx."""

    folder: Path
    messages: str


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Site:
    """Render a page with a good quiz, one page a fault, and two whose quizzes share an id."""
    folder = tmp_path_factory.mktemp("site")
    pages = {"index": GOOD, "other": "# Other\n"}
    pages |= {name: QUIZ.format(name=f"quiz-{name}", text=text) for name, (text, _, _) in FAULTS.items()}
    right = "1. Which?\n   - [x] a -- b\n   - [ ] c -- d"
    pages |= {name: QUIZ.format(name="quiz-same", text=right) for name in ("first", "second")}
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text if name == "index" else f"---\norphan: true\n---\n{text}")
    (folder / "conf.py").write_text(CONF)
    return Site(folder, render(folder))


def render(folder: Path) -> str:
    """Render what changed, and return the messages."""
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", folder, folder / "html"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def text_of(element: Tag) -> str:
    return " ".join(element.get_text().split())


@pytest.fixture(scope="module")
def quiz(site) -> Tag:
    """The quiz of the page without a fault."""
    return BeautifulSoup((site.folder / "html" / "index.html").read_text(), "html.parser").find(class_="quiz")


def test_a_question_is_a_fieldset_of_radio_buttons_with_labels(quiz):
    assert quiz["id"] == "quiz-good"
    assert [text_of(each) for each in quiz("legend")] == [r"1. Is \(a_1 * b_1\) in (1) known?", "2. And this?"]
    buttons = quiz("input", type="radio")
    assert [button["name"] for button in buttons] == ["quiz-good-1"] * 2 + ["quiz-good-2"] * 2
    assert [button.has_attr("data-right") for button in buttons] == [False, True, True, False]
    labels = {label["for"]: text_of(label) for label in quiz("label")}
    assert [labels[button["id"]] for button in buttons] == [r"a \(a^2\)", "b wrapped twice", "a yes", "b no"]


def test_answers_are_explained_and_replies_announced(quiz):
    assert [text_of(each) for each in quiz.select("details p")] == [
        r"No. see Other, for \(a < b\)",
        "Right. because (1) says so",
        "Right. it is",
        "No. it is",
    ]
    assert [each["aria-live"] for each in quiz(class_="quiz-reply")] == ["polite"] * 2
    assert quiz.find(class_="quiz-score")["role"] == "status"


def test_formulas_and_references_work_in_a_quiz(quiz):
    assert [link["href"] for link in quiz("a")] == ["#equation-eq-known", "other.html", "#equation-eq-known"]
    assert [text_of(each) for each in quiz("span", class_="math")] == [r"\(a_1 * b_1\)", r"\(a^2\)", r"\(a < b\)"]
    assert [text_of(each) for each in quiz("em")] == ["known"]


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_names_file_line_and_what_is_expected(site, name):
    _, line, message = FAULTS[name]
    errors = [each for each in site.messages.splitlines() if f"{name}.md:" in each]
    assert len(errors) == 1, site.messages
    assert f"{name}.md:{line + 3}: ERROR: quiz quiz-{name}: {message}" in errors[0]  # three lines of front matter
    assert '<div class="quiz"' not in (site.folder / "html" / f"{name}.html").read_text()


def test_a_second_quiz_of_one_id_is_an_error(site):
    errors = [each for each in site.messages.splitlines() if "quiz-same" in each]
    assert len(errors) == 1
    assert "second.md:6: ERROR: quiz quiz-same: got the id 'quiz-same', which first:6 has" in errors[0]


def test_a_good_quiz_is_no_error(site):
    assert not [each for each in site.messages.splitlines() if "index.md" in each or "other.md" in each]


def test_a_quiz_that_moves_down_its_page_keeps_its_id(tmp_path):
    (tmp_path / "conf.py").write_text(CONF)
    for above in ("", "A new line.\n\n"):
        (tmp_path / "index.md").write_text(
            f"# One\n\n{above}:::{{quiz}} q\n1. A?\n   - [x] a -- b\n   - [ ] c -- d\n:::\n"
        )
        assert render(tmp_path) == ""


# ---- the quizzes of the chapters


def chapters() -> list[str]:
    """Numbered chapters from 01 to 10, those of them that are in the table of contents."""
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    files = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    return [file for file in files if re.match(r"book/(0[1-9]|10)-", file) and (ROOT / f"{file}.ipynb").exists()]


def answers(file: str) -> list[list[tuple[bool, str, str]]]:
    """Read a chapter's quiz: for each question its answers, as (right, answer, explanation)."""
    cells = nbformat.read(ROOT / f"{file}.ipynb", as_version=4).cells
    at = [i for i, cell in enumerate(cells) if cell.source.startswith("## Quiz")]
    assert len(at) == 1, f"{file}: {len(at)} cells begin with '## Quiz'"
    assert cells[at[0] + 1].source.startswith("## Exercises"), f"{file}: the quiz stands before the exercises"
    questions = re.split(r"(?m)^\d+\. ", cells[at[0]].source)[1:]
    found = [re.findall(r"(?m)^ +- \[([ x])\] (.*?) -- (.*)$", question) for question in questions]
    return [[(mark == "x", said, why) for mark, said, why in each] for each in found]


@pytest.mark.parametrize("file", chapters())
def test_a_chapter_asks_five_questions_of_one_right_answer_each(file):
    quiz = answers(file)
    assert len(quiz) == 5
    for question in quiz:
        assert len(question) in (3, 4)
        assert sum(right for right, _, _ in question) == 1
        assert all(said.strip() and len(why.split()) > 2 for _, said, why in question)


def test_neither_place_nor_length_predicts_the_right_answer():
    assert len(chapters()) >= 9
    questions = [question for file in chapters() for question in answers(file)]
    places = [[right for right, _, _ in question].index(True) for question in questions]
    lengths = [[len(said) for _, said, _ in question] for question in questions]
    longest = [own[place] == max(own) for own, place in zip(lengths, places, strict=True)]
    shortest = [own[place] == min(own) for own, place in zip(lengths, places, strict=True)]
    assert all(places.count(place) <= len(places) * 0.4 for place in range(4))
    assert sum(longest) <= len(questions) * 0.4
    assert sum(shortest) <= len(questions) * 0.4
