"""Ctrl-C in a real training loses nothing."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from gmlib import recipes
from tests import test_cli

gmlib = test_cli.gmlib  # the fixture that runs a command


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_in_training_loses_nothing(gmlib, tmp_path, monkeypatch):
    """The whole way, in a process of its own: train, Ctrl-C after two epochs, resume; equal to one that never stopped."""
    recipe = replace(recipes.VAE, batch_size=200, quick_epochs=6)
    program = (
        "import signal, sys, time, torch; from dataclasses import replace; from gmlib import cli, experiment, recipes; from gmlib.train import folder; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "  # a parent in the background has it ignored
        "torch.set_num_threads(1); "
        "experiment.IWAE_SAMPLES, experiment.measure_samples = 2, lambda *_, **__: {}; "
        "recipes.ALL['vae'] = replace(recipes.VAE, batch_size=200, quick_epochs=6); "
        "folder.Folder.keep = folder.Folder.save; "  # a checkpoint after each step
        "slow = cli.Progress.epoch; "  # time for the signal to arrive
        "cli.Progress.epoch = lambda self, state: (slow(self, state), time.sleep(0.3 if state.epoch > 1 else 0)); "
        "cli.main(sys.argv[1:])"
    )
    arguments = ["train", "vae", "--seed", "9", "--device", "cpu", "--out"]
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments, str(stopped)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = ""
        while not line.startswith("epoch    2"):
            line = process.stdout.readline()
            assert line, process.stderr.read()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 2
    assert re.fullmatch(rf"gmlib: stopped; {stopped} keeps the run[^\n]*--resume\n", err), err
    assert not list(stopped.glob("vae.*"))
    done = len((stopped / "history.csv").read_text().splitlines()) - 1
    assert 1 <= done < 6

    monkeypatch.setitem(recipes.ALL, "vae", recipe)
    monkeypatch.setattr("gmlib.experiment.IWAE_SAMPLES", 2)
    monkeypatch.setattr("gmlib.experiment.measure_samples", lambda *_, **__: {})
    status, out, err = gmlib(*arguments, stopped, "--resume")
    assert status == 0, err
    assert re.findall(r"^epoch +(\d)", out, re.M) == [str(epoch) for epoch in range(done + 1, 7)]
    assert gmlib(*arguments, whole)[0] == 0
    for name in ("vae.safetensors", "checkpoint-000000120.safetensors"):
        found, expected = load_file(stopped / name), load_file(whole / name)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert (stopped / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()
