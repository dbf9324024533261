"""Running, checking and packing chapters, on small notebooks; and the files that the build relies on."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.book.loaded import loaded

ROOT = Path(__file__).resolve().parents[2]
WIDGET = "application/vnd.jupyter.widget-view+json"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

build = loaded("build")


def chapter(*sources: str, checked: int = 3) -> NotebookNode:
    """Make a clean, executed chapter: parameters, then the given cells, of which the last few are checked."""
    cells = [new_markdown_cell("# Title"), new_code_cell('profile = "quick"', metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(source, metadata={"tags": ["nbval-check-output"]}) for source in ("1", "2", "3")[:checked]]
    cells += [new_code_cell(source) for source in sources]
    for number, cell in enumerate(cells):
        cell["id"] = f"c{number}"
        if cell.cell_type == "code":
            cell.execution_count = number
    return new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})


@pytest.fixture
def repository(tmp_path: Path) -> Callable[..., Path]:
    """Lay out a repository that holds the given chapters."""

    def lay_out(**chapters: NotebookNode) -> Path:
        (tmp_path / "book").mkdir()
        for name in ("_config.yml", "_toc.yml"):
            (tmp_path / name).write_text("")
        for name, notebook in chapters.items():
            nbformat.write(notebook, tmp_path / "book" / f"{name}.ipynb")
        return tmp_path

    return lay_out


def put_executed(root: Path, name: str, notebook: NotebookNode) -> None:
    """Put a notebook where `execute` leaves its results."""
    (root / "_build" / "executed" / "book").mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, root / "_build" / "executed" / "book" / f"{name}.ipynb")
    report = {"chapters": {name: {"status": "ok", "seconds": 1.0}}, "date": "", "machine": "", "versions": {}}
    (root / "_build" / "report.json").write_text(json.dumps(report))


# ---- execute


def test_execute_stops_at_a_broken_chapter_and_names_the_cell(repository, capfd):
    broken = chapter("print('before')", "raise ValueError('the digits are gone')", "print('after')")
    root = repository(good=chapter("import os; print(os.environ['OMP_NUM_THREADS'], profile)"), broken=broken)
    before = {path.name: path.read_bytes() for path in (root / "book").iterdir()}

    assert build.main(["execute"], root) == 1

    out, err = capfd.readouterr()
    assert "broken: code cell 6 (c6) failed with ValueError: the digits are gone" in err
    assert "good: done in" in out
    report = json.loads((root / "_build" / "report.json").read_text())["chapters"]
    assert report["good"]["status"] == "ok"
    assert report["good"]["seconds"] > 0
    assert report["broken"]["status"] == "failed"
    kept = nbformat.read(root / "_build/executed/book/broken.ipynb", as_version=4)
    assert any(output.output_type == "error" for cell in kept.cells for output in cell.get("outputs", []))
    ran = nbformat.read(root / "_build/executed/book/good.ipynb", as_version=4)
    assert ran.cells[-1].outputs[0].text == "1 quick\n"
    assert len(ran.cells) == 6  # papermill's own cell is gone
    assert {path.name: path.read_bytes() for path in (root / "book").iterdir()} == before


@pytest.mark.parametrize("times", [1, 2])
def test_a_kernel_that_does_not_start_gets_a_second_try(repository, monkeypatch, capfd, times):
    run, calls = subprocess.run, []

    def fail_first(command, **kwargs):
        if "papermill" not in command:
            return run(command, **kwargs)
        calls.append(command)
        if len(calls) > times:
            return run(command, **kwargs)
        shutil.copy(*command[3:5])  # papermill leaves its copy
        return finished(1, f"RuntimeError: {build.NO_START}")

    monkeypatch.setattr(build.subprocess, "run", fail_first)
    assert build.main(["execute"], repository(good=chapter("print(1)"))) == times - 1
    assert len(calls) == 2
    assert (build.NO_START in capfd.readouterr().err) == (times == 2)


@pytest.fixture
def somebody(tmp_path_factory, monkeypatch) -> Path:
    """A home folder with a profile, a style and a kernel of somebody's own, and variables that point there."""
    home = tmp_path_factory.mktemp("home")
    profile = home / ".ipython" / "profile_default"
    kernel = home / ".local" / "share" / "jupyter" / "kernels" / "python3"
    style = home / ".config" / "matplotlib"
    for folder in (profile / "startup", kernel, style):
        folder.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text(
        "c.InlineBackend.figure_formats = {'svg'}\nc.InteractiveShell.ast_node_interactivity = 'all'\n"
    )
    (profile / "startup" / "mine.py").write_text("print('my own startup')\n")
    spec = {"argv": ["/no/such/python", "-f", "{connection_file}"], "display_name": "Mine", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    (style / "matplotlibrc").write_text("figure.figsize: 1, 1\n")
    (home / "startup.py").write_text("print('another startup')\n")
    for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("JUPYTER_PATH", str(home / ".local" / "share" / "jupyter"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    monkeypatch.setenv("PYTHONSTARTUP", str(home / "startup.py"))
    monkeypatch.setenv("PYTHONWARNINGS", "always")
    return home


OWN_SETTINGS = """import sys
import warnings

import matplotlib.pyplot as plt

warnings.warn("pending", PendingDeprecationWarning)
1
figure = plt.figure()
figure.add_subplot().plot([1, 2])
print(sys.executable, figure.get_size_inches().tolist())
plt.close()
figure"""


def test_a_readers_own_settings_change_no_chapter(repository, somebody):
    """Nothing on stderr, one figure of the usual size, as PNG alone, and the kernel of this interpreter."""
    root = repository(own=chapter(OWN_SETTINGS))
    assert build.main(["execute"], root) == 0
    ran = nbformat.read(root / "_build/executed/book/own.ipynb", as_version=4)
    assert ran.cells[1].outputs == []
    printed, shown = ran.cells[-1].outputs
    assert printed.text == f"{sys.executable} [6.4, 4.8]\n"
    assert set(shown.data) == {"image/png", "text/plain"}


def test_a_line_on_stderr_is_named_and_only_freezing_refuses_it(repository, capfd):
    root = repository(loud=chapter("import sys; print('building fonts', file=sys.stderr)"))
    assert build.main(["execute"], root) == 0
    assert "stderr: building fonts" in capfd.readouterr().out
    assert build.main(["freeze"], root) == 1
    assert "stderr" in capfd.readouterr().err


def finished(returncode: int, stderr: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], returncode, stdout="", stderr=stderr)


def test_a_cell_that_should_raise_is_no_failure():
    notebook = chapter("1 / 0")
    notebook.cells[-1].metadata["tags"] = ["raises-exception"]
    notebook.cells[-1].outputs = [new_output("error", ename="ZeroDivisionError", evalue="by zero", traceback=[])]
    stopped = finished(1, "papermill.exceptions.PapermillExecutionError: ...")
    assert build.failure(notebook, notebook, stopped) == ""
    notebook.cells[-1].metadata["tags"] = []
    assert build.failure(notebook, notebook, stopped) == "code cell 5 (c5) failed with ZeroDivisionError: by zero"


def test_a_kernel_that_dies_is_a_failure_of_the_cell_it_ran():
    notebook = chapter("x = 1")
    stopped = finished(1, "trace\nDeadKernelError: Kernel died\n")
    assert build.failure(notebook, notebook, stopped) == "did not start: DeadKernelError: Kernel died"
    for cell in notebook.cells[:-1]:  # papermill gives the others a duration of None
        cell.metadata["papermill"] = {"status": "completed", "duration": 0.1}
    assert build.failure(notebook, notebook, stopped) == "code cell 4 (c4) did not finish: DeadKernelError: Kernel died"


# ---- freeze


def test_freeze_copies_outputs_by_id_and_nothing_that_belongs_to_one_machine(repository):
    committed = chapter("slider", "where")
    root = repository(**{"01-x": committed})
    ran = chapter("slider", "where")
    ran.cells.insert(2, new_code_cell("profile = 'quick'", id="injected"))
    ran.cells[0], ran.cells[1] = ran.cells[1], ran.cells[0]  # by id, not by place
    slider = {"text/plain": "IntSlider(value=0)", WIDGET: {"model_id": "1"}}
    ran.cells[6].outputs = [
        new_output("display_data", data=slider),
        new_output("display_data", data={WIDGET: {"model_id": "2"}}),
    ]
    ran.cells[7].execution_count = 9
    text = f"<ImageDataset at 0x7f3a5c1d2e80> in {root}/_build/executed/book/a and {root}/data"
    ran.cells[7].outputs = [new_output("execute_result", data={"text/plain": text}, execution_count=9)]
    ran.cells[7].metadata["papermill"] = {"duration": 1}
    ran.metadata |= {"widgets": {}, "papermill": {}, "kernelspec": {"name": "mine", "display_name": "mine"}}
    put_executed(root, "01-x", ran)

    assert build.main(["freeze"], root) == 0

    frozen = nbformat.read(root / "book" / "01-x.ipynb", as_version=4)
    assert [cell.id for cell in frozen.cells] == [cell.id for cell in committed.cells]
    assert [cell.source for cell in frozen.cells] == [cell.source for cell in committed.cells]
    assert frozen.cells[5].outputs == [new_output("display_data", data={"text/plain": "IntSlider(value=0)"})]
    assert frozen.cells[6].outputs[0].data["text/plain"] == "<ImageDataset at 0x...> in book/a and data"
    assert frozen.cells[6].execution_count == frozen.cells[6].outputs[0].execution_count == 6
    assert "papermill" not in frozen.cells[6].metadata
    assert set(frozen.metadata) == {"kernelspec", "language_info"}
    assert frozen.metadata.kernelspec.name == "python3"
    assert json.loads((root / "book" / "status.json").read_text())["chapters"]["01-x"]["seconds"] == 1.0

    again = (root / "book" / "01-x.ipynb").read_bytes()
    assert build.main(["freeze"], root) == 0
    assert (root / "book" / "01-x.ipynb").read_bytes() == again
    assert build.main(["hygiene"], root) == 0


def test_the_zip_holds_every_page_and_says_that_it_is_the_copy(tmp_path):
    offer = '<p><span class="gm-zip"><a href="../open-offline.zip" download>Open offline</a>: all pages.</span></p>'
    (tmp_path / "book").mkdir()
    (tmp_path / "index.html").write_text("<p>first</p>")
    (tmp_path / "book" / "a.html").write_text(offer)
    (tmp_path / "book" / "a.png").write_bytes(b"\x89PNG")
    for _ in range(2):  # the second does not hold the first
        packed = zipfile.ZipFile(build.pack(tmp_path))
        names = {f"open-offline/{name}" for name in ("index.html", "book/a.html", "book/a.png")}
        assert set(packed.namelist()) == names
        page = packed.read("open-offline/book/a.html").decode()
        assert page == f'<p><span class="gm-zip">{build.IN_OFFLINE_COPY}</span></p>'
    assert (tmp_path / "book" / "a.html").read_text() == offer


def test_several_files_are_replaced_all_or_none(tmp_path, monkeypatch):
    files = {tmp_path / name: f"new {name}" for name in ("a", "b")}
    for path in files:
        path.write_text("old")
    write = Path.write_text

    def interrupted(path, text, **options):
        write(path, text[:2], **options)
        if text == "new b":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build.replace_all(files)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old", "b": "old"}
    build.replace_all(files)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new a", "b": "new b"}


def test_freeze_refuses_code_that_changed_since_the_run(repository, capsys):
    root = repository(**{"01-x": chapter("new")})
    put_executed(root, "01-x", chapter("old"))
    assert build.main(["freeze"], root) == 1
    assert "book/01-x.ipynb: code cell 5 (c5) changed since the chapter was run" in capsys.readouterr().err


def test_freeze_refuses_a_faulty_result_and_changes_nothing(repository, capsys):
    root = repository(**{"01-x": chapter("data")})
    ran = chapter("data")
    ran.cells[-1].outputs = [new_output("stream", name="stdout", text="read /home/ada/data")]
    put_executed(root, "01-x", ran)
    before = (root / "book" / "01-x.ipynb").read_bytes()
    assert build.main(["freeze"], root) == 1
    assert "code cell 5 (c5): holds the absolute path /home/ada/data" in capsys.readouterr().err
    assert (root / "book" / "01-x.ipynb").read_bytes() == before


@pytest.mark.parametrize("command", ["render", "freeze"])
def test_nothing_to_render_or_freeze_without_a_run(repository, capsys, command):
    root = repository(**{"01-x": chapter()})
    assert build.main([command], root) == 1
    assert "make book" in capsys.readouterr().err.replace("python book/build.py execute", "make book")


# ---- hygiene


def text_output(text: str, name: str = "stdout") -> list[NotebookNode]:
    return [new_output("stream", name=name, text=text)]


def figure(**data: str) -> NotebookNode:
    return new_output("display_data", data={"image/png": PIXEL, **data})


CAPTION = {"mystnb": {"figure": {"name": "fig-x", "caption": "A pixel."}, "image": {"alt": "One dot."}}}
NO_ALT = {"mystnb": {"figure": {"name": "fig-x", "caption": "A pixel."}}}

FAULTS: dict[str, Callable[[NotebookNode], object]] = {
    "code cell 5 (c5): was not run": lambda n: n.cells[-1].update(execution_count=None),
    "code cell 5 (c5): holds an error": lambda n: n.cells[-1].update(
        outputs=[new_output("error", ename="E", evalue="", traceback=[])]
    ),
    "code cell 5 (c5): wrote to stderr": lambda n: n.cells[-1].update(outputs=text_output("warning", "stderr")),
    "code cell 5 (c5): holds the absolute path /Users/ada/x": lambda n: n.cells[-1].update(
        outputs=text_output("in /Users/ada/x")
    ),
    "markdown cell 1 (c0): holds the absolute path /tmp/x": lambda n: n.cells[0].update(source="see `/tmp/x`"),
    "code cell 5 (c5): holds the memory address 0x7f00aa11bb22": lambda n: n.cells[-1].update(
        outputs=text_output("<A at 0x7f00aa11bb22>")
    ),
    "code cell 5 (c5): holds a wrong check": lambda n: n.cells[-1].update(
        outputs=text_output("x: wrong.\nYour value: 3"), metadata={"tags": ["check"]}
    ),
    "code cell 5 (c5): holds a widget view": lambda n: n.cells[-1].update(
        outputs=[new_output("display_data", data={WIDGET: {}})]
    ),
    "code cell 5 (c5): uses tqdm": lambda n: n.cells[-1].update(source="from tqdm.auto import tqdm"),
    "code cell 5 (c5): shows a figure without": lambda n: n.cells[-1].update(outputs=[figure()], metadata=NO_ALT),
    "code cell 5 (c5): shows 2 figures": lambda n: n.cells[-1].update(outputs=[figure(), figure()], metadata=CAPTION),
    "book/x.ipynb: holds widget state": lambda n: n.metadata.update(widgets={}),
    "book/x.ipynb: no cell is tagged `parameters`": lambda n: n.cells[1].metadata.update(tags=[]),
    "book/x.ipynb: 2 cells are tagged `nbval-check-output`": lambda n: n.cells[2].metadata.update(tags=[]),
    "book/x.ipynb: 2 cells have the id c0": lambda n: n.cells[1].update(id="c0"),
    "book/x.ipynb: 1 cells have no id": lambda n: n.cells[0].pop("id"),
    "at most 1,500,000": lambda n: n.cells[-1].update(outputs=text_output("x" * 1_500_000)),
}


def test_a_clean_chapter_has_no_fault():
    notebook = chapter("figure")
    notebook.cells[-1].update(outputs=[figure(), *text_output("see https://arxiv.org/abs/1312.6114, and/or 0xff")])
    notebook.cells[-1].metadata = CAPTION
    assert list(build.faults(json.dumps(notebook), "book/x.ipynb")) == []


@pytest.mark.parametrize("message", FAULTS)
def test_hygiene_finds_each_fault(message):
    notebook = chapter("figure")
    FAULTS[message](notebook)
    found = list(build.faults(json.dumps(notebook), "book/x.ipynb"))
    assert len(found) == 1
    assert found[0].startswith("book/x.ipynb")
    assert message in found[0]


def test_the_committed_chapters_are_clean():
    assert build.main(["hygiene"]) == 0


# ---- status page


def test_the_status_table_has_a_row_a_chapter():
    chapters = {"01-elbo": {"status": "ok", "seconds": 12.3}}
    report = {"chapters": chapters, "date": "2025-01-31", "machine": "2 CPU cores", "versions": {"torch": "2.11"}}
    table = build.status_table(report)
    assert "Run on 2025-01-31 on 2 CPU cores, with torch 2.11." in table
    assert "| {doc}`01-elbo` | ok | 12.3 |" in table
    assert re.fullmatch(r"\d+ CPU cores, \w+ \w+", build.machine())


# ---- files that the build relies on


def test_every_file_of_the_contents_exists():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    entries = [contents["root"], *(c["file"] for part in contents["parts"] for c in part["chapters"])]
    missing = [e for e in entries if not any((ROOT / f"{e}{suffix}").exists() for suffix in (".md", ".ipynb"))]
    assert missing == []
    chapters = {f"book/{path.stem}" for path in build.chapters(ROOT)}
    assert chapters <= set(entries)


def test_constraints_are_exact_and_name_no_address():
    lines = [line.split("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    for line in filter(None, lines):
        assert re.fullmatch(r"[\w.-]+==[\w.+!]+( ; .+)?", line), line


def test_each_source_lies_beside_a_script_that_saves_it(tmp_path):
    source = tmp_path / "_sources" / "book" / "x.ipynb"
    source.parent.mkdir(parents=True)
    source.write_text('{"a": "ü </script>\\n"}', encoding="utf-8")
    for _ in range(2):  # a script has no script of its own
        build.write_sources_as_scripts(tmp_path)
    assert {path.name for path in source.parent.iterdir()} == {"x.ipynb", "x.ipynb.js"}
    script = source.with_name("x.ipynb.js").read_text().strip()
    text = script.removeprefix("gmSave(").removesuffix(");")
    assert json.loads(text) == source.read_text(encoding="utf-8")
