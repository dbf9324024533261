"""The check of banned words: where it looks, and what it leaves out."""

from pathlib import Path

from tools import words

ROOT = Path(__file__).resolve().parents[1]
SOURCE = '''"""Give a number upon a number."""
x = 1  # say nothing, lest it fail
y = Evidence(because="whatever it is")


def f():
    """Say nothing."""
    return y is None
'''


def found(source: str, python: bool = True) -> list[tuple[int, str]]:
    banned, _, _ = words.read(ROOT / "tools" / "banned_words.toml")
    return sorted((line, word) for line, word, reason in words.search(source, banned, python) if reason)


def test_words_and_first_words_of_docstrings_are_found_but_no_stored_text():
    assert found(SOURCE) == [(1, "Give"), (1, "upon"), (2, "lest"), (7, "Say")]
    assert found("Say it.\nIt hangs on the seed.", python=False) == [(2, "hangs on")]


def test_files_folders_and_chapters_are_checked(tmp_path, capsys):
    for folder in ("gmlib", "tools", "book"):
        (tmp_path / folder).mkdir()
    (tmp_path / "README.md").write_text("Fine.\nDear weights.\n")
    (tmp_path / "gmlib" / "a.py").write_text(SOURCE)
    banned = (ROOT / "tools" / "banned_words.toml").read_text().replace("chapters = []", 'chapters = ["01-a"]')
    (tmp_path / "tools" / "banned_words.toml").write_text(banned)
    cell = '{"cell_type": "%s", "id": "c", "source": ["Fine.\\n", "lest"]}'
    (tmp_path / "book" / "01-a.ipynb").write_text(f'{{"cells": [{cell % "code"}, {cell % "markdown"}]}}')
    assert words.main(tmp_path) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["README.md:2", "'Dear'"],
        ["gmlib/a.py:1", "'Give'"],
        ["gmlib/a.py:1", "'upon'"],
        ["gmlib/a.py:2", "'lest'"],
        ["gmlib/a.py:7", "'Say'"],
        ["book/01-a.ipynb, cell c, line 2", "'lest'"],
    ]
    for path in ("README.md", "gmlib/a.py", "book/01-a.ipynb"):
        (tmp_path / path).unlink()
    (tmp_path / "tools" / "banned_words.toml").write_text(
        'chapters = []\nexempt = []\n[[banned]]\nword = "lest"\nreason = "rare"\n'
    )
    assert words.main(tmp_path) == 0
