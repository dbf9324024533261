"""Each chapter checks its settings first and runs wherever it is started."""

import ast
import os
from pathlib import Path

import nbformat
import numpy as np
import pytest

from audit import measured_costs
from gmlib import InputError
from gmlib.experiments.profiles import require_settings

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
LARGEST = 2**31 - 1


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("seed", [0, 1000.0, LARGEST, np.int64(7)])
def test_a_seed_is_a_python_number(seed):
    found = require_settings("quick", seed)
    assert type(found) is int
    assert found == seed


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("seed", ["3", -1, 0.5, float("nan"), True, None, LARGEST + 1])
def test_what_is_not_a_seed_is_refused(seed):
    with pytest.raises(InputError, match="seed"):
        require_settings("quick", seed)


@pytest.mark.parametrize("profile", ["huge", "Quick", None])
def test_what_is_not_a_profile_is_refused(profile):
    with pytest.raises(InputError, match="profile"):
        require_settings(profile, 0)


def code(chapter: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(chapter, 4).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_refuses_bad_settings_in_its_first_cell(chapter):
    first = compile(code(chapter)[1], chapter.name, "exec")
    for settings, key in (({"profile": "huge", "seed": 0}, "profile"), ({"profile": "quick", "seed": -1}, "seed")):
        with pytest.raises(InputError, match=key):
            exec(first, settings)


def test_no_chapter_trains_with_a_seed_above_the_largest():
    """Chapter 11 trains several seeds from the chapter's own on."""
    calls = []

    def fit_profile(recipe, profile, seed, device):
        calls.append(require_settings(profile, seed))

    (statement,) = [
        ast.unparse(statement)
        for cell in code(ROOT / "book" / "11-comparison.ipynb")
        for statement in ast.parse(cell).body
        if "fit_profile(" in ast.unparse(statement)
    ]
    names = {"fit_profile": fit_profile, "short": None, "profile": "quick", "seed": LARGEST, "device": "cpu"}
    exec(statement, names)
    assert len(set(calls)) == 5


@pytest.mark.parametrize("folder", [ROOT, ROOT / "book", Path(os.sep)], ids=["root", "book", "elsewhere"])
def test_a_chapter_finds_what_was_measured_wherever_it_is_started(monkeypatch, folder):
    monkeypatch.chdir(folder)
    assert {"about", "drawing"} <= set(measured_costs())


def test_without_a_clone_the_error_names_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("audit.costs.__file__", str(tmp_path / "audit" / "costs.py"))
    with pytest.raises(InputError, match="clone"):
        measured_costs()


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_no_chapter_reads_a_file_relative_to_its_folder(chapter):
    assert [source for source in code(chapter) if "Path(" in source or "open(" in source] == []
