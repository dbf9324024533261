"""Student's copies of the chapters, and how tests fill them in."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tests.book.loaded import loaded

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = [path for path in sorted((ROOT / "book").glob("*.ipynb")) if "{exercise}" in path.read_text()]
WITH_CHECKS = [path for path in CHAPTERS if '"check"' in path.read_text()]
copies = loaded("exercises")


def read(chapter: Path) -> tuple[NotebookNode, NotebookNode]:
    """Return a chapter and its student's copy."""
    notebook = nbformat.read(chapter, as_version=4)
    return notebook, copies.student_copy(notebook, chapter.stem)


def tagged(notebook: NotebookNode, tag: str) -> list[str]:
    """Return the sources of the cells that have a tag."""
    return [cell.source for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def with_solutions(student: NotebookNode, chapter: NotebookNode) -> NotebookNode:
    """Return a copy in which each stub is replaced by the solution that follows it in the chapter."""
    stub, solutions = "", {}
    for cell in chapter.cells:
        tags = cell.metadata.get("tags", [])
        stub = cell.source if "stub" in tags else stub
        if "solution" in tags and stub:
            solutions[stub], stub = cell.source, ""
    filled = nbformat.from_dict(student)
    for cell in filled.cells:
        cell.source = solutions.get(cell.source, cell.source)
    return filled
