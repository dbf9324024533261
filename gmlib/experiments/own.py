"""Recipes from a reader's own file: `my_recipes.py:MY_VAE`."""

import hashlib
import sys
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Generator, nn

from gmlib.errors import InputError, nearest, one_line
from gmlib.experiments.recipe import Recipe
from gmlib.files import require_writable, unreadable, write_whole
from gmlib.models.gan import GAN
from gmlib.models.vae import VAE
from gmlib.shapes import Image, Labels


def is_own(source: str) -> bool:
    """Return whether a text names a recipe in a file.

    Args:
        source: such as "my_recipes.py:MY_VAE".

    Returns:
        Whether it has the form FILE.py:NAME.
    """
    file, colon, name = source.rpartition(":")
    return bool(colon) and file.endswith(".py") and name.isidentifier()


@dataclass(frozen=True)
class OwnFile:
    """A reader's Python file, and the variable in it that is a recipe.

    Args:
        path: the file.
        variable: name of the recipe in it.
        content: bytes of the file, which are executed and kept beside the weights: later changes of the file do not matter.
    """

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
        """Refuse a folder in which the copy of the file would replace another file.

        Args:
            folder: of the run.

        Raises:
            InputError: if another file of this name is there, or the copy cannot be written.
        """
        copy = folder / self.path.name
        require_writable(copy)
        if copy.is_file() and copy.read_bytes() != self.content:
            raise InputError(
                f"{copy} differs from {self.path}, expected the same file or none: a run keeps a copy of its file there, "
                "so choose another --out, or move the file elsewhere"
            )

    def copy_to(self, folder: Path) -> None:
        """Write the file into the folder of a run, so that the run can be read where the original file is gone.

        Args:
            folder: of the run.
        """
        write_whole(folder / self.path.name, self.content)


def own_file(source: str) -> OwnFile:
    """Read a file with recipes. It is not executed.

    Args:
        source: FILE.py:NAME, where NAME is a recipe in the file.

    Returns:
        The file.

    Raises:
        InputError: if the file cannot be read.
    """
    file, _, variable = source.rpartition(":")
    path = Path(file)
    try:
        return OwnFile(path, variable, path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"found no file {path}, expected one with recipes: check its name") from error
    except OSError as error:
        raise unreadable(path, error) from error


def own_recipe(file: OwnFile) -> Recipe:
    """Return the recipe of a file. The file is executed.

    Args:
        file: what `own_file` read.

    Returns:
        The recipe, named after its variable in lower case.

    Raises:
        InputError: if the file cannot be imported, or has no such recipe.
    """
    module, name = _imported(file), file.variable
    found = getattr(module, name, None)
    recipes = [key for key, value in vars(module).items() if isinstance(value, Recipe)]
    if not isinstance(found, Recipe):
        what = f"a value of type {type(found).__name__}" if hasattr(module, name) else "nothing"
        raise InputError(
            f"found {what} under the name {name} in {file.path}, expected a recipe, such as "
            f"replace(recipes.VAE, latent_dim=3); recipes in the file: {', '.join(recipes) or 'none'}{nearest(name, recipes)}"
        )
    return replace(found, name=name.lower())


def _imported(file: OwnFile) -> Any:
    """Execute a file as a module that can import the modules in its folder."""
    path = file.path
    name = f"own.{path.stem}"  # a name that no other module has: it is in the hash of a recipe with own networks
    module = sys.modules[name] = ModuleType(name)
    module.__file__ = str(path)
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        exec(compile(file.content, str(path), "exec"), module.__dict__)
    except InputError as error:
        raise InputError(f"cannot import {path}: {error}") from error
    except (Exception, SystemExit) as error:  # of any kind: the file is the reader's
        raise InputError(
            f"cannot import {path} ({type(error).__name__}: {one_line(error)}), expected a file that runs: python {path} shows "
            "where it stops"
        ) from error
    finally:
        with suppress(ValueError):  # the file may have changed the list
            sys.path.remove(folder)
    return module


@torch.no_grad()
def require_working(model: nn.Module, x: Image, y: Labels | None) -> None:
    """Refuse a model with a reader's own network that returns another shape or range than expected, before it is trained.

    Models made of gmlib's networks alone are not tried.

    Args:
        model: a VAE or a GAN; a copy of it is tried in eval mode, so that it stays as it is.
        x: a few images of its training data, `(b, c, h, w)`.
        y: their labels `(b,)`, or None.

    Raises:
        InputError: if the networks do not fit each other or the images, or a generator leaves [0, 1].
    """
    if all(type(part).__module__.startswith(("gmlib.", "torch.")) for part in model.modules()):
        return
    model, noise = deepcopy(model).eval(), Generator(x.device).manual_seed(0)
    y = y if getattr(model, "num_classes", 0) else None
    try:
        if isinstance(model, GAN):
            _require_game(model, x, y, noise)
        elif isinstance(model, VAE):
            model(x, y, generator=noise)
            images = model.sample(len(x), y, generator=noise)
            if images.shape != x.shape:
                raise InputError(
                    f"got samples of shape {tuple(images.shape)} from the decoder, expected {tuple(x.shape)}: reshape its output"
                )
    except InputError:
        raise
    except Exception as error:  # of any kind: the network is the reader's
        raise InputError(
            f"the model cannot compute with images of shape {tuple(x.shape)} ({type(error).__name__}: {one_line(error)}), "
            "expected networks as gmlib.models has them: try the networks on a batch of images first"
        ) from error


def _require_game(gan: GAN, x: Image, y: Labels | None, noise: Generator) -> None:
    """Refuse a generator or a critic of a reader's own that does not do what the game needs."""
    images = gan.generator(torch.randn(len(x), gan.latent_dim, generator=noise, device=x.device), y)
    if images.shape != x.shape:
        raise InputError(
            f"got samples of shape {tuple(images.shape)} from the generator for images of shape {tuple(x.shape)}, "
            "expected the same: reshape its output"
        )
    low, high = float(images.min()), float(images.max())
    if not -1e-6 <= low <= high <= 1 + 1e-6:
        raise InputError(
            f"got samples from {low:g} to {high:g} from the generator, expected values from 0 to 1 as images have: end it with "
            "a sigmoid, or with (tanh + 1) / 2"
        )
