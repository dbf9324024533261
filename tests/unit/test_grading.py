"""Handed-in notebooks: what is read of a file, the results of a run, and why an exercise was not reached."""

import json
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from gmlib import grading
from gmlib.grading import Result

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def kernels_import_this_gmlib(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def handed_in(tmp_path):
    """Write a notebook of these code cells, whose metadata lists these exercises, and read it."""

    def write(*sources: str, listed: tuple[str, ...] = ()):
        notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
        notebook.metadata["gmlib"] = {"chapter": "02-vae", "exercises": list(listed)}
        nbformat.write(notebook, tmp_path / "ada.ipynb")
        return grading.read_notebook(str(tmp_path / "ada.ipynb"))

    return write


# ---- reading


def test_the_code_is_read_without_outputs_and_the_listed_exercises_come_first(tmp_path):
    cells = [
        new_code_cell("1", outputs=[new_output("stream", text="1")], execution_count=3),
        new_markdown_cell("check('in-text', 1)"),
        new_code_cell("gmlib.check( 'two', 2)\nrecheck('none', 1)\ncheck('one', 1)", metadata={"tags": ["check"]}),
    ]
    nbformat.write(new_notebook(cells=cells, metadata={"gmlib": {"exercises": ["one"]}}), tmp_path / "a.ipynb")
    notebook = grading.read_notebook(str(tmp_path / "a.ipynb"))
    assert [cell.source for cell in notebook.cells] == [cells[0].source, cells[2].source]
    assert [cell.outputs for cell in notebook.cells] == [[], []]
    assert notebook.metadata.exercises == ["one", "two"]


def test_an_old_notebook_without_ids_is_read(tmp_path):
    cell = {
        "cell_type": "code",
        "metadata": {},
        "execution_count": 1,
        "outputs": [],
        "source": ["1\n", "check('a', 1)"],
    }
    old = {"nbformat": 4, "nbformat_minor": 2, "metadata": {}, "cells": [cell]}
    (tmp_path / "a.ipynb").write_text(json.dumps(old))
    assert grading.read_notebook(str(tmp_path / "a.ipynb")).metadata.exercises == ["a"]


NO_NOTEBOOKS = {
    "empty": b"",
    "text": b"hello",
    "list": b"[1]",
    "object": b"{}",
    "bytes": b"\xff\xfe\x00\x80",
    "cell": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code"}]}',
}


@pytest.mark.parametrize("name", NO_NOTEBOOKS)
def test_what_is_no_notebook_is_refused(refused, tmp_path, name):
    (tmp_path / f"{name}.ipynb").write_bytes(NO_NOTEBOOKS[name])
    with refused(f"{name}.ipynb", "no notebook"):
        grading.read_notebook(str(tmp_path / f"{name}.ipynb"))


def test_a_file_without_anything_to_grade_is_refused(refused, handed_in, tmp_path):
    with refused("nothing.ipynb", "No such file"):
        grading.read_notebook(str(tmp_path / "nothing.ipynb"))
    with refused(str(tmp_path), "directory"):
        grading.read_notebook(str(tmp_path))
    with refused("ada.ipynb has no code"):
        handed_in(listed=("a",))
    with refused("ada.ipynb has no cell that calls check"):
        handed_in("1 + 1")


def test_without_nbclient_the_error_names_the_extra(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "nbclient", None)
    with refused("nbclient", "pip install 'gmlib[book]'"):
        grading.read_notebook("a.ipynb")


# ---- running


@pytest.fixture
def own_profile(tmp_path_factory, monkeypatch):
    """A profile of IPython that defines the function of an exercise."""
    folder = tmp_path_factory.mktemp("ipython")
    (folder / "profile_default" / "startup").mkdir(parents=True)
    (folder / "profile_default" / "startup" / "mine.py").write_text("def answer():\n    return 1\n")
    monkeypatch.setenv("IPYTHONDIR", str(folder))


@pytest.mark.usefixtures("own_profile")
def test_every_exercise_has_a_result_whatever_else_a_notebook_does(handed_in, tmp_path, monkeypatch):
    """One kernel for all of it: its start takes seconds."""
    monkeypatch.chdir(tmp_path)
    notebook = handed_in(
        "import os\nfrom gmlib import check\nopen('written', 'w')\ncheck('folder', os.listdir() == ['written'], 1)",
        "check('before', answer(), 1)\ncheck('twice', 1, 1)",
        "def answer():\n    return 1",
        "check('after', answer(), 1)\ncheck('changed', 1, 1)",
        "this is no Python\ncheck('syntax', 1, 1)",
        "check('none', None, 1)\ncheck('changed', 2, 1)",
        "input('name?')\ncheck('waits', 1, 1)",
        "if False:\n    check('skipped', 1, 1)\n%time",
        "check('vae-ex-kll', 1)\ncheck('twice', 1, 1)",
        "for i in range(2):\n    check(f'loop {i}', i, 1)",
        listed=("deleted", "none"),
    )
    results, stopped = grading.grade(notebook, timeout=300)
    assert stopped == ""
    rows = {each.exercise: (each.verdict, each.reason) for each in results}
    assert list(rows)[:2] == ["deleted", "none"]
    assert rows["deleted"] == ("not reached", "no cell checks it")
    assert rows["none"][0] == "wrong"
    assert "None" in rows["none"][1]
    assert rows["folder"] == rows["after"] == ("right", "")
    assert rows["before"] == ("not reached", "code cell 2 raised NameError: name 'answer' is not defined")
    assert rows["changed"] == ("wrong", "the value is too large")
    assert rows["syntax"][1].startswith("code cell 5 raised SyntaxError")
    assert rows["waits"][1].startswith("code cell 7 raised StdinNotImplementedError")
    assert rows["skipped"] == ("not reached", "code cell 8 ran without calling check")
    assert rows["vae-ex-kll"][1].startswith("code cell 9 raised InputError: got 'vae-ex-kll'")
    assert rows["twice"][1].startswith("code cell 9 raised InputError")
    assert rows["loop 0"] == ("wrong", "the value is too small")
    assert rows["loop 1"] == ("right", "")
    assert [path.name for path in tmp_path.iterdir()] == ["ada.ipynb"]


RECORD = """\
import os
with open(os.environ["GMLIB_CHECKS"], "a") as file:
    file.write('{"name": "a", "right": true, "reason": ""}\\n{"na')"""
SLEEP = "import time\ntry:\n    time.sleep(5)\nexcept BaseException:\n    time.sleep(600)"
STOPPED = {
    "code cell 2 ended its kernel: it crashed Python or used too much memory": ["import os\nos._exit(1)"],
    "code cell 3 was stopped, since the notebook took more than 8 s": [SLEEP, SLEEP],
}


@pytest.mark.parametrize("reason", STOPPED, ids=["dies", "is too slow"])
def test_a_notebook_that_dies_or_is_too_slow_keeps_what_was_checked(handed_in, reason):
    results, stopped = grading.grade(handed_in(RECORD, *STOPPED[reason], "check('b', 1)", listed=("a",)), timeout=8)
    assert stopped == reason
    assert results == [Result("a", "right"), Result("b", "not reached", "the notebook was stopped before")]


def test_a_kernel_that_does_not_start_is_a_sentence(handed_in, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "no-such-folder")  # Python ends at once
    results, stopped = grading.grade(handed_in("check('a', 1)"), timeout=60)
    assert stopped.startswith("its kernel did not start")
    assert results == [Result("a", "not reached", "the notebook was stopped before")]


# ---- the table


def test_the_table_has_a_row_per_exercise_and_a_total_per_notebook(handed_in, monkeypatch):
    graded = {
        "kl": ([Result("kl", "right"), Result("active-latents", "wrong", "the value is too large")], ""),
        "x": ([Result("x", "not reached", "no cell checks it")], "its kernel did not start"),
    }
    monkeypatch.setattr(grading, "grade", lambda notebook, timeout: graded[notebook.metadata.exercises[0]])
    notebooks = {
        "ada.ipynb": handed_in("check('kl', 1)\ncheck('active-latents', 1)"),
        "of/bob.ipynb": handed_in("check('x', 1)"),
    }
    assert list(grading.tables(notebooks, 60)) == [
        "notebook      exercise        result       reason",
        "ada.ipynb     kl              right",
        "ada.ipynb     active-latents  wrong        the value is too large",
        "ada.ipynb: 1 of 2 right",
        "of/bob.ipynb  x               not reached  no cell checks it",
        "of/bob.ipynb: 0 of 1 right; its kernel did not start",
    ]
