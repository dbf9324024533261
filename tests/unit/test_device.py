"""Devices: one that this machine has, or an error."""

from types import SimpleNamespace

import pytest
import torch

from gmlib.device import choose_device


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)


def test_devices_of_this_machine(two_gpus):
    assert choose_device("cpu") == choose_device(torch.device("cpu")) == torch.device("cpu")
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize(("apple", "kind"), [(True, "mps"), (False, "cpu")])
def test_without_an_nvidia_gpu(monkeypatch, apple, kind):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("torch.backends.mps", SimpleNamespace(is_available=lambda: apple))
    assert choose_device("auto").type == kind


@pytest.mark.parametrize("name", ["gpu", "", "meta", "cuda:2", 3])
def test_other_devices(two_gpus, refused, unchecked, name):
    with refused("got device", "cpu"):
        choose_device(name)
