"""Build the book: run the chapters, render the site, store outputs in the committed chapters, check these.

    python book/build.py execute              every chapter with papermill, in a copy: _build/executed
    python book/build.py render               that copy as a site: _build/html
    python book/build.py render --committed   the chapters as committed, not run again
    python book/build.py freeze               the copy's outputs back into the committed chapters
    python book/build.py hygiene              what a committed chapter must and must not hold
    python book/build.py notebooks            plain notebooks of the committed chapters: _build/notebooks
    python book/build.py exercises            the chapters without solutions, to hand out: _build/exercises
    python book/build.py lab                  a student's copies of these in lab, which are never overwritten

In messages a cell has the number that the reader sees: "code cell 3" is the one that shows `[3]`.
"""

import argparse
import copy
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbformat import NotebookNode
from nbformat.v4.rwbase import rejoin_lines

sys.path.insert(0, str(Path(__file__).parent))
import exercises
import twins

ROOT = Path(__file__).resolve().parent.parent
PROFILE = "quick"
KERNELS = 2  # chapters that run at the same time, with one thread each
TIMEOUT = 600  # seconds for one cell
MAX_BYTES = 1_500_000  # of a committed chapter
CHECKED_CELLS = 3  # smallest number of cells per chapter whose outputs nbval compares

# a rare failure (once in hundreds of starts), after which a chapter is started again once
NO_START = "Kernel died before replying to kernel_info"
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)
KERNEL = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # also if the shell sets another
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # else the debugger warns on stderr
}
# a reader's own settings, which would change outputs or print to stderr
READERS_VARIABLES = (
    "JUPYTER_CONFIG_PATH",
    "MATPLOTLIBRC",
    "PYTHONSTARTUP",
    "PYTHONWARNINGS",
)
BENCHMARKS = Path("benchmarks") / "results.json"  # chapters read it
PACKAGES = ("gmlib", "torch", "numpy", "matplotlib", "jupyter-book")

JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"  # it has no `python -m`
OFFLINE = "open-offline.zip"
OFFLINE_LINK = re.compile(r'(?<=<span class="gm-zip">).*?(?=</span>)', re.DOTALL)
IN_OFFLINE_COPY = "This is the copy for reading offline."
WIDGET = "application/vnd.jupyter.widget-view+json"
ADDRESS = re.compile(r"\b0x(?:7f[0-9a-f]{6,}|[0-9a-f]{9,16})\b")
ABSOLUTE_PATH = re.compile(
    r"(?<![\w.:/~-])(?:/(?:home|Users|root|tmp|private|var|opt|mnt|usr|work)/|[A-Z]:\\\w)[\w./\\-]*"
)


class BookError(Exception):
    """An error that is printed as one sentence: what is wrong, where, and what to do."""


# ---- execute ---------------------------------------------------------------------------------------------------


def environment(root: Path) -> dict[str, str]:
    """Return the environment variables of kernels: the same for every reader, with or without a home folder.

    Profiles, kernels and caches are those of `_build/home`. A reader's own IPython profile, matplotlib style or kernel
    named python3 thus changes no chapter.
    """
    home = root / "_build" / "home"
    kernel = home / "jupyter" / "kernels" / "python3"
    for folder in (home / "ipython", home / "matplotlib", kernel):
        folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    return {
        **{
            name: value
            for name, value in os.environ.items()
            if name not in READERS_VARIABLES
        },
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "jupyter"),
        "JUPYTER_DATA_DIR": str(home / "jupyter"),
        "JUPYTER_PATH": str(home / "jupyter"),  # searched first
        "JUPYTER_RUNTIME_DIR": str(home / "jupyter" / "runtime"),
        "MPLCONFIGDIR": str(home / "matplotlib"),
        **KERNEL,
    }


def list_fonts(root: Path) -> None:
    """Build matplotlib's list of fonts before a chapter needs it: if that takes long, matplotlib prints a line on stderr."""
    subprocess.run(
        [sys.executable, "-c", "import matplotlib.font_manager"],
        env=environment(root) | {"MPLBACKEND": "agg"},
        capture_output=True,
    )


def stage(root: Path, folder: Path, skip: str = "") -> None:
    """Copy the configuration, the table of contents, the tree of `book/` and what `make bench` measured into `folder`."""
    ignore = shutil.ignore_patterns(
        "__pycache__", ".ipynb_checkpoints", "build.py", "conftest.py", skip
    )
    shutil.copytree(root / "book", folder / "book", ignore=ignore, dirs_exist_ok=True)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(root / name, folder / name)
    if (root / BENCHMARKS).exists():
        (folder / BENCHMARKS).parent.mkdir(exist_ok=True)
        shutil.copy(root / BENCHMARKS, folder / BENCHMARKS)


def execute(root: Path) -> None:
    """Run every chapter in `_build/executed`, the longest first, and write `_build/report.json`."""
    folder = root / "_build" / "executed"
    shutil.rmtree(folder, ignore_errors=True)
    stage(root, folder)
    list_fonts(root)
    seconds = earlier_seconds(root)
    report: dict[str, Any] = {
        "chapters": {chapter.stem: {"status": "not run"} for chapter in chapters(root)}
    }
    report |= {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "versions": versions(),
    }
    failures = []
    pool = ThreadPoolExecutor(KERNELS)
    try:
        longest_first = sorted(
            chapters(root), key=lambda c: -seconds.get(c.stem, math.inf)
        )
        running = {
            pool.submit(run, c, folder / "book" / c.name, root): c.stem
            for c in longest_first
        }
        for done in as_completed(running):
            if done.cancelled():
                continue
            report["chapters"][running[done]] = result = done.result()
            if result["status"] == "failed":
                failures.append(result["error"])
                for each in running:
                    each.cancel()
    finally:
        pool.shutdown(cancel_futures=True)
        (root / "_build" / "report.json").write_text(
            json.dumps(report, indent=2) + "\n"
        )
    if failures:
        raise BookError("\n".join(failures))


def run(chapter: Path, copy_path: Path, root: Path) -> dict[str, Any]:
    """Run one chapter with papermill, in a separate process; return its entry of the report."""
    committed = nbformat.read(chapter, as_version=4)
    print_line(f"{chapter.stem}: started, {len(code_cells(committed))} code cells")
    start = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(chapter),
        str(copy_path),
        "-p",
        "profile",
        PROFILE,
    ]
    command += [
        "--kernel",
        "python3",
        "--language",
        "python",
        "--no-progress-bar",
        "--execution-timeout",
        str(TIMEOUT),
    ]
    for _ in range(2):
        process = subprocess.run(
            command,
            cwd=copy_path.parent,
            env=environment(root) | ONE_THREAD,
            capture_output=True,
            text=True,
        )
        if NO_START not in process.stderr:
            break
    seconds = round(time.perf_counter() - start, 1)
    result = nbformat.read(copy_path, as_version=4)
    error = failure(committed, result, process)
    if error:
        print_line(f"{chapter.stem}: failed after {seconds} s")
        kept = copy_path.relative_to(root)
        return {
            "status": "failed",
            "seconds": seconds,
            "error": f"{chapter.stem}: {error.rstrip('.')}. The broken copy: {kept}",
        }
    nbformat.write(merge(committed, result, chapter.name, root), copy_path)
    print_line(f"{chapter.stem}: done in {seconds} s")
    for text in written_to_stderr(result):
        print_line(f"{chapter.stem}: left out of the page, a line on stderr: {text}")
    return {"status": "ok", "seconds": seconds}


def written_to_stderr(ran: NotebookNode) -> list[str]:
    """Return what an executed chapter wrote to stderr, which its page does not show and `freeze` refuses."""
    outputs = [output for cell in code_cells(ran) for output in cell.outputs]
    return [last_line(o.text) for o in outputs if o.get("name") == "stderr"]


def failure(
    committed: NotebookNode,
    ran: NotebookNode,
    process: subprocess.CompletedProcess[str],
) -> str:
    """Return where and why an executed chapter failed; empty if it did not.

    The exit status of papermill is not enough: it is also 1 if a cell tagged `raises-exception` raised.
    """
    results = {cell.id: cell for cell in ran.cells}
    last = "did not start"
    for number, cell in enumerate(code_cells(committed), 1):
        result = results.get(cell.id, cell)
        errors = [
            output
            for output in result.get("outputs", [])
            if output.output_type == "error"
        ]
        if errors and "raises-exception" not in tags(cell):
            reason = f"failed with {errors[0].ename}: {errors[0].evalue}"
            if errors[0].ename == "KeyboardInterrupt":
                reason = f"was interrupted, or did not finish in {TIMEOUT} s"
            return f"code cell {number} ({cell.id}) {reason}"
        if result.metadata.get("papermill", {}).get("duration") is not None:
            last = f"code cell {number} ({cell.id}) did not finish"
    if (
        process.returncode and "PapermillExecutionError" not in process.stderr
    ):  # that one is a cell's own error
        return f"{last}: {last_line(process.stderr)}"
    return ""


def merge(
    committed: NotebookNode, ran: NotebookNode, name: str, root: Path
) -> NotebookNode:
    """Return a committed chapter with the outputs of its executed copy, matched by cell id.

    What differs between runs or machines is removed: papermill's own cell and metadata, the kernel's name and version,
    widget views and their state, the repository's path, memory addresses.
    """
    merged = copy.deepcopy(committed)
    results = {cell.id: cell for cell in ran.cells}
    for number, cell in enumerate(code_cells(merged), 1):
        result = results.get(cell.id)
        if result is None or result.source != cell.source:
            raise BookError(
                f"book/{name}: code cell {number} ({cell.id}) changed since the chapter was run: `make book`"
            )
        cell.execution_count = number if result.execution_count else None
        cell.outputs = [tidy(output, root) for output in result.outputs]
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET, None)
            if "execution_count" in output:
                output.execution_count = number
        cell.outputs = [output for output in cell.outputs if output.get("data") != {}]
    for cell in merged.cells:
        for key in ("papermill", "execution", "collapsed", "scrolled"):
            cell.metadata.pop(key, None)
    for key in ("papermill", "widgets"):
        merged.metadata.pop(key, None)
    merged.metadata.kernelspec = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    merged.metadata.language_info = {"name": "python", "pygments_lexer": "ipython3"}
    return merged


def tidy(value: Any, root: Path) -> Any:
    """Return an output without the repository's path and memory addresses."""
    if isinstance(value, str):
        for path in (root / "_build" / "executed", root):
            value = value.replace(f"{path}{os.sep}", "")
        return ADDRESS.sub("0x...", value)
    if isinstance(value, list):
        return [tidy(part, root) for part in value]
    if isinstance(value, dict):
        parts = {
            key: part if key.startswith("image/") else tidy(part, root)
            for key, part in value.items()
        }
        return nbformat.from_dict(parts)
    return value


# ---- render ----------------------------------------------------------------------------------------------------


def render(root: Path, committed: bool = False) -> None:
    """Render `_build/html`; every warning is an error.

    Prose, captions and configuration are those of the committed files: only changed code requires another run.
    """
    folder = root / "_build" / ("committed" if committed else "executed")
    report = (
        root / "book" / "status.json" if committed else root / "_build" / "report.json"
    )
    if not report.exists():
        command = "make update" if committed else "make book"
        raise BookError(
            f"There is no {report.relative_to(root)}: `{command}` writes it."
        )
    if committed:
        shutil.rmtree(folder, ignore_errors=True)
        stage(root, folder)
    else:
        stage(root, folder, skip="*.ipynb")
        for chapter in chapters(root):
            nbformat.write(executed(chapter, root), folder / "book" / chapter.name)
    shutil.copy(report, folder / "book" / "report.json")
    (folder / "book" / "status-table.md").write_text(
        status_table(json.loads(report.read_text()))
    )
    write_hero(root, folder / "book" / "hero.html")
    shutil.rmtree(root / "_build" / "html", ignore_errors=True)
    print_line("rendering the site")
    build = [
        sys.executable,
        "-c",
        JUPYTER_BOOK,
        "build",
        str(folder),
        "--path-output",
        str(root),
    ]
    options = ["-W", "-n", "--keep-going", "-q"]
    if subprocess.run([*build, *options], env=environment(root)).returncode:
        raise BookError(
            "The site was not rendered cleanly: see the warnings above, each one counts as an error."
        )
    site = root / "_build" / "html"
    written = notebooks(root, folder / "book", site / "notebooks")
    students_copies(root, site / "exercises")
    for twin in written:  # the download button of a page serves its twin
        if twin.suffix == ".ipynb":
            shutil.copy(twin, site / "_sources" / "book" / twin.name)
    write_sources_as_scripts(site)
    pack(site)
    print_line("the book is ready: open _build/html/index.html")


def write_sources_as_scripts(site: Path) -> None:
    """Write each page's source also as a script, for `save.js`: a page that is opened from disk may not read other files."""
    for source in (site / "_sources").rglob("*"):
        if source.is_file() and source.suffix != ".js":
            text = json.dumps(source.read_text(encoding="utf-8"))
            source.with_name(f"{source.name}.js").write_text(f"gmSave({text});\n")


def write_hero(root: Path, target: Path) -> None:
    """Write the explorer and the samples of the first page, in a process with the environment of the chapters."""
    print_line("drawing samples for the first page")
    command = [sys.executable, str(root / "book" / "door.py"), str(target)]
    written = subprocess.run(
        command,
        env=environment(root) | ONE_THREAD | {"MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
    )
    if written.returncode:
        raise BookError(
            f"The explorer and the samples of the first page were not made: {last_line(written.stderr)}"
        )


def notebooks(root: Path, book: Path, folder: Path) -> list[Path]:
    """Write the plain twins of the chapters into a folder, and the wheel that they install if the repository has no address."""
    url = repository_address(root)
    install = twins.install_cell(f"git+{url}" if url else wheel(root, folder))
    written = twins.write_all(book, folder, install)
    print_line(
        f"{len(written)} plain notebooks and pages in {folder.relative_to(root)}"
    )
    return written


def wheel(root: Path, folder: Path) -> str:
    """Build gmlib's wheel of a copy of its files, put it into a folder, and return its name."""
    folder.mkdir(parents=True, exist_ok=True)
    program = "from setuptools.build_meta import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
    with tempfile.TemporaryDirectory() as copied:
        for name in ("gmlib", "audit"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(root / name, Path(copied) / name, ignore=ignored)
        for name in ("gmlib_cli.py", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(root / name, copied)
        built = subprocess.run(
            [sys.executable, "-c", program, str(folder.resolve())],
            cwd=copied,
            capture_output=True,
            text=True,
        )
    if built.returncode:
        raise BookError(f"The wheel was not built: {last_line(built.stderr)}")
    return last_line(built.stdout)


def students_copies(root: Path, folder: Path | None = None) -> None:
    """Write the chapters without solutions, as plain notebooks, and a zip file of them all, into `_build/exercises` or another folder."""
    library, url = twins.Library(root / "book"), repository_address(root)
    install = twins.install_cell(f"git+{url}") if url else ""
    packed = exercises.write_all(
        root,
        folder or root / "_build" / "exercises",
        lambda notebook, name: twins.twin(library, name, install, notebook),
    )
    count = len(zipfile.ZipFile(packed).namelist())
    print_line(
        f"{count} notebooks without solutions, and {packed.relative_to(root)} with all of them"
    )


def lab(root: Path) -> None:
    """Write a student's copies of the twins into `lab`; a copy that is there already is left as it is."""
    written = twins.write_all(root / "book", root / "lab", overwrite=False)
    print_line(f"lab: {len(written)} new copies; yours are left as they are")


def pack(site: Path) -> Path:
    """Write the rendered site into a zip file for reading offline."""
    target = site / OFFLINE
    target.unlink(missing_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(site.rglob("*")):
            name = Path(OFFLINE).stem / file.relative_to(site)
            if file == target or file.is_dir() or file.suffix == ".whl":
                continue
            if file.suffix == ".html":
                packed.writestr(
                    str(name),
                    OFFLINE_LINK.sub(IN_OFFLINE_COPY, file.read_text(encoding="utf-8")),
                )
            else:
                packed.write(file, name)
    return target


def status_table(report: dict[str, Any]) -> str:
    """Return the status page's table: one row per chapter."""
    with_versions = ", ".join(
        f"{name} {version}" for name, version in report["versions"].items()
    )
    lines = [
        f"Run on {report['date']} on {report['machine']}, with {with_versions}.",
        "",
    ]
    lines += ["| chapter | status | seconds |", "|---|---|---:|"]
    for name, chapter in report["chapters"].items():
        lines.append(
            f"| {{doc}}`{name}` | {chapter['status']} | {chapter.get('seconds', '')} |"
        )
    return "\n".join(lines) + "\n"


# ---- freeze and hygiene ----------------------------------------------------------------------------------------


def freeze(root: Path) -> None:
    """Write the outputs of `_build/executed` into the committed chapters, and the report into `book/status.json`."""
    frozen = {
        chapter: nbformat.writes(executed(chapter, root)) + "\n"
        for chapter in chapters(root)
    }
    problems = [
        fault for c, text in frozen.items() for fault in faults(text, f"book/{c.name}")
    ]
    if problems:
        raise BookError("\n".join([*problems, "Nothing was frozen."]))
    report = (root / "_build" / "report.json").read_text(encoding="utf-8")
    replace_all({**frozen, root / "book" / "status.json": report})
    print_line(f"froze {len(frozen)} chapters")


def replace_all(texts: dict[Path, str]) -> None:
    """Write several files, all or none: if the disk is full or Ctrl-C is pressed, the earlier ones remain."""
    new = {path: path.with_name(f".{path.name}.new") for path in texts}
    try:
        for path, text in texts.items():
            new[path].write_text(text, encoding="utf-8")
        for path, temporary in new.items():
            os.replace(temporary, path)
    finally:
        for temporary in new.values():
            temporary.unlink(missing_ok=True)


def hygiene(root: Path) -> None:
    """Check every committed chapter."""
    problems = [
        f
        for c in chapters(root)
        for f in faults(c.read_text(encoding="utf-8"), f"book/{c.name}")
    ]
    if problems:
        raise BookError("\n".join(problems))
    print_line(f"{len(chapters(root))} chapters are clean")


def faults(text: str, name: str) -> Iterator[str]:
    """Yield the faults of a committed chapter."""
    notebook = rejoin_lines(nbformat.from_dict(json.loads(text)))
    if len(text.encode()) > MAX_BYTES:
        yield f"{name}: {len(text.encode()):,} bytes; at most {MAX_BYTES:,}: smaller or fewer figures"
    if "widgets" in notebook.metadata:
        yield f"{name}: holds widget state (metadata.widgets): `make update` drops it"
    if not any("parameters" in tags(cell) for cell in notebook.cells):
        yield f"{name}: no cell is tagged `parameters`: tag the one that sets profile and seed"
    checked = sum("nbval-check-output" in tags(cell) for cell in notebook.cells)
    if checked < CHECKED_CELLS:
        yield f"{name}: {checked} cells are tagged `nbval-check-output`; at least {CHECKED_CELLS} must be"
    for cell_id, count in Counter(cell.get("id") for cell in notebook.cells).items():
        if cell_id is None:
            yield f"{name}: {count} cells have no id: save the chapter as notebook format 4.5"
        elif count > 1:
            yield f"{name}: {count} cells have the id {cell_id}: each needs its own"
    number = 0
    for position, cell in enumerate(notebook.cells, 1):
        number += cell.cell_type == "code"
        where = (
            f"code cell {number}"
            if cell.cell_type == "code"
            else f"{cell.cell_type} cell {position}"
        )
        for fault in cell_faults(cell):
            yield f"{name}, {where} ({cell.get('id')}): {fault}"


def cell_faults(cell: NotebookNode) -> Iterator[str]:
    """Yield the faults of one cell."""
    outputs = cell.get("outputs", [])
    data = [output.get("data", {}) for output in outputs]
    words = [cell.source, *(words for output in outputs for words in strings(output))]
    if path := next(
        (found[0] for text in words if (found := ABSOLUTE_PATH.search(text))), None
    ):
        yield f"holds the absolute path {path}: make it relative"
    if address := next(
        (found[0] for text in words if (found := ADDRESS.search(text))), None
    ):
        yield f"holds the memory address {address}: give the object a repr, or `make update`"
    if cell.cell_type != "code":
        return
    if (
        cell.source.strip()
        and not cell.get("execution_count")
        and "nbval-skip" not in tags(cell)
    ):
        yield "was not run: `make update`, or tag it `nbval-skip`"
    if any(
        output.output_type == "error" for output in outputs
    ) and "raises-exception" not in tags(cell):
        yield "holds an error: repair it, or tag it `raises-exception`"
    if any(output.get("name") == "stderr" for output in outputs):
        yield "wrote to stderr: a chapter shows no warnings and no progress bars"
    if "check" in tags(cell) and any(": wrong." in text for text in strings(outputs)):
        yield "holds a wrong check: correct the solution, or its reference in gmlib/exercises.py"
    if any(WIDGET in part for part in data):
        yield "holds a widget view, dead in the page: `make update` drops it"
    if re.search(r"tqdm\.(notebook|auto)", cell.source):
        yield "uses tqdm.notebook or tqdm.auto, dead in the page: use plain tqdm, or a table"
    figures = sum(any(kind.startswith("image/") for kind in part) for part in data)
    options = cell.metadata.get("mystnb", {})
    figure, image = options.get("figure", {}), options.get("image", {})
    if figures and not (
        figure.get("name") and figure.get("caption") and image.get("alt")
    ):
        yield "shows a figure without name, caption or alt text: set mystnb.figure.name, .caption and mystnb.image.alt"
    if figures > 1:
        yield f"shows {figures} figures: one per cell, so that each has its caption"


def strings(output: Any) -> Iterator[str]:
    """Yield the texts of an output."""
    if isinstance(output, str):
        yield output
    elif isinstance(output, list):
        for part in output:
            yield from strings(part)
    elif isinstance(output, dict):
        for key, part in output.items():
            if not key.startswith("image/"):
                yield from strings(part)


# ---- helpers ---------------------------------------------------------------------------------------------------


def chapters(root: Path) -> list[Path]:
    """Return the committed chapters."""
    return sorted((root / "book").glob("*.ipynb"))


def executed(chapter: Path, root: Path) -> NotebookNode:
    """Return a committed chapter with the outputs of the last run."""
    report = root / "_build" / "report.json"
    results = json.loads(report.read_text())["chapters"] if report.exists() else {}
    status = results.get(chapter.stem, {"status": "not run"})["status"]
    if status != "ok":
        raise BookError(
            f"book/{chapter.name}: {status} in the last run: `python book/build.py execute` first."
        )
    copy_path = root / "_build" / "executed" / "book" / chapter.name
    return merge(
        nbformat.read(chapter, as_version=4),
        nbformat.read(copy_path, as_version=4),
        chapter.name,
        root,
    )


def repository_address(root: Path) -> str:
    """Return the repository's address, from `_config.yml`."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8")) or {}
    return str(config.get("repository", {}).get("url") or "")


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return a notebook's code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: NotebookNode) -> list[str]:
    """Return a cell's tags."""
    return list(cell.metadata.get("tags", []))


def earlier_seconds(root: Path) -> dict[str, float]:
    """Return the seconds that each chapter took when it was last frozen."""
    path = root / "book" / "status.json"
    chapters = json.loads(path.read_text())["chapters"] if path.exists() else {}
    return {
        name: chapter["seconds"]
        for name, chapter in chapters.items()
        if "seconds" in chapter
    }


def machine() -> str:
    """Return a description of this machine without its name."""
    return f"{os.cpu_count()} CPU cores, {platform.system()} {platform.machine()}"


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    installed = {
        d.metadata["Name"].lower(): d.version for d in metadata.distributions()
    }
    return {"Python": platform.python_version()} | {
        name: installed[name] for name in PACKAGES if name in installed
    }


def last_line(text: str) -> str:
    """Return the last line that is not blank."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "papermill printed nothing"


def print_line(text: str) -> None:
    """Print a line at once; two threads do not mix their lines."""
    sys.stdout.write(f"book: {text}\n")
    sys.stdout.flush()


COMMANDS = {
    "execute": execute,
    "freeze": freeze,
    "hygiene": hygiene,
    "lab": lab,
    "exercises": students_copies,
}


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run one command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=[*COMMANDS, "render", "notebooks"])
    parser.add_argument(
        "--committed", action="store_true", help="render the chapters as committed"
    )
    options = parser.parse_args(arguments)
    try:
        if options.command == "render":
            render(root, options.committed)
        elif options.command == "notebooks":
            notebooks(root, root / "book", root / "_build" / "notebooks")
        else:
            COMMANDS[options.command](root)
    except BookError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. The committed chapters are as they were.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
