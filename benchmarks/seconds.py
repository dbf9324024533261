"""Seconds of start-up, evaluation, and the chapters."""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Generator

from benchmarks.loops import digits
from benchmarks.timing import Effort, Row, clock
from gmlib import mnist, zoo
from gmlib.metrics import log_likelihood, measure_samples
from gmlib.seeds import stream

STATUS = Path(__file__).parents[1] / "book" / "status.json"
SAMPLES = 10_000


def import_seconds(statement: str, after: str = "pass", times: int = 5) -> float:
    """Return the median seconds of a statement in a new Python process."""
    code = f"import time; {after}; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    runs = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(times + 1)]
    return statistics.median(runs[1:])


def evaluation() -> dict[str, Callable[[], object]]:
    """Return the parts of an evaluation, as functions to be timed."""
    run, test, generator = zoo.pretrained("vae"), mnist("test"), Generator().manual_seed(0)
    grey, noise = digits(3)[:SAMPLES].grey(), stream(0, "jitter")  # so that no two of the repeated digits are the same
    real, others = ((grey + 0.02 * torch.rand(grey.shape, generator=noise)).clamp(0, 1) for _ in range(2))
    frequencies = torch.full((10,), 0.1)
    samples = run.model.sample(SAMPLES, generator=generator)
    measure_samples(samples[:500], real[:500], others[:500], frequencies)  # imports
    return {
        f"draw {SAMPLES:,} samples": lambda: run.model.sample(SAMPLES, generator=generator),
        "their metrics, with those of real digits": lambda: measure_samples(samples, real, others, frequencies),
        "log p(x) of 100 digits, k = 1000": lambda: log_likelihood(run.model, test[:100].binarised(), samples=1000),
    }


def measure(effort: Effort) -> list[Row]:
    """Return the seconds of start-up and evaluation."""
    found = {
        "import torch": import_seconds("import torch", times=effort.rounds),
        "import gmlib beyond it": import_seconds("import gmlib", after="import torch", times=effort.rounds),
    }
    found |= {name: clock(part) for name, part in evaluation().items()}
    return [{"what": name, "seconds": round(value, 3)} for name, value in found.items()]


def chapters() -> list[Row]:
    """Return the seconds of each chapter in the last run for the book."""
    return [
        {"chapter": name, "seconds": chapter.get("seconds")}
        for name, chapter in json.loads(STATUS.read_text())["chapters"].items()
    ]
