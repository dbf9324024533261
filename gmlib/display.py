"""Source, layers, settings and results as Markdown, for a notebook and for a terminal."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor, nn

from gmlib.errors import InputError, nearest
from gmlib.experiments.recipe import Recipe
from gmlib.experiments.run import Run
from gmlib.training.history import History


class Shown:
    """Markdown that a notebook renders and a terminal prints as it is."""

    def __init__(self, markdown: str) -> None:
        """Keep the text."""
        self.markdown = markdown

    def _repr_markdown_(self) -> str:
        return self.markdown

    def __repr__(self) -> str:
        return self.markdown


def show(thing: type | Callable[..., Any] | nn.Module | Recipe | History) -> Shown:
    """Return the code of a function or class, the layers of a network, the settings of a recipe, or the epochs of a history.

    Args:
        thing: a function, a class, a network, a recipe or a history.

    Returns:
        Markdown: the code that runs, without docstrings; or a table.
    """
    if isinstance(thing, nn.Module):
        return _layers(thing)
    if isinstance(thing, Recipe):
        return _settings(thing)
    if isinstance(thing, History):
        return _epochs(thing)
    return Shown(f"```python\n{_without_docstrings(inspect.getsource(thing))}\n```")


def table(rows: Iterable[Mapping[str, Any]] | Mapping[str, Iterable[Any]], digits: int | None = None) -> Shown:
    """Return a table of values.

    Args:
        rows: mappings with the same keys, which become the columns; or one mapping of each column's name to its values,
            the same number in each. A missing value or None is shown as a dash. A cell may be a tensor of one number; a column
            may be a tensor of any shape, whose numbers are taken in order.
        digits: decimals of every float; None shows it in full.

    Returns:
        A Markdown table, numbers to the right.
    """
    rows = _rows(rows) if isinstance(rows, Mapping) else rows
    rows = [{column: _number(value) for column, value in row.items()} for row in rows]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    numeric = {column: all(isinstance(row.get(column), int | float | None) for row in rows) for column in columns}
    lines = [" | ".join(map(_cell, columns)), " | ".join("---:" if numeric[column] else "---" for column in columns)]
    lines += [" | ".join(_cell(row.get(column), digits) for column in columns) for row in rows]
    return Shown("\n".join(f"| {line} |" for line in lines))


def results(runs: Mapping[str, Run], columns: Mapping[str, str], digits: int | None = 2) -> Shown:
    """Return a table of results, one row for each run.

    Args:
        runs: name of each run to the run.
        columns: title of each column to what stands in it: a metric, a fact of the run's record such as "seconds", or
            "parameters", their number. What a run lacks is shown as a dash.
        digits: decimals of every float; None shows it in full.

    Returns:
        A Markdown table.

    Raises:
        InputError: if no run has what a column asks for.
    """
    found = {name: {"parameters": parameters(run), **run.about, **run.metrics} for name, run in runs.items()}
    for key in columns.values():
        if not any(key in values for values in found.values()):
            known = dict.fromkeys(key for values in found.values() for key in values)
            raise InputError(f"got the column {key!r}, expected a metric or a fact of a run{nearest(key, known)}")
    rows = [
        {"run": name} | {title: values.get(key) for title, key in columns.items()} for name, values in found.items()
    ]
    return table(rows, digits)


def parameters(thing: nn.Module | Run) -> int:
    """Return the number of trainable parameters.

    Args:
        thing: a network, or a run with all of its networks.

    Returns:
        Number of parameters; buffers, such as running means, are not counted.
    """
    network = thing.model if isinstance(thing, Run) else thing
    return sum(parameter.numel() for parameter in network.parameters())


def _rows(columns: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    """Return columns as rows."""
    values = [
        list(column.reshape(-1) if isinstance(column, Tensor | np.ndarray) else column) for column in columns.values()
    ]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def _number(value: Any) -> Any:
    """Return the number in a tensor or an array that holds one; anything else as it is."""
    return value.item() if isinstance(value, Tensor | np.ndarray | np.generic) else value


def _cell(value: Any, digits: int | None = None) -> str:
    """Return a cell as text."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:z}" if digits is None else f"{value:z,.{digits}f}"  # z: no minus before a zero
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text.replace("|", "\\|")  # as in p(x|z): a bare bar would begin the next column


def _layers(network: nn.Module) -> Shown:
    """Return the leaves of a network, the shapes of their weights, and their number of parameters."""
    rows: list[dict[str, Any]] = []
    for name, module in network.named_modules():
        if not list(module.children()):
            shapes = " + ".join("×".join(map(str, p.shape)) for p in module.parameters())
            count = sum(p.numel() for p in module.parameters())
            rows.append({"layer": name, "module": type(module).__name__, "weights": shapes, "parameters": count})
    return table([*rows, {"layer": "**all**", "module": "", "weights": "", "parameters": parameters(network)}])


def _named(recipe: Recipe) -> dict[str, str]:
    """Return the settings of a recipe as text."""
    return {name: _as_text(value) for name, value in recipe.settings().items()}


def _as_text(value: Any) -> str:
    """Return a setting as text: a class or a function by its name, with its fixed arguments."""
    if isinstance(value, partial):
        given = [*map(_as_text, value.args), *(f"{name}={_as_text(part)}" for name, part in value.keywords.items())]
        return f"{_as_text(value.func)}({', '.join(given)})"
    if is_dataclass(value) and type(value).__str__ is object.__str__:
        changed = (f"{f.name}={_as_text(part)}" for f in fields(value) if (part := getattr(value, f.name)) != f.default)
        return f"{type(value).__name__}({', '.join(changed)})"
    return str(getattr(value, "__name__", value))


def _settings(recipe: Recipe) -> Shown:
    """Return the settings of a recipe as a table, beside those of its parent where they differ."""
    settings, parent = _named(recipe), recipe.parent
    text = f"**{recipe.name}**: {recipe.about} Model: {recipe.paper}.\n\n"
    rows = [{"setting": name, "value": f"`{value}`"} for name, value in settings.items()]
    if parent:
        theirs = _named(parent)
        for row, (name, value) in zip(rows, settings.items(), strict=True):
            row[f"in {parent.name}, where it differs"] = "" if value == theirs[name] else f"`{theirs[name]}`"
    return Shown(text + table(rows).markdown)


def _epochs(history: History) -> Shown:
    """Return rows of epochs at growing distances, and the last."""
    shown = [row for row in history.rows if row["epoch"] in (1, 2, 5, 10, 20, 50, 100, 200, len(history))]
    # headings of several words, so that a narrow page can break them
    return table([{key.replace("_", " "): value for key, value in row.items()} for row in shown], digits=1)


def _without_docstrings(source: str) -> str:
    """Return code without its docstrings, with its comments."""
    source = textwrap.dedent(source)
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.FunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
            and len(node.body) > 1
        ):
            first = node.body[0]
            for i in range(first.lineno - 1, first.end_lineno or first.lineno):
                lines[i] = "\0"
            # a blank line between the docstring and what follows goes with it
            following = first.end_lineno or first.lineno
            if following < len(lines) and not lines[following].strip():
                lines[following] = "\0"
    return "\n".join(line for line in lines if line != "\0")
