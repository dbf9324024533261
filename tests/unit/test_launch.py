"""Starting several processes: nobody waits in silence, and what an earlier job left behind changes nothing."""

import os
import subprocess
import sys

import pytest
import torch

from gmlib import parallel
from gmlib.cli import main

JOB = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29517"}


@pytest.fixture
def environment(monkeypatch):
    """Set variables as torchrun does."""

    def set_them(**changed: str) -> None:
        for name, value in (JOB | changed).items():
            monkeypatch.setenv(name, value)

    return set_them


@pytest.mark.parametrize("changed", [{"WORLD_SIZE": "1"}, {"RANK": ""}, {"MASTER_ADDR": ""}])
def test_what_an_earlier_job_left_behind_changes_nothing(environment, changed):
    environment(**changed)
    assert parallel.rank() == 0
    assert parallel.init("cpu") == torch.device("cpu")
    assert parallel.world_size() == 1


def test_a_number_among_others(environment):
    environment()
    assert parallel.rank() == 1


@pytest.mark.parametrize(
    "changed",
    [
        *({"MASTER_PORT": "99999"}, {"MASTER_PORT": "port"}, {"RANK": "2"}, {"RANK": "-1"}, {"RANK": "x"}),
        *({"WORLD_SIZE": "0"}, {"WORLD_SIZE": "1.5"}, {"LOCAL_RANK": "x"}),
    ],
)
def test_impossible_numbers_are_named_by_the_process_that_has_them(environment, capsys, tmp_path, changed):
    environment(**changed)
    with pytest.raises(SystemExit) as left:
        main(["train", "vae", "--device", "cpu", "--out", str(tmp_path / "run")])
    out, err = capsys.readouterr()
    (name, value), *_ = changed.items()
    assert (left.value.code, out) == (2, "")
    assert err.startswith("gmlib: got ")
    assert err.count("\n") == 1
    assert f"{name}={value}" in err
    assert "torchrun" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("seconds", ["soon", "0", "-3", "inf", "nan"])
def test_how_long_to_wait_is_a_number(environment, refused, seconds):
    environment(GMLIB_WAIT=seconds)
    with refused(f"GMLIB_WAIT={seconds}", "seconds"):
        parallel.init("cpu")


@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_process_that_waits_says_so_and_gives_up(tmp_path, rank):
    numbers = JOB | {"RANK": rank, "LOCAL_RANK": rank, "GMLIB_WAIT": "2"}
    found = subprocess.run(
        [sys.executable, "-c", "import gmlib_cli; gmlib_cli.main()", "train", "vae", "--device", "cpu", "--out", "run"],
        env=os.environ | numbers,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    waits, gave_up = found.stderr.splitlines()
    assert found.returncode == 2
    assert f"process {rank} of 2 waits for the others at 127.0.0.1:29517" in waits
    assert "GMLIB_WAIT" in waits
    assert gave_up.startswith(f"gmlib: process {rank} of 2 has not met the others")
    assert not (tmp_path / "run").exists()
