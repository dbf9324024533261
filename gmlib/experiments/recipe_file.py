"""Recipes from a Python file that a reader has written: `my_recipes.py:MY_VAE`."""

import hashlib
import sys
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import torch
from torch import Generator, nn

from gmlib.errors import InputError, nearest, one_line
from gmlib.experiments.recipe import Recipe
from gmlib.files import require_writable, unreadable, write_whole
from gmlib.models.gan import GAN
from gmlib.models.vae import VAE
from gmlib.shapes import Image, Labels


@dataclass(frozen=True)
class RecipeFile:
    """A Python file, the name of a recipe in it, and its content, of which the folder of a run keeps a copy."""

    path: Path
    variable: str
    content: bytes

    @property
    def record(self) -> dict[str, str]:
        """The entries of a run's record that name the file, the recipe in it, and the digest of the content."""
        return {
            "recipe_file": self.path.name,
            "recipe_variable": self.variable,
            "recipe_file_sha256": hashlib.sha256(self.content).hexdigest(),
        }

    def require_place(self, folder: Path) -> None:
        """Raise InputError if the copy in the folder of a run would replace another file."""
        copy = folder / self.path.name
        require_writable(copy)
        if copy.is_file() and copy.read_bytes() != self.content:
            raise InputError(
                f"{copy} differs from {self.path}, expected the same file or none: a run keeps a copy of its file there, "
                "so choose another --out, or move the file elsewhere"
            )

    def copy_to(self, folder: Path) -> None:
        """Write the content into the folder of a run, where `load_run` finds it if the original file is gone."""
        write_whole(folder / self.path.name, self.content)


def names_recipe_file(source: str) -> bool:
    """Return whether a text has the form FILE.py:NAME."""
    file, colon, variable = source.rpartition(":")
    return bool(colon) and file.endswith(".py") and variable.isidentifier()


def read_recipe_file(source: str) -> RecipeFile:
    """Read FILE.py:NAME, without executing the file."""
    file, _, variable = source.rpartition(":")
    path = Path(file)
    try:
        return RecipeFile(path, variable, path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"found no file {path}, expected one with recipes: check its name") from error
    except OSError as error:
        raise unreadable(path, error) from error


def recipe_from(file: RecipeFile) -> Recipe:
    """Execute a file and return its recipe, whose name is that of the variable in lower case."""
    module = _execute(file)
    recipe = getattr(module, file.variable, None)
    if not isinstance(recipe, Recipe):
        recipes = [name for name, value in vars(module).items() if isinstance(value, Recipe)]
        raise InputError(
            f"found no recipe {file.variable} in {file.path}, expected one such as {file.variable} = replace(recipes.VAE, "
            f"latent_dim=3); recipes in the file: {', '.join(recipes) or 'none'}{nearest(file.variable, recipes)}"
        )
    return replace(recipe, name=file.variable.lower())


def _execute(file: RecipeFile) -> ModuleType:
    """Execute a file as a module that can import the modules in its folder."""
    name = f"own.{file.path.stem}"  # part of the hash of a recipe with networks from the file, so it must never change
    module = sys.modules[name] = ModuleType(name)
    module.__file__ = str(file.path)
    folder = str(file.path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        exec(compile(file.content, str(file.path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:  # a reader's code may raise anything
        raise InputError(
            f"cannot import {file.path} ({type(error).__name__}: {one_line(error)}), expected a file that runs: "
            f"python {file.path} shows where it stops"
        ) from error
    finally:
        sys.path.remove(folder)
    return module


@torch.no_grad()
def require_image_output(model: nn.Module, x: Image, y: Labels | None) -> None:
    """Raise InputError if a reader's own network does not return images of the shape of `x` with values from 0 to 1.

    A copy of the model is tried in eval mode before training. A model of gmlib's networks alone is not tried.
    """
    if all(type(module).__module__.startswith(("gmlib.", "torch.")) for module in model.modules()):
        return
    model, rng = deepcopy(model).eval(), Generator(x.device).manual_seed(0)
    y = y if getattr(model, "num_classes", 0) else None
    try:
        if isinstance(model, VAE):
            model(x, y, generator=rng)
        images = model.sample(len(x), y, generator=rng) if isinstance(model, VAE | GAN) else x
    except Exception as error:  # a reader's code may raise anything
        raise InputError(
            f"the model cannot compute with images of shape {tuple(x.shape)} ({type(error).__name__}: {one_line(error)}), "
            "expected networks as gmlib.models has them: try the networks on a batch of images first"
        ) from error
    low, high = float(images.min()), float(images.max())
    if images.shape != x.shape or not -1e-6 <= low <= high <= 1 + 1e-6:
        raise InputError(
            f"got samples of shape {tuple(images.shape)} with values from {low:g} to {high:g}, expected the shape of the images, "
            f"{tuple(x.shape)}, and values from 0 to 1: end the generator with a sigmoid, or with (tanh + 1) / 2"
        )
