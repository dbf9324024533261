"""Student's copies: without solutions and outputs, with the checks in place; and what the checks say of them."""

import ast
import builtins
import re
import zipfile

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from gmlib import exercises, grading
from tests.book.copied import CHAPTERS, ROOT, WITH_CHECKS, copies, read, tagged, with_solutions

every_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


# ---- every chapter


def paragraphs(text: str) -> set[str]:
    """Return the paragraphs and pieces of code that can be recognised again."""
    return {part.strip() for part in re.split(r"\n\s*\n", text) if len(part.strip()) > 20}


@every_chapter
def test_a_copy_has_all_of_its_chapter_but_solutions_and_outputs(chapter):
    notebook, student = read(chapter)
    text = "\n\n".join(cell.source for cell in notebook.cells)
    gate = r"(?ms)^(?:`+|:+)\{solution-start\}.*?\{solution-end\}.*?^(?:`+|:+)$"
    hidden, kept = "\n\n".join(re.findall(gate, text)), re.sub(gate, "", text)
    copied = "\n\n".join(cell.source for cell in student.cells)
    assert len(paragraphs(hidden)) >= 6
    assert paragraphs(copied) == paragraphs(kept)
    assert not re.search(r"\{solution", copied)
    assert all(
        cell.outputs == [] and cell.execution_count is None for cell in student.cells if cell.cell_type == "code"
    )
    assert len({cell.id for cell in student.cells}) == len(student.cells)
    nbformat.validate(student)


@every_chapter
def test_a_copy_has_the_stubs_and_checks_of_its_chapter(chapter):
    notebook, student = read(chapter)
    labels = re.findall(r":label: (\S+)", "\n".join(cell.source for cell in notebook.cells))
    for tag in ("stub", "check"):
        assert tagged(student, tag) == tagged(notebook, tag)
    assert student.metadata.gmlib.chapter == chapter.stem
    assert student.metadata.gmlib.exercises == grading.CHECK.findall("\n".join(tagged(notebook, "check")))
    assert set(student.metadata.gmlib.exercises) <= exercises.REFERENCES.keys() & set(labels)


def code_of(notebook: NotebookNode) -> list[str]:
    """Return the sources of the code cells, without the one that installs gmlib."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code" and cell.id != "install"]


@every_chapter
def test_no_cell_of_a_copy_needs_a_name_from_a_solution(chapter):
    _, student = read(chapter)
    known = set(dir(builtins))
    for source in code_of(student):
        nodes = list(ast.walk(ast.parse(source)))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        known |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
        known |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        known |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        known |= {node.asname or node.name.partition(".")[0] for node in nodes if isinstance(node, ast.alias)}
        assert {node.id for node in names} <= known


@pytest.mark.parametrize("chapter", WITH_CHECKS, ids=lambda path: path.stem)
def test_checks_are_right_with_the_solutions_and_wrong_without_and_with_others(chapter, capsys, monkeypatch):
    """Check cells need nothing but the first two code cells and the functions of their exercises."""
    notebook, student = read(chapter)
    names = student.metadata.gmlib.exercises
    monkeypatch.delenv("GMLIB_CHECKS", raising=False)

    def verdicts(functions: list[str], other: bool = False) -> list[str]:
        space: dict = {}
        for source in [*code_of(student)[:2], *functions]:
            exec(source, space)
        if other:
            for name in re.findall(r"(?m)^def (\w+)", "\n".join(functions)):
                space[name] = lambda *inputs, right=space[name]: right(*inputs) + 1
        for source in tagged(student, "check"):
            exec(source, space)
        return re.findall(r"(?m)^(\S+: (?:right|wrong))\.$", capsys.readouterr().out)

    solutions = tagged(with_solutions(student, notebook), "stub")
    assert verdicts(solutions) == [f"{name}: right" for name in names]
    assert verdicts(tagged(student, "stub")) == [f"{name}: wrong" for name in names]
    assert verdicts(solutions, other=True) == [f"{name}: wrong" for name in names]


@pytest.mark.parametrize("chapter", WITH_CHECKS, ids=lambda path: path.stem)
def test_the_stored_outputs_of_checks_say_right(chapter):
    notebook, student = read(chapter)
    printed = [
        output.text for cell in notebook.cells if "check" in cell.metadata.get("tags", []) for output in cell.outputs
    ]
    found = re.findall(r"(?m)^(\S+): (right|wrong)\.$", "".join(printed))
    assert found == [(name, "right") for name in student.metadata.gmlib.exercises]


# ---- a small chapter


def code(source: str, tag: str = "") -> NotebookNode:
    outputs = [new_output("stream", text="stored")]
    return new_code_cell(source, metadata={"tags": [tag] if tag else []}, outputs=outputs, execution_count=1)


@pytest.fixture
def small() -> NotebookNode:
    """A chapter with an exercise for a function, one for code without a stub, and one by hand."""
    cells = [
        new_markdown_cell("## Exercises"),
        code("from gmlib import check"),
        new_markdown_cell("````{exercise} Write\n:label: a\n\nDouble $x$.\n````"),
        code("def double(x):\n    ...", "stub"),
        new_markdown_cell("```{solution-start} a\n:class: dropdown\n```\n\nAdd it."),
        code("def double(x):\n    return x + x", "solution"),
        new_markdown_cell("Done.\n\n:::{solution-end}\n:::"),
        code("check('a', double(2), expected=4)", "check"),
        new_markdown_cell(
            "```{exercise} Count\n:label: b\n```\n\n````{solution-start} b\n````\n\nSecretly.\n\n````{solution-end}\n````\n\n"
            "```{exercise} Plot\n:label: c\n```\n\n````{solution-start} c\n````\n\nHidden."
        ),
        code("print('one')", "solution"),
        code("print('two, without a tag')"),
        new_markdown_cell("````{solution-end}\n````\n\n## Summary"),
        code("print('outside')", "solution"),
        code("'the end'"),
    ]
    for number, cell in enumerate(cells):
        cell.id = f"solution-{number}"
    kernel = {"name": "python3", "display_name": "Python 3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def test_a_small_chapter_cell_by_cell(small):
    before = nbformat.from_dict(small)
    student = copies.student_copy(small, "01-small")
    assert [(cell.cell_type, cell.source) for cell in student.cells] == [
        ("markdown", "## Exercises"),
        ("code", "from gmlib import check"),
        ("markdown", "````{exercise} Write\n:label: a\n\nDouble $x$.\n````"),
        ("code", "def double(x):\n    ..."),
        ("code", "check('a', double(2), expected=4)"),
        ("markdown", "```{exercise} Count\n:label: b\n```\n\n```{exercise} Plot\n:label: c\n```"),
        ("code", ""),
        ("markdown", "## Summary"),
        ("code", "'the end'"),
    ]
    assert student.cells[6].id == "answer-9"
    assert student.metadata.gmlib == {"chapter": "01-small", "exercises": ["a"]}
    assert student.metadata.kernelspec.name == "python3"
    assert small == before


def test_every_chapter_with_exercises_is_written_and_packed(small, tmp_path):
    (tmp_path / "book").mkdir()
    nbformat.write(small, tmp_path / "book" / "01-small.ipynb")
    nbformat.write(new_notebook(cells=[code("1")]), tmp_path / "book" / "speed.ipynb")
    folder = tmp_path / "_build" / "exercises"
    folder.mkdir(parents=True)
    (folder / "00-gone.ipynb").write_text("from an earlier call")

    def convert(notebook, chapter):
        notebook.cells[-1].source = f"converted {chapter}"
        return notebook

    packed = copies.write_all(tmp_path, folder, convert)
    assert sorted(path.name for path in folder.iterdir()) == ["01-small.ipynb", "exercises.zip"]
    with zipfile.ZipFile(packed) as file:
        assert file.namelist() == ["exercises/01-small.ipynb"]
        assert file.read("exercises/01-small.ipynb") == (folder / "01-small.ipynb").read_bytes()
    student = nbformat.read(folder / "01-small.ipynb", as_version=4)
    assert student.cells[-1].source == "converted 01-small"
    assert student.metadata.gmlib.exercises == ["a"]


def test_a_copy_that_is_handed_in_is_graded(small, tmp_path, monkeypatch):
    """The copy as it is, with the solution, and with another one, in one notebook: a kernel takes seconds to start."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    student = copies.student_copy(small, "01-small")
    filled = with_solutions(student, small)
    other = nbformat.from_dict(student)
    other.cells[3].source = "def double(x):\n    return -2 * x"
    for name, notebook in {"empty": student, "filled": filled, "other": other}.items():
        for cell in notebook.cells:
            cell.source = cell.source.replace("'a'", f"'{name}'")
    filled.cells = [*student.cells, *filled.cells, *other.cells]
    for number, cell in enumerate(filled.cells):
        cell.id = str(number)
    filled.metadata.gmlib.exercises = []
    nbformat.write(filled, tmp_path / "ada.ipynb")
    results, stopped = grading.grade(grading.read_notebook(str(tmp_path / "ada.ipynb")), timeout=300)
    assert stopped == ""
    assert [(each.exercise, each.verdict) for each in results] == [
        ("empty", "wrong"),
        ("filled", "right"),
        ("other", "wrong"),
    ]
    assert [each.reason for each in results] == [
        "the value is None, so the function has no `return` yet",
        "",
        "the sign is the opposite",
    ]
