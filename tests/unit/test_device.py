"""Devices: one that is there, or a sentence."""

from dataclasses import replace

import pytest
import torch

from gmlib import recipes
from gmlib.device import choose_device
from gmlib.experiments.evaluate import save
from gmlib.experiments.fit import fit_profile


def test_devices_that_are_there():
    assert choose_device("cpu") == choose_device(torch.device("cpu")) == torch.device("cpu")
    kinds = ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available() + ["cpu"]
    assert choose_device("auto").type == kinds[0]


@pytest.mark.parametrize("name", ["gpu", "", "meta", "cuda:99", 3])
def test_devices_that_are_not_there(refused, unchecked, name):
    with refused("got device", "expected auto", "cpu"):
        choose_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device that is asked for")
def test_a_recipe_refuses_a_device_that_is_not_there(few_digits, tmp_path, refused):
    with refused("got device 'cuda'"):
        fit_profile(recipes.VAE, device="cuda", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_may_be_named_by_text(few_digits, tmp_path):
    recipe = replace(recipes.VAE, batch_size=16, quick_epochs=1)
    run = fit_profile(recipe, out=str(tmp_path / "run"))
    assert (tmp_path / "run" / "history.csv").is_file()
    save(run, str(tmp_path / "run"))
    assert (tmp_path / "run" / "vae.json").is_file()
