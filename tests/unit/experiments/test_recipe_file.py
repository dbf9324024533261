"""Recipes in a Python file: import, refusals, and the copy of the file in the folder of a run."""

import sys
from pathlib import Path

import pytest
import torch

from gmlib import InputError, recipes
from gmlib.cli import find_run
from gmlib.experiments.recipe import VAERecipe
from gmlib.experiments.recipe_file import read_recipe_file, recipe_from
from gmlib.experiments.run import read_run
from tests.unit import test_cli

gmlib, mistake = test_cli.gmlib, test_cli.mistake  # the fixtures that run a command

RECIPES = """
from dataclasses import replace
import torch
from torch import nn
from gmlib import recipes

TINY = dict(batch_size=16, quick_epochs=1, epochs=1)


class Generator(nn.Module):
    def __init__(self, latent_dim, num_classes, batch_norm, channels):
        super().__init__()
        self.latent_dim, self.num_classes = latent_dim, num_classes
        self.net = nn.Sequential(nn.Linear(latent_dim, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))

    def forward(self, z, y=None):
        return self.net(z)


class Loud(Generator):
    def forward(self, z, y=None):
        return 3 * self.net(z) - 1


class Narrow(Generator):
    def forward(self, z, y=None):
        return self.net(z)[..., :27]


class Broken(Generator):
    def forward(self, z, y=None):
        return self.net(z.T)


MY_VAE = replace(recipes.VAE, latent_dim=3, **TINY)
MY_GAN = replace(recipes.GAN, generator=Generator, **TINY)
LOUD = replace(MY_GAN, generator=Loud)
NARROW = replace(MY_GAN, generator=Narrow)
BROKEN = replace(MY_GAN, generator=Broken)
COUNT = 3
"""


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "my_recipes.py"
    path.write_text(RECIPES)
    return path


def test_a_recipe_is_read_from_its_file(file):
    found = read_recipe_file(f"{file}:MY_VAE")
    recipe = recipe_from(found)
    assert isinstance(recipe, VAERecipe)
    assert (recipe.name, recipe.latent_dim) == ("my_vae", 3)
    assert recipe.hash != recipes.VAE.hash
    assert found.record["recipe_file"] == "my_recipes.py"
    hashes = [recipe_from(read_recipe_file(f"{file}:{name}")).hash for name in ("MY_GAN", "MY_GAN", "LOUD")]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("my_recipes.py:MY_VEA", "did you mean 'MY_VAE'"),
        ("my_recipes.py:COUNT", "recipes in the file: MY_VAE"),
        ("nowhere.py:X", "found no file"),
        ("bad.py:X", "ZeroDivisionError"),
        ("syntax.py:X", "SyntaxError"),
        ("refused.py:X", "got lr"),
        ("leaves.py:X", "SystemExit"),
    ],
)
def test_files_without_such_a_recipe(file, tmp_path, refused, source, word):
    (tmp_path / "bad.py").write_text("X = 1 / 0")
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)")
    (tmp_path / "syntax.py").write_text("X = (")
    (tmp_path / "refused.py").write_text(
        "from dataclasses import replace\nfrom gmlib import recipes\nX = replace(recipes.VAE, lr=-1)"
    )
    before = list(sys.path)
    with refused(word, source.partition(":")[0]):
        recipe_from(read_recipe_file(f"{tmp_path}/{source}"))
    assert sys.path == before


def test_a_file_imports_the_modules_in_its_folder(tmp_path):
    (tmp_path / "beside_it.py").write_text("LATENTS = 5")
    (tmp_path / "mine.py").write_text(
        "from dataclasses import replace\nfrom gmlib import recipes\nfrom beside_it import LATENTS\n"
        "X = replace(recipes.VAE, latent_dim=LATENTS)"
    )
    assert recipe_from(read_recipe_file(f"{tmp_path / 'mine.py'}:X")).latent_dim == 5


@pytest.mark.parametrize("name", ["MY_VAE", "MY_GAN"])
def test_a_run_of_an_own_recipe_is_trained_sampled_and_evaluated(gmlib, few_digits, file, tmp_path, name):
    status, out, err = gmlib("train", f"{file}:{name}", "--out", tmp_path / "run", "--device", "cpu")
    assert status == 0, err
    record = read_run(tmp_path / "run" / f"{name.lower()}.safetensors")[0]
    assert record["recipe_file"] == "my_recipes.py"
    file.unlink()  # the run has its own copy
    assert find_run(str(tmp_path / "run")).recipe.name == name.lower()
    assert gmlib("sample", tmp_path / "run", "-n", 4, "--out", tmp_path / "x.png")[0] == 0
    status, out, err = gmlib("evaluate", tmp_path / "run", "--out", tmp_path / "e.json")
    assert status == 0, err
    assert "as stored with the run" in out
    (tmp_path / "run" / "my_recipes.py").write_text("raise SystemExit('it was executed')")
    with pytest.raises(InputError, match="was changed since"):
        find_run(str(tmp_path / "run"))


def test_the_file_that_was_trained_with_is_kept_though_it_changes_meanwhile(
    gmlib, few_digits, file, tmp_path, monkeypatch
):
    monkeypatch.setattr("gmlib.cli.Progress.epoch", lambda *_: file.write_text("changed"))
    status, _, err = gmlib("train", f"{file}:MY_VAE", "--out", tmp_path / "run", "--device", "cpu")
    assert status == 0, err
    assert file.read_text() == "changed"
    assert find_run(str(tmp_path / "run")).recipe.latent_dim == 3


def test_a_copy_replaces_no_other_file(mistake, few_digits, file, tmp_path, monkeypatch):
    monkeypatch.setattr("gmlib.experiments.fit.fit_vae", lambda *_, **__: pytest.fail("trained first"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "my_recipes.py").write_text("mine")
    mistake(["train", f"{file}:MY_VAE", "--out", tmp_path / "run", "--device", "cpu"], "differs from", "another --out")
    assert [path.read_text() for path in (tmp_path / "run").iterdir()] == ["mine"]


def test_show_prints_an_recipe_from(gmlib, mistake, file):
    status, out, err = gmlib("show", f"{file}:MY_GAN")
    assert (status, err) == (0, "")
    assert "Sigmoid" in out
    mistake(["show", file], f"got '{file}'", "FILE.py:NAME")
    mistake(["train", f"{file}:"], f"got '{file}:'", "FILE.py:NAME")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("LOUD", ("values from 0 to 1", "sigmoid")),
        ("NARROW", ("(4, 1, 28, 27)", "(4, 1, 28, 28)")),
        ("BROKEN", ("cannot compute", "RuntimeError")),
    ],
)
def test_networks_that_do_not_fit_are_refused_before_training(gmlib, few_digits, file, tmp_path, name, parts):
    status, _, err = gmlib("train", f"{file}:{name}", "--out", tmp_path / "run", "--device", "cpu")
    assert status == 2
    assert [part for part in parts if part not in err] == [], err
    assert not (tmp_path / "run").exists()
    assert torch.is_grad_enabled()
