"""Metrics as text."""

from typing import NamedTuple


def printed(name: str, value: float | None) -> str:
    """Return a metric as text: nats with two decimals, counts with none, all else with three."""
    if value is None:
        return ""
    plain = name.removeprefix("mnist5k_").removeprefix("mean_")
    if isinstance(value, int) or plain.startswith("digits"):
        return f"{value:,.0f}"
    return f"{value:,.{2 if plain.startswith(('test_elbo', 'test_log', 'kl')) else 3}f}"


def metrics_table(metrics: dict[str, float]) -> str:
    """Return metrics as text: one row for each, beside the value of real images; of MNIST on official and on embedded digits."""
    names = list(dict.fromkeys(name.removeprefix("mnist5k_").removesuffix("_real") for name in metrics))
    digits = any(name.startswith("mnist5k_") for name in metrics)
    sets = {"": "official", "mnist5k_": "mnist5k"} if digits else {"": "test"}
    lines = [f"{'':<28}" + "".join(f"{title:>12}{'real':>12}" for title in sets.values())]
    for name in names:
        cells = [f"{prefix}{name}{suffix}" for prefix in sets for suffix in ("", "_real")]
        lines.append(f"{name:<28}" + "".join(f"{printed(cell, metrics.get(cell)):>12}" for cell in cells))
    return "\n".join(line.rstrip() for line in lines)


class Compared(NamedTuple):
    """A metric as it is stored and as it was measured again, to the digits that are printed."""

    name: str
    stored: str
    again: str

    @property
    def same(self) -> bool:
        """Whether both print alike."""
        return self.stored == self.again


def compared(stored: dict[str, float], again: dict[str, float], *, full: bool) -> list[Compared]:
    """Return a comparison for each stored metric; if not `full`, for those of the embedded digits only."""
    return [
        Compared(name, printed(name, value), printed(name, again.get(name)))
        for name, value in stored.items()
        if full or name.startswith("mnist5k_")
    ]
