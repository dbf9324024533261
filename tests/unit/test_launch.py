"""Joining several processes: variables of an earlier job change nothing, and nobody waits in silence."""

import os
import signal
import socket
import subprocess
import sys

import pytest
import torch

from gmlib import parallel

JOB = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29517"}


@pytest.fixture
def environment(monkeypatch):
    """Set variables as torchrun does."""

    def set_them(**changed: str) -> None:
        for name, value in (JOB | changed).items():
            monkeypatch.setenv(name, value)

    return set_them


@pytest.mark.parametrize("changed", [{"WORLD_SIZE": "1"}, {"RANK": ""}, {"MASTER_ADDR": ""}])
def test_variables_of_an_earlier_job_change_nothing(environment, changed):
    environment(**changed)
    assert parallel.rank() == 0
    assert parallel.init("cpu") == torch.device("cpu")
    assert parallel.world_size() == 1


def test_the_number_of_a_process_is_known_before_they_meet(environment):
    environment()
    assert parallel.rank() == 1
    assert parallel.world_size() == 1


def test_a_port_that_is_taken_is_an_error_of_this_process(environment):
    before = signal.getsignal(signal.SIGINT)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment(RANK="0", MASTER_PORT=str(taken.getsockname()[1]))
        with pytest.raises(parallel.AloneError, match="process 0 of 2 did not meet"):
            parallel.init("cpu")
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_a_process_that_waits_reports_it_and_ends_on_ctrl_c():
    program = (
        "import signal; from gmlib import parallel; parallel.NOTICE = 0.1; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "  # a parent in the background ignores it
        "parallel.init('cpu')"
    )
    waiting = subprocess.Popen([sys.executable, "-c", program], env=os.environ | JOB, stderr=subprocess.PIPE, text=True)
    try:
        while "process 1 of 2 waits for the others" not in (line := waiting.stderr.readline()):
            assert line
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait(30) == -signal.SIGINT
    finally:
        waiting.kill()
        waiting.communicate()
