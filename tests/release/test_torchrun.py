"""Two processes over gloo, started once by torchrun, train the same as one process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file

from gmlib import zoo
from gmlib.experiments.run import Run

pytestmark = [
    pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch was built without torch.distributed"),
    pytest.mark.xdist_group("torchrun"),
]

PROGRAM = Path(__file__).with_name("together.py")
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


class Launch(NamedTuple):
    """The folder that `together.py` wrote, and how it ended."""

    folder: Path
    ended: subprocess.CompletedProcess[str]

    def facts(self, name: str, rank: int = 0) -> dict[str, Any]:
        return json.loads((self.folder / f"{name}-{rank}.json").read_text())

    def tensors(self, name: str) -> dict[str, torch.Tensor]:
        return load_file(self.folder / f"{name}.safetensors")

    def run(self) -> Run:
        return zoo.load_run(self.folder / "run", "vae")


def start(folder: Path, *through: str) -> Launch:
    folder.mkdir()
    command = [sys.executable, *through, str(PROGRAM), str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (folder / "end-0.json").is_file(), ended.stderr  # written before the last command
    return Launch(folder, ended)


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> tuple[Launch, Launch]:
    folder = tmp_path_factory.mktemp("together")
    return start(folder / "one"), start(folder / "two", *TORCHRUN)


def test_one_process_is_compared_with_two(both):
    assert [launch.facts("end")["processes"] for launch in both] == [1, 2]
    assert both[1].facts("end", 1) == {"processes": 2}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-11)])
def test_two_processes_have_the_gradients_of_one(both, dtype, tolerance):
    """Of a VAE with batch norm, of its IWAE bound, of critics with a gradient penalty, and of a generator."""
    one, two = (launch.tensors(dtype) for launch in both)
    assert one.keys() == two.keys()
    assert sum("weight" in key for key in one) >= 10
    for key, value in one.items():
        if not value.is_floating_point():
            assert torch.equal(value, two[key]), key
        elif key.startswith("bfloat16"):
            assert (two[key] - value).norm() <= 0.02 * max(1, value.norm()), key
        # log-weights are hundreds of nats, whose rounding in float32 alone moves their softmax by more
        elif dtype == "float64" or not key.startswith("iwae"):
            assert value.norm() > 0 or key.endswith("bias"), key  # a bias on which the loss does not depend
            assert (two[key] - value).norm() <= tolerance * max(1, value.norm()), key


def test_two_processes_train_the_gans_of_one(both):
    """With batch norm in both networks, with a gradient penalty, in packs, and of stacks; without dropout."""
    one, two = (launch.tensors("gans") for launch in both)
    assert one.keys() == two.keys()
    assert sum("weight" in key for key in one) >= 16
    for key, value in one.items():
        if value.is_floating_point():
            assert (two[key] - value).norm() <= 1e-5 * max(1, value.norm()), key
        else:
            assert torch.equal(value, two[key]), key


def test_torchrun_trains_what_one_process_trains(both):
    runs = [launch.run() for launch in both]
    assert [run.record["processes"] for run in runs] == [1, 2]
    for one, two in zip(*(run.history.rows for run in runs), strict=True):
        assert one == pytest.approx(two, rel=2e-3)


def test_the_first_process_alone_prints_and_writes(both):
    first, second = (both[1].facts("first", rank) for rank in (0, 1))
    assert (first["status"], second["status"]) == (0, 0), first["err"]
    assert re.findall(r"^epoch +(\d)/2", first["out"], re.M) == ["1", "2"]
    assert first["out"].count("wrote") == 1
    assert second["out"] == ""


def test_both_processes_resume_a_finished_run(both):
    for rank in (0, 1):
        again = both[1].facts("again", rank)
        assert again["status"] == 0, again["err"]
        assert not re.findall(r"^epoch", again["out"], re.M)


def test_an_existing_run_is_refused_by_one_message(both):
    """By the last command, in the output of torchrun."""
    one, two = both
    assert one.ended.returncode == 2
    assert two.ended.returncode != 0
    for folder, ended in both:
        assert ended.stderr.count("gmlib: ") == 1
        assert f"gmlib: {folder / 'run'} holds a run already" in ended.stderr
        assert "gmlib/cli.py" not in ended.stderr  # no traceback of ours


def test_a_batch_that_cannot_be_shared(both):
    assert both[0].facts("indivisible batch") == {"error": ""}
    for rank in (0, 1):
        assert "2 processes for a batch of 51" in both[1].facts("indivisible batch", rank)["error"]
