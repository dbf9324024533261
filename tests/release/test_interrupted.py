"""Ctrl-C and SIGKILL in a real training lose nothing."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.unit.training.common import differences

pytestmark = pytest.mark.xdist_group("interrupted")

CTRL_C = """
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
Folder.save_if_due = Folder.save  # a checkpoint after each step
epoch = cli.Progress.epoch  # slower, so that the signal arrives during training
cli.Progress.epoch = lambda self, state: (epoch(self, state), time.sleep(0.3 if state.epoch > 1 else 0))
cli.main(["train", "vae", "--seed", "9", "--device", "cpu", "--out", *sys.argv[1:]])
"""

KILL = """
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
Folder.save_if_due = lambda folder, state: folder.save(state) if state.step % 5 == 0 else None
out = sys.argv[1]

def start(folder, *options):
    child = os.fork()
    if child:
        return child
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        cli.main(["train", "vae", "--seed", "5", "--device", "cpu", "--out", f"{out}/{folder}", *options])
    except SystemExit as end:
        os._exit(end.code or 0)

started = time.perf_counter()
assert os.waitpid(start("whole"), 0)[1] == 0
length = time.perf_counter() - started
seed = random.randrange(10**9)
print("seed", seed)
random.seed(seed)
for run in range(4):
    for kill in range(5):
        child = start(f"run{run}", "--resume")
        time.sleep(random.uniform(0.01, length / 2))
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        assert status == 0 or os.WIFSIGNALED(status), status
    assert os.waitpid(start(f"run{run}", "--resume"), 0)[1] == 0
"""


def assert_same_run(first: Path, second: Path, last_step: int) -> None:
    assert differences(load_file(first / "vae.safetensors"), load_file(second / "vae.safetensors")) == []
    states = (torch.load(folder / f"checkpoint-{last_step:09d}.pt")["state"] for folder in (first, second))
    assert differences(*states) == []
    assert (first / "history.csv").read_bytes() == (second / "history.csv").read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_in_training_loses_nothing(tmp_path):
    """Train, press Ctrl-C after two epochs, resume: the run equals one that was never stopped."""
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"

    def start(*arguments) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CTRL_C, *map(str, arguments)]
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
    epochs = len((stopped / "history.csv").read_text().splitlines()) - 1
    assert 1 <= epochs < 6

    resumed, other = start(stopped, "--resume"), start(whole)
    out, err = resumed.communicate()
    assert resumed.returncode == 0, err
    assert re.findall(r"^epoch +(\d)", out, re.M) == [str(epoch) for epoch in range(epochs + 1, 7)]
    _, err = other.communicate()
    assert other.returncode == 0, err
    assert_same_run(stopped, whole, last_step=120)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork a process")
def test_a_run_that_is_killed_at_random_moments_ends_as_one_that_is_not(tmp_path):
    """Twenty times SIGKILL: in a step, at the end of an epoch, or while a checkpoint is written.

    One process imports gmlib and forks a child for each start of `gmlib train`, since the imports would take longest.
    """
    ended = subprocess.run([sys.executable, "-c", KILL, tmp_path], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for run in range(4):
        assert_same_run(tmp_path / f"run{run}", tmp_path / "whole", last_step=60)
