"""The plain twins of the chapters: no MyST is left in them, and nothing is lost."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.book.loaded import BOOK, loaded

twins = loaded("twins")

BIB = """
@article{one, author={Ann Lee}, title={First}, journal={J}, year=2001}
@article{two, author={Ann Lee and Bo Ek}, title={Second}, journal={J}, year=2002}
@article{three, author={Cy Yu and Ann Lee and Bo Ek}, title={Third}, journal={J}, year=2003}
"""
FIRST = """\
(chapter-first)=
# A first chapter

See {doc}`02-second`, {doc}`the page <page>`, {ref}`a part <part-known>`, {numref}`fig-there` and {eq}`eq-here`,
by {cite:t}`one` or others {cite:p}`two,three`; {py:func}`~gmlib.metrics.fid`.

$$x < 1$$ (eq-here)

```{margin}
A note with $a$ {cite:p}`one`.
```

````{admonition} Careful
:class: warning

Inside, {eq}`eq-there`.
````
"""
EXERCISES = """\
```{exercise} Try it
:label: ex-try

What is {eq}`eq-here`?
```

````{solution-start} ex-try
:class: dropdown
````
Before {numref}`fig-there`.
"""
AFTER = """\
After.

````{solution-end}
````

The end.
"""
SECOND = "# A second chapter\n\n(part-known)=\n## A part\n\n$$\ny\n$$ (eq-there)\n\nLook at {numref}`fig-there`."


@pytest.fixture
def book(tmp_path):
    """A book of two chapters and a page."""
    figure = {"mystnb": {"figure": {"name": "fig-there", "caption": "As {eq}`eq-here` says."}, "image": {"alt": "."}}}
    image = new_output("execute_result", {"image/png": "iVBO", "text/html": "<script>1</script>", "text/plain": "f"})
    words = new_output("display_data", {"text/markdown": "by {cite:p}`one`", "text/plain": "t"})
    quiz = new_output("execute_result", {"text/html": "<figure><script>2</script></figure>", "text/plain": "Quiz"})
    first = [
        new_markdown_cell(FIRST, id="title"),
        new_code_cell("a = 1", id="settings", metadata={"tags": ["parameters"]}),
        new_code_cell("show()", id="words", outputs=[words], metadata={"tags": ["hide-input"]}),
        new_markdown_cell(EXERCISES, id="exercise"),
        new_code_cell("print('secret')", id="code", metadata={"tags": ["solution"]}),
        new_markdown_cell(AFTER, id="after"),
        new_code_cell("quiz()", id="quiz", outputs=[quiz]),
    ]
    second = [new_markdown_cell(SECOND, id="text"), new_code_cell("f()", id="fig", outputs=[image], metadata=figure)]
    for name, cells in (("01-first", first), ("02-second", second)):
        nbformat.write(new_notebook(cells=cells), tmp_path / f"{name}.ipynb")
    (tmp_path / "page.md").write_text("# The page\n\n{doc}`01-first`\n\n![a](assets/a.svg)\n")
    (tmp_path / "door.md").write_text(
        '# A door\n\n```{raw} html\n:file: hero.html\n```\n\n| {doc}`01-first` | {{ seconds["01-first"] }} s |\n'
    )
    for name, seconds in (("status", 5), ("report", 61.6)):
        (tmp_path / f"{name}.json").write_text(
            f'{{"chapters": {{"01-first": {{"seconds": {seconds}}}, "02-second": {{}}}}}}'
        )
    (tmp_path / "list.md").write_text("# Works\n\n```{bibliography}\n```\n")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a.svg").write_text("<svg/>")
    (tmp_path / "references.bib").write_text(BIB)
    return tmp_path


def sources(notebook) -> dict[str, str]:
    return {cell.id: cell.source for cell in notebook.cells}


def test_roles_become_words_and_links(book):
    text = sources(twins.twin(twins.Library(book), "01-first"))["title"]
    assert text.startswith("# A first chapter\n")
    assert "See [A second chapter](02-second.ipynb), [the page](page.md), [a part](02-second.ipynb)" in text
    assert "[Fig. 2.1](02-second.ipynb) and (1.1)" in text
    assert "by Lee (2001) or others (Lee and Ek, 2002; Yu et al., 2003); `metrics.fid`." in text
    assert "$$\nx < 1 \\tag{1.1}\n$$" in text
    assert "> A note with $a$ (Lee, 2001)." in text
    assert "> **Careful**\n>\n> Inside, [(2.1)](02-second.ipynb)." in text


def test_a_page_loses_its_html_and_states_the_seconds_of_the_last_run(book):
    library = twins.Library(book)
    text = twins.Writer(library, "door").plain(library.pages["door"])
    assert text == "# A door\n\n| [A first chapter](01-first.ipynb) | 62 s |"
    (book / "report.json").unlink()
    assert "| 5 s |" in twins.Writer(twins.Library(book), "door").plain(library.pages["door"])


def test_cited_works_are_listed_in_the_order_of_their_authors(book):
    last = twins.twin(twins.Library(book), "01-first").cells[-1].source.splitlines()
    assert last[0] == "## References"
    assert [re.search(r"First|Second|Third", line)[0] for line in last[2:]] == ["First", "Second", "Third"]
    assert sources(twins.twin(twins.Library(book), "02-second")).keys() == {"text", "fig", "fig-caption"}


def test_a_solution_is_one_folded_cell_and_its_code_is_in_no_other(book):
    notebook = twins.twin(twins.Library(book), "01-first")
    holding = [cell for cell in notebook.cells if "secret" in cell.source]
    assert [cell.cell_type for cell in holding] == ["markdown"]
    assert holding[0].source == (
        "<details>\n<summary>Solution</summary>\n\nBefore [Fig. 2.1](02-second.ipynb).\n\n"
        "```python\nprint('secret')\n```\n\nAfter.\n\n</details>"
    )
    texts = [cell.source for cell in notebook.cells]
    assert "**Exercise 1.1. Try it**\n\nWhat is (1.1)?" in texts
    assert texts[texts.index(holding[0].source) + 1] == "The end."


def test_captions_stand_below_their_figures_and_outputs_need_no_script(book):
    library = twins.Library(book)
    figure, caption = twins.twin(library, "02-second").cells[1:3]
    assert caption.source == "*Fig. 2.1.* As [(1.1)](01-first.ipynb) says."
    assert figure.outputs[0].data == {"image/png": "iVBO", "text/plain": "f"}
    first = {cell.id: cell for cell in twins.twin(library, "01-first").cells}
    assert first["quiz"].outputs == []
    assert first["words"].outputs[0].data["text/markdown"] == "by (Lee, 2001)"
    assert first["words"].metadata == {"jupyter": {"source_hidden": True}}
    assert first["settings"].metadata == {"tags": ["parameters"]}


def test_pages_and_what_they_show_are_written_and_nothing_is_overwritten_unasked(book, tmp_path):
    folder = tmp_path / "twins"
    assert {path.name for path in twins.write_all(book, folder)} == {
        *("01-first.ipynb", "02-second.ipynb", "door.md", "page.md")
    }
    assert (folder / "page.md").read_text() == "# The page\n\n[A first chapter](01-first.ipynb)\n\n![a](assets/a.svg)\n"
    assert (folder / "assets" / "a.svg").exists()
    (folder / "page.md").write_text("mine")
    (folder / "01-first.ipynb").unlink()
    assert [path.name for path in twins.write_all(book, folder, overwrite=False)] == ["01-first.ipynb"]
    assert (folder / "page.md").read_text() == "mine"


@pytest.mark.parametrize("source", ["git+https://example.org/a/b", "gmlib-2.0-py3-none-any.whl"])
def test_the_first_cell_installs_gmlib_and_lets_colab_show_widgets(book, source):
    first = twins.twin(twins.Library(book), "02-second", twins.install_cell(source)).cells[0]
    code = re.sub(r"^( *)%pip install --quiet (.*)$", r"\1pip(\2)", first.source, flags=re.M)
    asked, there = [], {"sys": __import__("sys")}
    exec(compile(code, "cell", "exec"), there | {"pip": asked.append})  # gmlib is here: nothing is installed
    assert asked == []
    code = code.replace('find_spec("gmlib")', 'find_spec("gmlib_that_is_missing")')
    if source.endswith(".whl"):
        with pytest.raises(FileNotFoundError, match="beside this notebook"):
            exec(compile(code, "cell", "exec"), {"pip": asked.append})
    else:
        exec(compile(code, "cell", "exec"), {"pip": asked.append})
        assert asked == [f"gmlib[book] @ {source}"]
    assert "enable_custom_widget_manager()" in code


def test_no_chapter_and_no_page_leaves_a_role_or_a_directive(tmp_path):
    """Also not in what a cell has written, and no answer of a quiz and no script is in any of them."""
    for path in twins.write_all(BOOK, tmp_path):
        texts = [path.read_text(encoding="utf-8")]
        if path.suffix == ".ipynb":
            assert "<script" not in texts[0]
            cells = nbformat.read(path, as_version=4).cells
            texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
            outputs = (output for cell in cells for output in cell.get("outputs", []))
            texts += [output.data["text/markdown"] for output in outputs if "text/markdown" in output.get("data", {})]
            answering = [
                cell for cell in cells if re.search(r"\b(quiz|check)\(", cell.source) and cell.cell_type == "code"
            ]
            assert answering or path.stem in ("recipes", "speed")
            assert not [cell for cell in answering if cell.outputs]
        for text in texts:
            left = twins.LEFTOVER.search(text)
            assert not left, f"{path.name}: {text[left.start() : left.start() + 60]!r}"
