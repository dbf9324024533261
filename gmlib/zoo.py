"""Runs on disk: those that gmlib ships, and those in a reader's folders."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from gmlib.errors import InputError, one_line
from gmlib.experiments.own import own_file, own_recipe
from gmlib.experiments.recipe import Recipe
from gmlib.experiments.run import Run, read_model
from gmlib.files import unreadable
from gmlib.recipes import ALL, CLASSIFIER, by_name
from gmlib.restamped import current_hash
from gmlib.training.history import History

WEIGHTS = Path(str(files("gmlib") / "weights"))


def load_run(folder: Path | str, name: str) -> Run:
    """Read a run back.

    Args:
        folder: where `save_run` wrote it.
        name: of its recipe.

    Returns:
        The run, its model on the CPU in eval mode. A recipe of a reader's own is imported from its file, of which the folder
        holds a copy.

    Raises:
        InputError: if it is not there, is damaged, or the recipe has changed since.
    """
    folder = Path(folder)
    path = folder / f"{name}.json"
    record, history, metrics = _read_record(path, name)
    recipe = _recipe_of(record, name, folder)
    if current_hash(record.get("recipe_hash")) != recipe.hash:
        raise InputError(
            f"{path} is of an earlier recipe {name} (hash {str(record.get('recipe_hash'))[:12]}, now {recipe.hash[:12]}): "
            f"{remedy(name, folder)}"
        )
    weights = path.with_suffix(".safetensors")
    try:
        model = read_model(weights, recipe, record)
    except PermissionError as error:
        raise unreadable(weights, error) from error
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"cannot read the weights {weights} ({one_line(error)}), expected a whole file of recipe {name}: {remedy(name, folder)}"
        ) from error
    return Run(recipe, model, history, metrics, record)


def runs_in(folder: Path) -> list[str]:
    """Return the names of the finished runs in a folder.

    Args:
        folder: any.

    Returns:
        Names of the recipes of those records, `NAME.json`, that are gmlib's or have weights beside them.
    """
    known = {*ALL, CLASSIFIER.name}
    return sorted(
        path.stem for path in folder.glob("*.json") if path.stem in known or path.with_suffix(".safetensors").is_file()
    )


def _read_record(path: Path, name: str) -> tuple[dict[str, Any], History, dict[str, float]]:
    """Read the record of a run: what it says about the run, the history and the metrics."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            raise ValueError("it is no JSON object")
        history, metrics = History(record.pop("history")), record.pop("metrics")
        numbers = isinstance(metrics, dict) and all(isinstance(value, int | float) for value in metrics.values())
        if not (numbers and all(isinstance(row, dict) for row in history.rows)):
            raise ValueError("its history or metrics are of another form")
    except PermissionError as error:
        raise unreadable(path, error) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else one_line(error)
        raise InputError(
            f"cannot read {path} ({reason}), expected the record of a finished run: {remedy(name, path.parent)}"
        ) from error
    return record, history, metrics


def _recipe_of(record: dict[str, Any], name: str, folder: Path) -> Recipe:
    """Return the recipe of a record: one of gmlib's, or one from the file that lies beside the record."""
    if "recipe_file" not in record:
        return by_name(name)
    file = own_file(f"{folder / Path(str(record['recipe_file'])).name}:{record.get('recipe_variable')}")
    if file.about["recipe_file_sha256"] != record.get("recipe_file_sha256"):  # before it is executed
        raise InputError(
            f"{file.path} was changed since the run was trained, expected the file as it was: restore it, or train again"
        )
    return own_recipe(file)


def remedy(name: str, folder: Path) -> str:
    """Return how a run comes back that is missing, damaged or out of date.

    Args:
        name: of its recipe.
        folder: where it should be.

    Returns:
        Half a sentence, with the command.
    """
    if folder == WEIGHTS:  # nobody should train into an installed package
        return f"install gmlib again, or train it again with gmlib train {name} --profile full --out runs/full/{name}"
    return f"train it again with gmlib train {name} --out {folder} (--resume, if checkpoints are there)"


def is_shipped(name: str) -> bool:
    """Return whether gmlib ships a full run.

    Args:
        name: of the recipe.

    Returns:
        Whether `pretrained` finds it.
    """
    return (WEIGHTS / f"{name}.json").is_file()


def shipped() -> list[str]:
    """List what gmlib ships, the classifier first.

    Returns:
        Names of recipes. One that has lost its record or its weights is among them, so that it is missed.
    """
    kinds = (".json", ".safetensors")
    return [name for name in (CLASSIFIER.name, *ALL) if any((WEIGHTS / f"{name}{kind}").is_file() for kind in kinds)]


def pretrained(name: str) -> Run:
    """Load the full run that gmlib ships.

    Args:
        name: of the recipe.

    Returns:
        The run: networks, history and metrics.

    Raises:
        InputError: if there is no such recipe, no full run of it is shipped, or its files are damaged.
    """
    if not is_shipped(by_name(name).name):
        raise InputError(
            f"no full run of {name} is shipped ({WEIGHTS / name}.json is not there): "
            f"train one with gmlib train {name} --profile full --out runs/full/{name}"
        )
    return load_run(WEIGHTS, name)
