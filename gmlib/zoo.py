"""Runs on disk: those that gmlib ships, and those in a reader's folders."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from gmlib.errors import InputError, nearest, one_line
from gmlib.experiments.recipe import Recipe
from gmlib.experiments.recipe_file import read_recipe_file, recipe_from
from gmlib.experiments.run import Run, model_with, read_run
from gmlib.files import unreadable
from gmlib.recipes import ALL, CLASSIFIER, by_name
from gmlib.training.history import History

WEIGHTS = Path(str(files("gmlib") / "weights"))


def load_run(folder: Path | str, name: str) -> Run:
    """Load a run from its file, `NAME.safetensors`.

    Args:
        folder: the folder of the run.
        name: name of its recipe.

    Returns:
        The run, its model on the CPU in eval mode. A recipe from a Python file is imported from the copy of this file in the
        folder.

    Raises:
        InputError: if there is no such run, its file is damaged, or the recipe has changed since.
    """
    folder = Path(folder)
    path = folder / f"{name}.safetensors"
    try:
        record, tensors = read_run(path)
    except PermissionError as error:
        raise unreadable(path, error) from error
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            f"cannot read {path} ({one_line(error)}), expected the file of a finished run: {remedy(name, folder)}"
        ) from error
    recipe = _recipe_of(record, name, folder)
    if record["recipe_hash"] != recipe.hash:
        raise InputError(
            f"{path} is of an earlier recipe {name} (hash {record['recipe_hash'][:12]}, now {recipe.hash[:12]}): "
            f"{remedy(name, folder)}"
        )
    history, metrics = History(record.pop("history")), record.pop("metrics")
    return Run(recipe, model_with(recipe, tensors, record), history, metrics, record)


def _recipe_of(record: dict[str, Any], name: str, folder: Path) -> Recipe:
    """Return the recipe of a record: one of gmlib's, or one from the Python file in the folder of the run."""
    if "recipe_file" not in record:
        return by_name(name)
    file = read_recipe_file(f"{folder / record['recipe_file']}:{record['recipe_variable']}")
    if file.record["recipe_file_sha256"] != record["recipe_file_sha256"]:  # before it is executed
        raise InputError(
            f"{file.path} was changed since the run was trained, expected the file as it was: restore it, or train again"
        )
    return recipe_from(file)


def runs_in(folder: Path) -> list[str]:
    """Return the names of the finished runs in a folder."""
    return sorted(path.stem for path in folder.glob("*.safetensors"))


def remedy(name: str, folder: Path) -> str:
    """Return half a sentence with the command that replaces a missing, damaged or outdated run."""
    if folder == WEIGHTS:  # nobody should train into an installed package
        return f"install gmlib again, or train it again with gmlib train {name} --profile full --out runs/full/{name}"
    return f"train it again with gmlib train {name} --out {folder} (--resume, if checkpoints are there)"


def is_shipped(name: str) -> bool:
    """Return whether gmlib ships a full run of the recipe of this name."""
    return (WEIGHTS / f"{name}.safetensors").is_file()


def shipped() -> list[str]:
    """Return the names of the recipes whose full run gmlib ships, the classifier first."""
    return [name for name in (CLASSIFIER.name, *ALL) if is_shipped(name)]


def pretrained(name: str) -> Run:
    """Load the full run of a recipe that gmlib ships; raise InputError if no run of it ships."""
    if not is_shipped(by_name(name).name):
        raise InputError(
            f"no full run of {name} is shipped ({WEIGHTS / name}.safetensors is not there): "
            f"train one with gmlib train {name} --profile full --out runs/full/{name}"
        )
    return load_run(WEIGHTS, name)


def find_run(source: str) -> Run:
    """Load a run by its folder, or by the name of a shipped recipe; a folder of that name comes first."""
    folder, recipe_names = Path(source), [*ALL, CLASSIFIER.name]
    if not source:
        raise InputError("got an empty name, expected the name of a shipped recipe or the folder of a run")
    if folder.is_file():
        raise InputError(f"got the file {source}, expected the folder of a run: give {folder.parent}")
    if folder.is_dir():
        run_names = runs_in(folder)
        if len(run_names) != 1:
            raise InputError(
                f"found {'several runs' if run_names else 'no finished run'} in {folder} "
                f"({', '.join(run_names) or 'no NAME.safetensors'}), expected one: keep each in its own folder, and finish it "
                "with gmlib train NAME --resume and the same --out"
            )
        return load_run(folder, run_names[0])
    if source in recipe_names:
        return pretrained(source)
    runs_beside = {path.parent for path in folder.parent.glob("*/*.safetensors")}
    similar = [
        str(each) for each in runs_beside if nearest(folder.name, [each.name])
    ]  # the paths share their beginning
    raise InputError(
        f"got {source!r}, expected the name of a recipe that ships (gmlib list shows them) or the folder of a run"
        f"{nearest(source, [*recipe_names, *similar])}"
    )
