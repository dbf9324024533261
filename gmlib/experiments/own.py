"""Recipes from a reader's own file: `my_recipes.py:MY_VAE`."""

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


def is_own(source: str) -> bool:
    """Return whether a text has the form FILE.py:NAME."""
    file, colon, name = source.rpartition(":")
    return bool(colon) and file.endswith(".py") and name.isidentifier()


@dataclass(frozen=True)
class OwnFile:
    """A reader's Python file, the name of the recipe in it, and its bytes, which are executed and kept beside the weights."""

    path: Path
    variable: str
    content: bytes

    @property
    def about(self) -> dict[str, str]:
        """What the record of a run states of the file."""
        return {
            "recipe_file": self.path.name,
            "recipe_variable": self.variable,
            "recipe_file_sha256": hashlib.sha256(self.content).hexdigest(),
        }

    def require_place(self, folder: Path) -> None:
        """Refuse a folder of a run in which the copy of the file would replace another file."""
        copy = folder / self.path.name
        require_writable(copy)
        if copy.is_file() and copy.read_bytes() != self.content:
            raise InputError(
                f"{copy} differs from {self.path}, expected the same file or none: a run keeps a copy of its file there, "
                "so choose another --out, or move the file elsewhere"
            )

    def copy_to(self, folder: Path) -> None:
        """Write the file into the folder of a run, so that the run can be read where the original file is gone."""
        write_whole(folder / self.path.name, self.content)


def own_file(source: str) -> OwnFile:
    """Read FILE.py:NAME, without executing the file."""
    file, _, variable = source.rpartition(":")
    path = Path(file)
    try:
        return OwnFile(path, variable, path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"found no file {path}, expected one with recipes: check its name") from error
    except OSError as error:
        raise unreadable(path, error) from error


def own_recipe(file: OwnFile) -> Recipe:
    """Execute a file, and return its recipe, named after its variable in lower case."""
    module, name = _imported(file), file.variable
    found = getattr(module, name, None)
    if not isinstance(found, Recipe):
        recipes = [key for key, value in vars(module).items() if isinstance(value, Recipe)]
        raise InputError(
            f"found no recipe {name} in {file.path}, expected one such as {name} = replace(recipes.VAE, latent_dim=3); "
            f"recipes in the file: {', '.join(recipes) or 'none'}{nearest(name, recipes)}"
        )
    return replace(found, name=name.lower())


def _imported(file: OwnFile) -> ModuleType:
    """Execute a file as a module that can import the modules in its folder."""
    name = f"own.{file.path.stem}"  # a name that no other module has: it is in the hash of a recipe with own networks
    module = sys.modules[name] = ModuleType(name)
    module.__file__ = str(file.path)
    folder = str(file.path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        exec(compile(file.content, str(file.path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:  # of any kind: the file is the reader's
        raise InputError(
            f"cannot import {file.path} ({type(error).__name__}: {one_line(error)}), expected a file that runs: "
            f"python {file.path} shows where it stops"
        ) from error
    finally:
        sys.path.remove(folder)
    return module


@torch.no_grad()
def require_working(model: nn.Module, x: Image, y: Labels | None) -> None:
    """Refuse a reader's own network that returns another shape or range than expected, before it is trained.

    A copy of the model is tried in eval mode on a few images and their labels. Models made of gmlib's networks alone are
    not tried.
    """
    if all(type(part).__module__.startswith(("gmlib.", "torch.")) for part in model.modules()):
        return
    model, noise = deepcopy(model).eval(), Generator(x.device).manual_seed(0)
    y = y if getattr(model, "num_classes", 0) else None
    try:
        if isinstance(model, VAE):
            model(x, y, generator=noise)
        images = model.sample(len(x), y, generator=noise) if isinstance(model, VAE | GAN) else x
    except Exception as error:  # of any kind: the network is the reader's
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
