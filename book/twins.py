"""The plain twins of the chapters: notebooks without MyST, for JupyterLab, Colab and VS Code.

A twin has the cells of its chapter. Roles become words and links, captions stand below their figures, notes are quotes,
solutions are folded, and explorers are images until their cell runs. `write_all` writes all twins into a folder.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from pybtex.database import BibliographyData, Entry, parse_file
from pybtex.plugin import find_plugin

ROLE = re.compile(r"\{([\w:]+)\}`(?:([^`<]*?)\s*<([^`>]+)>|([^`]+))`")
FENCE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w-]+)\}[ ]*(?P<title>[^\n]*)\n(?P<body>.*?)^(?P=fence)[ ]*$",
    re.M | re.S,
)
OPTION = re.compile(r"^:(\w[\w-]*):[^\n]*\n", re.M)
LABEL = re.compile(r"^\(([\w-]+)\)=\n", re.M)
EQUATION = re.compile(
    r"^\$\$(?P<tex>.*?)\$\$[ ]*(?:\((?P<label>[\w-]+)\))?[ ]*$", re.M | re.S
)
ONLY_SITE = re.compile(r'<span class="gm-zip">.*?</span>', re.S)
SITE_LINK = re.compile(r'<a href="\.\./[^>]*>(.*?)</a>', re.S)
SECONDS = re.compile(r'\{\{ seconds\["([\w-]+)"\] \}\}')  # filled in by page.py too
ASSET = re.compile(r"\]\((assets/[^)]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.M)
SOLUTION = re.compile(
    r"^(`{3,}|:{3,})\{solution-(start|end)\}[^\n]*\n(?:.*?)^\1[ ]*$", re.M | re.S
)
LEFTOVER = re.compile(
    r"\{[a-z][\w:-]*\}`|^\s*(?:`{3,}|:{3,})\{|^\([\w-]+\)=$|^:[a-z-]+:", re.M
)


class Library:
    """What the chapters refer to: numbers of figures, equations and exercises, titles of pages, and the bibliography."""

    def __init__(self, book: Path) -> None:
        """Read all chapters and pages in the folder of the book."""
        self.notebooks = {
            path.stem: nbformat.read(path, as_version=4)
            for path in sorted(book.glob("*.ipynb"))
        }
        self.pages = {
            path.stem: path.read_text(encoding="utf-8")
            for path in sorted(book.glob("*.md"))
        }
        self.entries: BibliographyData = parse_file(str(book / "references.bib"))
        reports = [
            json.loads((book / name).read_text())["chapters"]
            for name in ("status.json", "report.json")  # the newer one last
            if (book / name).exists()
        ]
        self.seconds = {  # that each chapter ran
            name: chapter["seconds"]
            for chapters in reports
            for name, chapter in chapters.items()
            if "seconds" in chapter
        }
        self.titles: dict[str, str] = {}  # of pages, and of what has a label
        self.places: dict[str, tuple[str, str]] = {}  # label: page, and what it is
        for name, notebook in self.notebooks.items():
            self._index(name, notebook.cells)
        for name, text in self.pages.items():
            self._index(name, [new_markdown_cell(text)])

    def _index(self, name: str, cells: list[NotebookNode]) -> None:
        """Number the figures, equations and exercises of a chapter or page, in their order."""
        chapter = re.match(r"0?(\d+)", name)
        number = (
            (lambda count: f"{chapter[1]}.{count}")
            if chapter
            else (lambda count: f"{count}")
        )
        figures = equations = exercises = 0
        for cell in cells:
            options = cell.metadata.get("mystnb", {}).get("figure", {})
            if "name" in options:
                figures += 1
                self.places[options["name"]] = name, f"Fig. {number(figures)}"
            if cell.cell_type != "markdown":
                continue
            self._titles(name, cell.source)
            for equation in EQUATION.finditer(cell.source):
                if equation["label"]:
                    equations += 1
                    self.places[equation["label"]] = name, f"({number(equations)})"
            for block in FENCE.finditer(cell.source):
                if block["name"] == "figure":
                    figures += 1
                    if label := re.search(r"^:name: *(\S+)", block["body"], re.M):
                        self.places[label[1]] = name, f"Fig. {number(figures)}"
                if block["name"] == "exercise":
                    exercises += 1
                    if label := re.search(r"^:label: *(\S+)", block["body"], re.M):
                        self.places[label[1]] = name, f"Exercise {number(exercises)}"

    def _titles(self, name: str, text: str) -> None:
        """Store the title of a page, and of each heading that has a label."""
        if found := HEADING.search(text):
            self.titles.setdefault(name, found[1])
        for found in re.finditer(r"^\(([\w-]+)\)=\n+#+ (.+)$", text, re.M):
            self.places[found[1]] = name, found[2]

    def link(self, page: str, text: str, here: str) -> str:
        """Return a text that links to a page's twin, unless it is this page or has none."""
        if page == here:
            return text
        if page in self.notebooks:
            return f"[{text}]({page}.ipynb)"
        return f"[{text}]({page}.md)" if is_plain(self.pages.get(page, "")) else text

    def cite(self, key: str, textual: bool) -> str:
        """Return a citation, such as "Kingma and Welling (2014)", or with all in brackets."""
        entry = self.entries.entries[key]
        names = [" ".join(person.last_names) for person in entry.persons["author"]]
        who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
        year = entry.fields["year"]
        return f"{who} ({year})" if textual else f"{who}, {year}"

    def references(self, keys: list[str]) -> str:
        """Return a list of the cited works in Markdown, in the order of their authors."""
        style = find_plugin("pybtex.style.formatting", "plain")()
        backend = find_plugin("pybtex.backends", "markdown")()

        def first_author(entry: Entry) -> tuple[str, str]:
            return " ".join(entry.persons["author"][0].last_names), entry.fields["year"]

        entries = sorted((self.entries.entries[key] for key in keys), key=first_author)
        rendered = (
            entry.text.render(backend) for entry in style.format_entries(entries)
        )
        # the backend escapes every mark, which Markdown does not need within a line
        return "\n".join(
            "- " + re.sub(r"\\([.()-])", r"\1", " ".join(text.split()))
            for text in rendered
        )


def is_plain(page: str) -> bool:
    """Return whether a page can be written without Sphinx, which fills in documentation, included files and lists of works."""
    return bool(page) and not re.search(
        r"\{(eval-rst|include|bibliography|tableofcontents)\}", page
    )


class Writer:
    """Writes the Markdown of one page without MyST, and collects what it cites."""

    def __init__(self, library: Library, page: str) -> None:
        """Set what the page may refer to, and its name."""
        self.library = library
        self.page = page
        self.cited: list[str] = []

    def plain(self, text: str) -> str:
        """Return Markdown without roles, directives and labels."""
        text = SITE_LINK.sub(r"\1", ONLY_SITE.sub("", LABEL.sub("", text)))
        text = EQUATION.sub(self._equation, text)
        while (shorter := FENCE.sub(self._block, text)) != text:
            text = shorter
        text = ROLE.sub(self._role, text)
        text = SECONDS.sub(lambda name: f"{self.library.seconds[name[1]]:.0f}", text)
        return re.sub(r"\n{3,}", "\n\n", text).strip()

    def _equation(self, found: re.Match[str]) -> str:
        """Return an equation with its number."""
        if not found["label"]:
            return found[0]
        number = self.library.places[found["label"]][1].strip("()")
        return f"$$\n{found['tex'].strip()} \\tag{{{number}}}\n$$"

    def _block(self, found: re.Match[str]) -> str:
        """Return a directive as a quote or as a heading with a text."""
        body, title = OPTION.sub("", found["body"]).strip(), found["title"].strip()
        if found["name"] == "raw":  # HTML of a page
            return ""
        if found["name"] == "exercise":
            label = re.search(r"^:label: *(\S+)", found["body"], re.M)
            number = self.library.places[label[1]][1] if label else "Exercise"
            return f"**{number}. {title}**\n\n{body}"
        if found["name"] == "margin":
            return quoted(body)
        if found["name"] == "figure":
            alt = re.search(r"^:alt: *(.+)$", found["body"], re.M)
            return f"![{alt[1] if alt else ''}]({title})\n\n*{body}*"
        if found["name"] in (
            "admonition",
            "note",
            "tip",
            "warning",
            "important",
            "hint",
            "seealso",
        ):
            return quoted(f"**{title or found['name'].capitalize()}**\n\n{body}")
        return f"```{found['name']}\n{body}\n```"

    def _role(self, found: re.Match[str]) -> str:
        """Return a role as words, with a link where it leads to another page."""
        role, words, target = found[1], found[2], (found[3] or found[4]).strip()
        if role.startswith("cite"):
            keys = [key.strip() for key in target.split(",")]
            self.cited += [key for key in keys if key not in self.cited]
            cited = [self.library.cite(key, role == "cite:t") for key in keys]
            return ", ".join(cited) if role == "cite:t" else f"({'; '.join(cited)})"
        if role == "doc":
            page = target.removeprefix("/book/").removesuffix(".md")
            return self.library.link(
                page, words or self.library.titles[page], self.page
            )
        if role in ("ref", "numref", "eq"):
            page, name = self.library.places[target]
            return self.library.link(page, words or name, self.page)
        if role.startswith("py:"):
            return f"`{words or target.removeprefix('~gmlib.').removeprefix('~')}`"
        return f"`{words or target}`"


def install_cell(source: str) -> str:
    """Return the first cell of a twin, which installs gmlib where it is missing and lets Colab show widgets.

    Args:
        source: an address that pip installs from, or the name of a wheel that lies beside the notebook.

    Returns:
        The source of the cell.
    """
    wheel = source.endswith(".whl")
    wanted = f"./{source}[book]" if wheel else f"gmlib[book] @ {source}"
    missing = (
        f"""    from pathlib import Path

    if not Path("{source}").exists():
        raise FileNotFoundError("put {source}, from the folder notebooks of the book's site, beside this notebook")
"""
        if wheel
        else ""
    )
    return f"""import importlib.util
import sys

if importlib.util.find_spec("gmlib") is None:
{missing}    %pip install --quiet "{wanted}"
if "google.colab" in sys.modules:
    from google.colab import output

    output.enable_custom_widget_manager()"""


def quoted(text: str) -> str:
    """Return a text as a quote."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def twin(
    library: Library,
    name: str,
    install: str = "",
    notebook: NotebookNode | None = None,
) -> NotebookNode:
    """Return the plain twin of a chapter.

    Args:
        library: all that the chapters refer to.
        name: of the chapter, such as "02-vae".
        install: source of a first cell that installs gmlib where it is missing; empty for none.
        notebook: another version of the chapter, such as a student's copy; None takes the chapter as it is.

    Returns:
        The twin: a notebook of the same format, with the outputs that need neither a kernel nor a script.
    """
    writer, chapter = Writer(library, name), notebook or library.notebooks[name]
    cells = [new_code_cell(install, id="install-gmlib")] if install else []
    for cell in folded(chapter.cells, writer.plain):
        if cell.cell_type == "markdown":
            cells.append(new_markdown_cell(writer.plain(cell.source), id=cell.id))
            continue
        cells.append(without_scripts(cell, writer.plain))
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if "caption" in figure:
            number = library.places[figure["name"]][1]
            caption = f"*{number}.* {writer.plain(figure['caption'])}"
            cells.append(new_markdown_cell(caption, id=f"{cell.id[:50]}-caption"))
    if writer.cited:
        text = f"## References\n\n{library.references(writer.cited)}"
        cells.append(new_markdown_cell(text, id="references"))
    kept = ("kernelspec", "language_info", "gmlib")
    return nbformat.v4.new_notebook(
        cells=[cell for cell in cells if cell.source or "answer" in cell.id],
        metadata={
            key: chapter.metadata[key] for key in kept if key in chapter.metadata
        },
    )


def folded(
    cells: list[NotebookNode], plain: Callable[[str], str]
) -> Iterator[NotebookNode]:
    """Yield the cells of a chapter, each solution as one Markdown cell that is folded until the reader opens it."""
    solution: list[str] | None = None
    for cell in cells:
        if cell.cell_type == "code":
            if solution is None:
                yield cell
            else:
                solution.append(f"```python\n{cell.source}\n```")
            continue
        parts, position = [], 0
        for mark in SOLUTION.finditer(cell.source):
            parts += [(cell.source[position : mark.start()], mark[2])]
            position = mark.end()
        parts += [(cell.source[position:], "")]
        for number, (text, mark_name) in enumerate(parts):
            if solution is not None:
                solution.append(text.strip())
            elif text.strip():
                yield new_markdown_cell(
                    text.strip(), id=f"{cell.id[:55]}-{number}" if number else cell.id
                )
            if mark_name == "start":
                solution = []
            elif mark_name == "end" and solution is not None:
                inner = "\n\n".join(plain(part) for part in solution if part)
                html = (
                    f"<details>\n<summary>Solution</summary>\n\n{inner}\n\n</details>"
                )
                yield new_markdown_cell(html, id=f"{cell.id[:45]}-solution-{number}")
                solution = None


def without_scripts(cell: NotebookNode, plain: Callable[[str], str]) -> NotebookNode:
    """Return a code cell with outputs that need no script: a quiz loses its questions, an explorer is its image.

    A check of an exercise has no output either, since it would show the answer.
    """
    outputs, checks = [], "check" in cell.metadata.get("tags", [])
    for output in [] if checks else cell.get("outputs", []):
        data: dict[str, Any] = dict(output.get("data", {}))
        if "<script" in str(data.get("text/html", "")):
            del data["text/html"]
            if not any(kind.startswith("image/") for kind in data):
                continue
        if "text/markdown" in data:
            data["text/markdown"] = plain(data["text/markdown"])
        outputs.append(
            nbformat.from_dict({**output, **({"data": data} if data else {})})
        )
    kept = (
        {"jupyter": {"source_hidden": True}}
        if "hide-input" in cell.metadata.get("tags", [])
        else {}
    )
    tags = [
        tag
        for tag in cell.metadata.get("tags", [])
        if tag in ("parameters", "stub", "check")
    ]
    return new_code_cell(
        cell.source,
        id=cell.id,
        outputs=outputs,
        execution_count=cell.get("execution_count"),
        metadata=kept | ({"tags": tags} if tags else {}),
    )


def write_all(
    book: Path, folder: Path, install: str = "", *, overwrite: bool = True
) -> list[Path]:
    """Write the twins of all chapters, and the pages that they link to, into a folder.

    Args:
        book: the folder of the chapters.
        folder: where the twins go; it is made if it is missing.
        install: source of the first cell, see `twin`.
        overwrite: whether a file that is there already is written again.

    Returns:
        The files that were written.
    """
    library, written = Library(book), []
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        f"{name}.md": Writer(library, name).plain(text) + "\n"
        for name, text in library.pages.items()
        if is_plain(text)
    }
    texts |= {
        f"{name}.ipynb": nbformat.writes(twin(library, name, install)) + "\n"
        for name in library.notebooks
    }
    for name, text in texts.items():
        path = folder / name
        if overwrite or not path.exists():
            path.write_text(text, encoding="utf-8")
            written.append(path)
        for asset in ASSET.findall(text):
            (folder / asset).parent.mkdir(exist_ok=True)
            shutil.copy(book / asset, folder / asset)
    return written
