"""Metrics as text."""

from typing import NamedTuple


def printed(name: str, value: float | None) -> str:
    """Give a metric with the digits that it is worth.

    Args:
        name: of the metric.
        value: its value, or None where there is none.

    Returns:
        Nats with two decimals, counts with none, all else with three.
    """
    if value is None:
        return ""
    plain = name.removeprefix("mnist5k_").removeprefix("mean_")
    if isinstance(value, int) or plain.startswith("digits"):
        return f"{value:,.0f}"
    return f"{value:,.{2 if plain.startswith(('test_elbo', 'test_log', 'kl')) else 3}f}"


def metrics_table(metrics: dict[str, float]) -> str:
    """Lay out metrics: a row each, beside the value that real images reach; of MNIST on official and on embedded digits.

    Args:
        metrics: as `evaluate` or `evaluate_digits` returns them.

    Returns:
        Text of several lines.
    """
    names = list(dict.fromkeys(name.removeprefix("mnist5k_").removesuffix("_real") for name in metrics))
    digits = any(name.startswith("mnist5k_") for name in metrics)
    sets = {"": "official", "mnist5k_": "mnist5k"} if digits else {"": "test"}
    columns = [(prefix, suffix) for prefix in sets for suffix in ("", "_real")]
    lines = [f"{'':<28}" + "".join(f"{title:>12}{'real':>12}" for title in sets.values())]
    for name in names:
        cells = [f"{prefix}{name}{suffix}" for prefix, suffix in columns]
        lines.append(f"{name:<28}" + "".join(f"{printed(cell, metrics.get(cell)):>12}" for cell in cells))
    return "\n".join(line.rstrip() for line in lines)


class Compared(NamedTuple):
    """A metric as it is stored and as it came out again, to the digits that are printed."""

    name: str
    stored: str
    again: str

    @property
    def same(self) -> bool:
        """Whether both print alike."""
        return self.stored == self.again


def compared(stored: dict[str, float], again: dict[str, float], *, full: bool) -> list[Compared]:
    """Hold metrics that were measured again against the stored ones.

    Args:
        stored: with a run.
        again: as `evaluate` measures them now.
        full: whether that was on the official digits too; else only metrics of the embedded ones are compared.

    Returns:
        One for each stored metric; what did not come out again at all is not the same.
    """
    return [
        Compared(name, printed(name, value), printed(name, again.get(name)))
        for name, value in stored.items()
        if full or name.startswith("mnist5k_")
    ]
