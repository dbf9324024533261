"""Devices: one that this machine has, or an error."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from gmlib import recipes
from gmlib.device import choose_device
from gmlib.experiments.fit import fit_profile


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)


def test_devices_that_are_there(two_gpus):
    assert choose_device("cpu") == choose_device(torch.device("cpu")) == torch.device("cpu")
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda", 1)


def test_the_first_kind_that_is_there(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    for apple, kind in ((True, "mps"), (False, "cpu")):
        monkeypatch.setattr("torch.backends.mps", SimpleNamespace(is_available=lambda apple=apple: apple))
        assert choose_device("auto").type == kind


@pytest.mark.parametrize("name", ["gpu", "", "meta", "cuda:2", 3])
def test_devices_that_are_not_there(two_gpus, refused, unchecked, name):
    with refused("got device", "cpu"):
        choose_device(name)


def test_fit_takes_names_of_devices_and_folders(few_digits, tmp_path, refused):
    recipe = replace(recipes.VAE, batch_size=16, quick_epochs=1)
    with refused("got device 'gpu'"):
        fit_profile(recipe, device="gpu", out=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    fit_profile(recipe, device="cpu", out=str(tmp_path / "run"))
    assert (tmp_path / "run" / "history.csv").is_file()
