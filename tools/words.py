"""Find words to avoid in Markdown, Python files and chapters: `python -m tools.words`; the list is `tools/banned_words.toml`."""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("gmlib", "tests", "audit", "tools", "benchmarks", "book")  # whose Python files are checked


@dataclass(frozen=True)
class Banned:
    """A word to avoid."""

    pattern: re.Pattern[str]
    reason: str
    docstring: bool = False  # only at the beginning of a docstring


def read(path: Path) -> tuple[list[Banned], list[str], list[str]]:
    """Load the banned words, the chapters that are checked, and the files that are exempt."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    words = [
        Banned(
            re.compile(rf"\b{each['word']}\b", 0 if each.get("case") else re.IGNORECASE),
            each["reason"],
            each.get("docstring", False),
        )
        for each in content["banned"]
    ]
    return words, content["chapters"], content["exempt"]


def search(text: str, words: list[Banned], python: bool) -> Iterator[tuple[int, str, str]]:
    """Yield line, word and reason of each banned word in a text."""
    docstring_at, stored = (docstrings(text), evidence_lines(text)) if python else ({}, set())
    for number, line in enumerate(text.splitlines(), 1):
        if number in stored:
            continue
        for word in words:
            if not word.docstring:
                yield from ((number, match[0], word.reason) for match in word.pattern.finditer(line))
            elif number in docstring_at and (match := word.pattern.match(docstring_at[number])):
                yield number, match[0], word.reason


def docstrings(source: str) -> dict[int, str]:
    """Return the docstrings of a Python file, by the line where they begin."""
    by_line = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            by_line[node.body[0].lineno] = text
    return by_line


def evidence_lines(source: str) -> set[int]:
    """Return the lines of a Python file that are in calls of `Evidence`: their texts are stored in `audit/claims.json`."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return {
        line
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "Evidence"
        for line in range(call.lineno, (call.end_lineno or call.lineno) + 1)
    }


def markdown(notebook: str) -> Iterator[tuple[str, str]]:
    """Yield id and text of each Markdown cell of a chapter."""
    for cell in json.loads(notebook)["cells"]:
        if cell["cell_type"] == "markdown":
            yield cell["id"], "".join(cell["source"])


def main(root: Path = ROOT) -> int:
    """Print every banned word with its file, line and reason; return 1 if there is one."""
    words, chapters, exempt = read(root / "tools" / "banned_words.toml")
    files = [*sorted(root.glob("*.md")), *(path for name in FOLDERS for path in sorted((root / name).rglob("*.py")))]
    count = 0
    for path in files:
        if str(path.relative_to(root)) in exempt:
            continue
        for line, word, reason in search(path.read_text(encoding="utf-8"), words, path.suffix == ".py"):
            print(f"{path.relative_to(root)}:{line}: {word!r}: {reason}")
            count += 1
    for chapter in chapters:
        for cell, text in markdown((root / "book" / f"{chapter}.ipynb").read_text(encoding="utf-8")):
            for line, word, reason in search(text, words, python=False):
                print(f"book/{chapter}.ipynb, cell {cell}, line {line}: {word!r}: {reason}")
                count += 1
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
