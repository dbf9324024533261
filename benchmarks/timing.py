"""Alternating measurements: if the machine's speed drifts, ratios within a round are still valid."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Advance = Callable[[int], object]  # trains this number of steps
Row = dict[str, object]  # of a table


def clock(work: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def spread(a: Sequence[float], b: Sequence[float]) -> dict[str, float]:
    """Return the median, lowest and highest ratio of two measurements, round by round."""
    ratios = [x / y for x, y in zip(a, b, strict=True)]
    found = {"ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
    return {name: round(value, 2) for name, value in found.items()}


@dataclass(frozen=True)
class Effort:
    """Seconds of one measurement and number of rounds; with the defaults `make bench` takes a quarter of an hour."""

    seconds: float = 0.3
    rounds: int = 5

    def steps(self, advance: Advance, multiple: int = 1) -> int:
        """Return the number of steps of one measurement: a multiple of `multiple`."""
        advance(multiple)
        return multiple * max(1, round(self.seconds / clock(lambda: advance(multiple))))

    def in_turn(self, measurements: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
        """Return one value per round of each measurement, after a round that is not counted."""
        rounds = [{name: measure() for name, measure in measurements.items()} for _ in range(self.rounds + 1)]
        return {name: [each[name] for each in rounds[1:]] for name in measurements}

    def rates(self, loops: Mapping[str, Advance], batch_size: int, multiple: int = 1) -> dict[str, list[float]]:
        """Return images per second of several loops, one value per round; all train the same number of steps."""
        steps = self.steps(next(iter(loops.values())), multiple)

        def rate(advance: Advance) -> Callable[[], float]:
            return lambda: steps * batch_size / clock(lambda: advance(steps))

        return self.in_turn({name: rate(advance) for name, advance in loops.items()})


def median(values: Sequence[float]) -> int:
    """Return the median of rates, rounded."""
    return round(statistics.median(values))
