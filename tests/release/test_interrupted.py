"""Ctrl-C and SIGKILL in a real training lose nothing."""

import os
import re
import signal
import subprocess
import sys

import pytest
from safetensors.torch import load_file

from tests.unit.training.test_checkpoint import same

pytestmark = pytest.mark.xdist_group("interrupted")

SLOW = """
import signal, sys, time
from dataclasses import replace
import torch
from gmlib import cli, recipes
from gmlib.metrics import models
from gmlib.training.checkpoint import Folder

signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent in the background ignores it
torch.set_num_threads(1)
models.IWAE_SAMPLES, models.measure_samples = 2, lambda *_, **__: {}
recipes.ALL["vae"] = replace(recipes.VAE, batch_size=200, quick_epochs=6)
Folder.keep = Folder.save  # a checkpoint after each step
epoch = cli.Progress.epoch  # time for the signal to arrive
cli.Progress.epoch = lambda self, state: (epoch(self, state), time.sleep(0.3 if state.epoch > 1 else 0))
cli.main(["train", "vae", "--seed", "9", "--device", "cpu", "--out", *sys.argv[1:]])
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_in_training_loses_nothing(tmp_path):
    """Train, press Ctrl-C after two epochs, resume: the run equals one that was never stopped."""
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"

    def start(*arguments) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SLOW, *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    process = start(stopped)
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

    resumed, other = start(stopped, "--resume"), start(whole)
    out, err = resumed.communicate()
    assert resumed.returncode == 0, err
    assert re.findall(r"^epoch +(\d)", out, re.M) == [str(epoch) for epoch in range(done + 1, 7)]
    _, err = other.communicate()
    assert other.returncode == 0, err
    for name in ("vae.safetensors", "checkpoint-000000120.safetensors"):
        assert same(load_file(stopped / name), load_file(whole / name))
    assert (stopped / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork a process")
def test_killed_at_twenty_random_moments_it_ends_as_if_never_killed(tmp_path):
    """SIGKILL at random moments: in a step, at the end of an epoch, or while a checkpoint is written.

    One process imports gmlib and forks a child for each start of `gmlib train`, since the imports would take longest.
    """
    program = """
import os, random, signal, sys, time
from dataclasses import replace
import torch
torch.set_num_threads(1)
from gmlib import cli, measuring, recipes
from gmlib.metrics import models
from gmlib.training.checkpoint import Folder

torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])  # imports what every child would import again
load = measuring.load
measuring.load = lambda *where, **how: load(*where, **how)[:1000]
models.IWAE_SAMPLES, models.measure_samples = 2, lambda *_, **__: {}
recipes.ALL["vae"] = replace(recipes.VAE, batch_size=50, quick_epochs=3)
Folder.keep = lambda folder, state: folder.save(state) if state.step % 5 == 0 else None
out = sys.argv[1]

def start(folder, *options):
    child = os.fork()
    if child:
        return child
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        cli.main(["train", "vae", "--seed", "5", "--device", "cpu", "--out", f"{out}/{folder}", *options])
    except SystemExit as left:
        os._exit(left.code or 0)

begun = time.perf_counter()
assert os.waitpid(start("whole"), 0)[1] == 0
length = time.perf_counter() - begun
seed = random.randrange(10**9)
print("seed", seed)
random.seed(seed)
kills = 0
for run in range(4):
    kind = 0
    while kind < 5 or not finished:
        child = start(f"run{run}", "--resume")
        finished = False
        if kind < 5:
            time.sleep(random.uniform(0.01, length / 2))
            os.kill(child, signal.SIGKILL)
            kills += 1
        status = os.waitpid(child, 0)[1]
        kind += 1
        finished = status == 0
        assert finished or os.WIFSIGNALED(status), status
print("kills", kills)
"""
    found = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "kills 20" in found.stdout
    for run in range(4):
        for name in ("vae.safetensors", "checkpoint-000000060.safetensors"):
            assert same(load_file(tmp_path / f"run{run}" / name), load_file(tmp_path / "whole" / name)), found.stdout
        assert (tmp_path / f"run{run}" / "history.csv").read_bytes() == (
            tmp_path / "whole" / "history.csv"
        ).read_bytes()
