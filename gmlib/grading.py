"""Run handed-in notebooks and collect the results of their checks, for `gmlib grade`.

Each runs in a kernel of its own, in an empty temporary folder. Its code has the rights of the user: the folder is no sandbox.
"""

import asyncio
import atexit
import contextlib
import json
import math
import os
import re
import signal
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from gmlib.errors import InputError, one_line
from gmlib.exercises import RESULTS_FILE

CHECK = re.compile(r"""\bcheck\(\s*["']([^"']+)["']""")
START_SECONDS = 120  # until a kernel replies


@dataclass(frozen=True)
class Result:
    """The result of one exercise: "right", "wrong" or "not reached", and the reason unless it is right."""

    exercise: str
    verdict: str
    reason: str = ""


def tables(notebooks: dict[str, Any], timeout: float) -> Iterator[str]:
    """Run notebooks, given by their names; yield a table as lines of text: a row per exercise, a total per notebook."""
    found = ["exercise", *(name for notebook in notebooks.values() for name in notebook.metadata.exercises)]
    name_width, exercise_width = max(map(len, ["notebook", *notebooks])), max(map(len, found))

    def row(name: str, exercise: str, verdict: str, reason: str) -> str:
        return f"{name:<{name_width}}  {exercise:<{exercise_width}}  {verdict:<11}  {reason}".rstrip()

    yield row("notebook", "exercise", "result", "reason")
    for name, notebook in notebooks.items():
        results, stopped = grade(notebook, timeout)
        yield from (row(name, each.exercise, each.verdict, each.reason) for each in results)
        right = sum(each.verdict == "right" for each in results)
        yield f"{name}: {right} of {len(results)} right" + (f"; {stopped}" if stopped else "")


def read_notebook(path: str) -> Any:
    """Return the code cells of a notebook as a notebook, whose metadata lists the exercises; raise InputError if it has none.

    The exercises are those that the file's own metadata lists, and others that a cell checks.
    """
    try:
        import ipykernel  # noqa: F401
        import nbclient  # noqa: F401
        import nbformat
        from nbformat.v4 import new_code_cell, new_notebook
    except ImportError as error:
        raise InputError(
            f"gmlib grade needs {error.name}, which is not installed: pip install 'gmlib[book]'"
        ) from error
    try:
        with warnings.catch_warnings(action="ignore"):  # an old notebook has cells without an id
            notebook = nbformat.read(path, as_version=4)
        sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        listed = notebook.metadata.get("gmlib", {}).get("exercises", [])
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}), expected a notebook: name another file") from error
    except Exception as error:  # a damaged file raises errors of many types
        raise InputError(
            f"{path} is no notebook or a damaged one, expected an .ipynb file: name another file"
        ) from error
    if not any(sources):
        raise InputError(f"{path} has no code, expected a notebook with exercises: name another file")
    names = list(dict.fromkeys([*listed, *(name for source in sources for name in CHECK.findall(source))]))
    if not names:
        raise InputError(f"{path} has no cell that calls check(…), expected one per exercise: name another file")
    return new_notebook(cells=[new_code_cell(source) for source in sources], metadata={"exercises": names})


def grade(notebook: Any, timeout: float) -> tuple[list[Result], str]:
    """Run a notebook; return the result of each exercise, of its last check, and why the notebook was stopped, or ""."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        stopped = run(notebook, Path(folder), timeout)
        checked = read_results(Path(folder) / "checks")
    names = dict.fromkeys([*notebook.metadata.exercises, *checked])
    return [
        checked.get(name) or Result(name, "not reached", why_not_reached(notebook, name, stopped)) for name in names
    ], stopped


def run(notebook: Any, folder: Path, timeout: float) -> str:
    """Run a notebook, whose checks write into `folder / "checks"`; return why it did not run to its end, or ""."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    number, deadline = 0, math.inf

    def on_cell_execute(cell_index: int, **_: Any) -> None:
        nonlocal number, deadline
        number = cell_index + 1
        deadline = min(deadline, monotonic() + timeout)  # from the first cell on, so that a slow start does not count
        with contextlib.suppress(NotImplementedError):  # on Windows there is no such handler
            asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)  # nbclient's own, so that Ctrl-C ends us

    client = NotebookClient(
        notebook,
        # no folder of kernels: the kernel is that of this Python, also if the user has another one named python3
        km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[])),
        allow_errors=True,
        on_cell_execute=on_cell_execute,
        shutdown_kernel="immediate",
        startup_timeout=START_SECONDS,
        timeout_func=lambda cell: max(0.1, deadline - monotonic()),
    )
    (folder / "work").mkdir()
    settings = {RESULTS_FILE: str(folder / "checks"), "IPYTHONDIR": str(folder / "ipython")}
    process = {"cwd": str(folder / "work"), "env": os.environ | settings, "stdout": DEVNULL, "stderr": DEVNULL}
    try:
        client.execute(cleanup_kc=True, **process)
    except CellTimeoutError:
        return f"code cell {number} was stopped, since the notebook took more than {timeout:g} s"
    except DeadKernelError:
        return f"code cell {number} ended its kernel: it crashed Python or used too much memory"
    except RuntimeError as error:
        atexit.unregister(client._cleanup_kernel)  # there is no kernel to stop
        return f"its kernel did not start ({one_line(error)})"
    return ""


def read_results(path: Path) -> dict[str, Result]:
    """Return the last result of each name; a damaged line, as the last one of a killed kernel may be, is skipped."""
    results = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        with contextlib.suppress(ValueError, LookupError, TypeError):
            found = json.loads(line)
            results[found["name"]] = Result(found["name"], "right" if found["right"] else "wrong", found["reason"])
    return results


def why_not_reached(notebook: Any, name: str, stopped: str) -> str:
    """Return why no check of this name was reached; the reason is looked for in the last cell that calls it."""
    calls = [(number, cell) for number, cell in enumerate(notebook.cells, 1) if name in CHECK.findall(cell.source)]
    if not calls:
        return "no cell checks it"
    number, cell = calls[-1]
    for output in cell.outputs:
        if output.output_type == "error":
            return f"code cell {number} raised {output.ename}: {' '.join(output.evalue.split())[:100]}"
    return "the notebook was stopped before" if stopped else f"code cell {number} ran without calling check"
