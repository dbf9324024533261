"""Measuring in turn: a machine whose speed drifts is fair to all, and ratios hold where seconds do not."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Advance = Callable[[int], object]  # trains so many steps
Row = dict[str, object]  # of a table


def clock(work: Callable[[], object]) -> float:
    """Time a piece of work."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def spread(a: Sequence[float], b: Sequence[float]) -> dict[str, float]:
    """Compare two things that were measured in turn."""
    ratios = [x / y for x, y in zip(a, b, strict=True)]
    found = {"ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
    return {name: round(value, 2) for name, value in found.items()}


@dataclass(frozen=True)
class Effort:
    """How long each thing is measured: the whole bench takes a quarter of an hour with these."""

    seconds: float = 0.3
    rounds: int = 5

    def steps(self, advance: Advance, multiple: int = 1) -> int:
        """Choose how many steps make a measurement."""
        advance(multiple)
        return multiple * max(1, round(self.seconds / clock(lambda: advance(multiple))))

    def in_turn(self, measurements: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
        """Measure several things alternately."""
        rounds = [{name: measure() for name, measure in measurements.items()} for _ in range(self.rounds + 1)]
        return {name: [each[name] for each in rounds[1:]] for name in measurements}

    def rates(self, loops: Mapping[str, Advance], batch_size: int, multiple: int = 1) -> dict[str, list[float]]:
        """Train in several ways, in turn: as many steps of each."""
        steps = self.steps(next(iter(loops.values())), multiple)

        def rate(advance: Advance) -> Callable[[], float]:
            return lambda: steps * batch_size / clock(lambda: advance(steps))

        return self.in_turn({name: rate(advance) for name, advance in loops.items()})


def median(values: Sequence[float]) -> int:
    """Return the median of some rates."""
    return round(statistics.median(values))
