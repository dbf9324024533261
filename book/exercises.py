"""The exercises as notebooks for students: the chapters without solutions and outputs, and a zip file of them all.

An exercise that asks for a function has three code cells: one tagged `stub`, which students fill in; one tagged `solution`,
between `solution-start` and `solution-end`; and one tagged `check`, which calls `gmlib.check` with the exercise's label.
"""

import copy
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from gmlib.grading import CHECK

EXERCISE = re.compile(r"^(`{3,}|:{3,})\{exercise\}", re.MULTILINE)
GATE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{solution-(?P<side>start|end)\}.*?^(?P=fence)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)


def student_copy(notebook: NotebookNode, chapter: str) -> NotebookNode:
    """Return a chapter without solutions and outputs; its metadata lists the exercises checked.

    Where an exercise without a stub has a solution in code, an empty cell is left for the student's.
    """
    student = copy.deepcopy(notebook)
    student.cells = []
    in_solution, needs_cell = False, False
    for cell in copy.deepcopy(notebook.cells):
        if cell.cell_type == "markdown":
            cell.source, in_solution = without_solutions(cell.source, in_solution)
            needs_cell = bool(EXERCISE.search(cell.source)) or needs_cell
            if cell.source:
                student.cells.append(cell)
        elif in_solution or "solution" in tags(cell):
            if needs_cell:
                cell.update(source="", metadata={}, outputs=[], execution_count=None)
                cell.id = cell.id.replace("solution", "answer")
                student.cells.append(cell)
            needs_cell = False
        else:
            cell.update(outputs=[], execution_count=None)
            student.cells.append(cell)
            needs_cell = needs_cell and "stub" not in tags(cell)
    student.metadata.gmlib = {"chapter": chapter, "exercises": checked(student)}
    return student


def without_solutions(text: str, in_solution: bool) -> tuple[str, bool]:
    """Return a Markdown cell without its parts of solutions, and whether the next cell is in a solution."""
    kept, position = [], 0
    for gate in GATE.finditer(text):
        kept.append("" if in_solution else text[position : gate.start()].strip())
        in_solution, position = gate["side"] == "start", gate.end()
    kept.append("" if in_solution else text[position:].strip())
    return "\n\n".join(filter(None, kept)), in_solution


def checked(notebook: NotebookNode) -> list[str]:
    """Return the names of a notebook's check cells."""
    cells = [cell for cell in notebook.cells if "check" in tags(cell)]
    return [name for cell in cells for name in CHECK.findall(cell.source)]


def tags(cell: NotebookNode) -> list[str]:
    """Return a cell's tags."""
    return list(cell.metadata.get("tags", []))


def unchanged(notebook: NotebookNode, chapter: str) -> NotebookNode:
    """Return a notebook as it is: its Markdown stays MyST Markdown."""
    return notebook


def write_all(
    root: Path,
    folder: Path,
    convert: Callable[[NotebookNode, str], NotebookNode] = unchanged,
) -> Path:
    """Write the copy of each chapter that has exercises into a folder, which is emptied first; return the zip file.

    `convert(notebook, chapter)` is applied to each copy.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "exercises.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for chapter in sorted((root / "book").glob("*.ipynb")):
            notebook = nbformat.read(chapter, as_version=4)
            if any(EXERCISE.search(cell.source) for cell in notebook.cells):
                copied = convert(student_copy(notebook, chapter.stem), chapter.stem)
                nbformat.write(copied, folder / chapter.name)
                packed.write(folder / chapter.name, f"exercises/{chapter.name}")
    return folder / "exercises.zip"
