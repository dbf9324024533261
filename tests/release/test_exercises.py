"""Whole exercise notebooks, as students hand them in."""

import nbformat
import pytest

from gmlib import grading
from tests.book.copied import ROOT, WITH_CHECKS, read, with_solutions


@pytest.mark.parametrize("chapter", WITH_CHECKS, ids=lambda path: path.stem)
def test_a_copy_with_its_solutions_has_all_checks_right_and_as_it_is_all_wrong(chapter, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook, student = read(chapter)
    for copied, verdict in ((with_solutions(student, notebook), "right"), (student, "wrong")):
        nbformat.write(copied, tmp_path / "ada.ipynb")
        results, stopped = grading.grade(grading.read_notebook(str(tmp_path / "ada.ipynb")), timeout=600)
        assert stopped == ""
        assert [(each.exercise, each.verdict) for each in results] == [
            (name, verdict) for name in student.metadata.gmlib.exercises
        ]
