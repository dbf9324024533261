"""Many runs side by side, for a limited time: tools/gpu.sh."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest


def gpu(*arguments, **environment) -> subprocess.CompletedProcess:
    """Run tools/gpu.sh on the CPU, on the embedded digits."""
    root = Path(__file__).resolve().parents[2]
    settings = {
        "CUDA_VISIBLE_DEVICES": "",
        "DEVICE": "cpu",
        "PROFILE": "quick",
        "PRECISION": "float32",
        "PYTHON": sys.executable,
    } | environment
    command = ["bash", str(root / "tools" / "gpu.sh"), *map(str, arguments)]
    return subprocess.run(command, cwd=root, env=os.environ | settings, capture_output=True, text=True, timeout=300)


def test_runs_side_by_side_stop_in_time_go_on_and_are_packed(tmp_path):
    """wgan_gp takes longer than its seconds; the other name is no recipe."""
    first = gpu(20, tmp_path / "runs", "wgan_gp", "wgann")
    assert first.returncode == 1
    assert "wgan_gp: stopped after 20 s" in first.stdout
    assert "wgann: failed with status 2: " in first.stderr
    assert "did you mean 'wgan'" in first.stderr
    with tarfile.open(tmp_path / "runs" / "out" / "wgan_gp.tar") as archive:
        names = sorted(archive.getnames())
    assert names[0].startswith("./checkpoint-")
    assert names[1] == "./history.csv"
    step = max(int(path.stem.split("-")[1]) for path in (tmp_path / "runs" / "wgan_gp").glob("checkpoint-*.pt"))
    assert gpu(20, tmp_path / "runs", "wgan_gp").returncode == 0
    assert max(int(path.stem.split("-")[1]) for path in (tmp_path / "runs" / "wgan_gp").glob("checkpoint-*.pt")) > step


def test_a_gpu_that_is_not_there_is_named(tmp_path):
    gone = gpu(20, tmp_path, "vae", DEVICE="cuda")
    assert gone.returncode == 1
    assert "vae: failed with status 2: " in gone.stderr
    assert "got device 'cuda'" in gone.stderr
    assert "Traceback" not in (tmp_path / "vae.log").read_text()


@pytest.mark.parametrize("arguments", [(), ("runs", "wgan_gp"), (20, "runs")])
def test_gpu_without_its_arguments_says_what_it_expects(arguments):
    wrong = gpu(*arguments)
    assert wrong.returncode == 2
    assert "expected SECONDS FOLDER RECIPE..." in wrong.stderr
