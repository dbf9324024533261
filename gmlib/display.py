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
from gmlib.experiments.recipe import GANRecipe, Recipe
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
    """Return the code of a function or class without docstrings, or a table of layers, settings or epochs."""
    if isinstance(thing, nn.Module):
        return _layer_table(thing)
    if isinstance(thing, Recipe):
        return _settings_table(thing)
    if isinstance(thing, History):
        return _epoch_table(thing)
    return Shown(f"```python\n{_without_docstrings(inspect.getsource(thing))}\n```")


def table(rows: Iterable[Mapping[str, Any]] | Mapping[str, Iterable[Any]], digits: int | None = None) -> Shown:
    """Return a table of values as Markdown, numbers aligned to the right.

    Args:
        rows: one mapping per row from the name of a column to a value, where a missing value or None is shown as a dash; or
            one mapping from the name of each column to its values, an equal number per column. A value may be a tensor of one
            number. A column may be a tensor of any shape, which is flattened.
        digits: decimals of each float; None shows all.

    Returns:
        The table.
    """
    rows = _as_rows(rows) if isinstance(rows, Mapping) else rows
    rows = [{column: _as_number(value) for column, value in row.items()} for row in rows]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    numeric = {column: all(isinstance(row.get(column), int | float | None) for row in rows) for column in columns}
    lines = [" | ".join(map(_cell, columns)), " | ".join("---:" if numeric[column] else "---" for column in columns)]
    lines += [" | ".join(_cell(row.get(column), digits) for column in columns) for row in rows]
    return Shown("\n".join(f"| {line} |" for line in lines))


def results(runs: Mapping[str, Run], columns: Mapping[str, str], digits: int | None = 2) -> Shown:
    """Return a table of results as Markdown, one row per run.

    Args:
        runs: name to run.
        columns: title of a column to the name of a metric, of an entry of the run's record such as "seconds", or
            "parameters" for the number of parameters, for a GAN "generator_steps" and "images" (in the critic's batches), and
            "hours" of training. A value that a run does not have is shown as a dash.
        digits: decimals of each float; None shows all.

    Returns:
        The table.

    Raises:
        InputError: if no run has the metric or entry of a column.
    """
    values = {
        name: {"parameters": parameters(run), **_cost(run), **run.record, **run.metrics} for name, run in runs.items()
    }
    known = {key for of_run in values.values() for key in of_run}
    for key in columns.values():
        if key not in known:
            raise InputError(
                f"got the column {key!r}, expected a metric or an entry of a run's record{nearest(key, known)}"
            )
    return table(
        ({"run": name} | {title: values[name].get(key) for title, key in columns.items()} for name in runs), digits
    )


def _cost(run: Run) -> dict[str, Any]:
    """Return the hours of a run's training, and for a GAN the generator's steps and the images in the critic's batches."""
    cost: dict[str, Any] = {"hours": run.record["seconds"] / 3600} if "seconds" in run.record else {}
    if isinstance(run.recipe, GANRecipe):
        cost["generator_steps"] = steps = sum(int(steps or 0) for steps in run.history.column("generator_steps"))
        if not run.recipe.warmup:  # without it, each round has the same number of steps
            cost["images"] = steps * run.recipe.n_critic // run.recipe.n_generator * run.recipe.batch_size
    return cost


def parameters(thing: nn.Module | Run) -> int:
    """Return the number of trainable parameters of a network or of a run's model; buffers are not counted."""
    network = thing.model if isinstance(thing, Run) else thing
    return sum(parameter.numel() for parameter in network.parameters())


def _as_rows(columns: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    """Return a table as one mapping per row, given the values of each column."""
    values = [column.reshape(-1) if isinstance(column, Tensor | np.ndarray) else column for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def _as_number(value: Any) -> Any:
    """Return the number in a tensor or array of one element; any other value unchanged."""
    return value.item() if isinstance(value, Tensor | np.ndarray | np.generic) else value


def _cell(value: Any, digits: int | None = None) -> str:
    """Return the value of a cell as text."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:z}" if digits is None else f"{value:z,.{digits}f}"  # z: -0.0 is written 0.0
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    return text.replace("|", "\\|")  # a bar as in p(x|z) would start the next column


def _layer_table(network: nn.Module) -> Shown:
    """Return a table of a network's layers with the shapes of their weights and their numbers of parameters."""
    rows: list[dict[str, Any]] = []
    for name, module in network.named_modules():
        if not list(module.children()):
            shapes = " + ".join("×".join(map(str, parameter.shape)) for parameter in module.parameters())
            rows.append(
                {"layer": name, "module": type(module).__name__, "weights": shapes, "parameters": parameters(module)}
            )
    return table([*rows, {"layer": "**all**", "module": "", "weights": "", "parameters": parameters(network)}])


def _as_text(value: Any) -> str:
    """Return a setting as text: a class or function by its name, with the arguments that a partial or dataclass fixes."""
    if isinstance(value, partial):
        arguments = [*map(_as_text, value.args), *(f"{name}={_as_text(each)}" for name, each in value.keywords.items())]
        return f"{_as_text(value.func)}({', '.join(arguments)})"
    if is_dataclass(value) and type(value).__str__ is object.__str__:
        values = {f.name: getattr(value, f.name) for f in fields(value) if getattr(value, f.name) != f.default}
        return f"{type(value).__name__}({', '.join(f'{name}={_as_text(each)}' for name, each in values.items())})"
    return str(getattr(value, "__name__", value))


def _settings_table(recipe: Recipe) -> Shown:
    """Return a table of a recipe's settings, beside those of its parent where they differ."""
    parent = recipe.parent
    rows = []
    for name, value in recipe.settings().items():
        row = {"setting": name, "value": f"`{_as_text(value)}`"}
        if parent:
            inherited = _as_text(parent.settings()[name])
            row[f"in {parent.name}, where it differs"] = "" if _as_text(value) == inherited else f"`{inherited}`"
        rows.append(row)
    return Shown(f"**{recipe.name}**: {recipe.about} Model: {recipe.paper}.\n\n{table(rows).markdown}")


def _epoch_table(history: History) -> Shown:
    """Return a table of some epochs of a history, at growing distances, and the last."""
    rows = [row for row in history.rows if row["epoch"] in (1, 2, 5, 10, 20, 50, 100, 200, len(history))]
    # titles with spaces, so that a narrow page can break them
    shown = table([{name.replace("_", " "): value for name, value in row.items()} for row in rows], digits=1)
    died = history.critic_died()
    return Shown(f"{shown.markdown}\n\n{died[0].upper()}{died[1:]}.") if died else shown


def _without_docstrings(source: str) -> str:
    """Return code with its comments, without its docstrings and the blank lines after them."""
    lines = textwrap.dedent(source).splitlines()
    dropped: set[int] = set()
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) and len(node.body) > 1:
            first, end = node.body[0].lineno - 1, node.body[0].end_lineno or 0
            dropped |= {*range(first, end), *([end] if not lines[end].strip() else [])}
    return "\n".join(line for i, line in enumerate(lines) if i not in dropped)
