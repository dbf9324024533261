"""Metrics as text, and the comparison of stored metrics with those computed again."""

from typing import NamedTuple


def format_metric(name: str, value: float | None) -> str:
    """Return a metric as text: nats with two decimals, counts with none, all else with three."""
    if value is None:
        return ""
    plain_name = name.removeprefix("mnist5k_").removeprefix("mean_")
    if isinstance(value, int) or plain_name.startswith("digits"):
        return f"{value:,.0f}"
    return f"{value:,.{2 if plain_name.startswith(('test_elbo', 'test_log', 'kl')) else 3}f}"


def metrics_table(metrics: dict[str, float]) -> str:
    """Return metrics as text, one per row, beside their values for real images; MNIST has columns for both test sets."""
    names = list(dict.fromkeys(name.removeprefix("mnist5k_").removesuffix("_real") for name in metrics))
    is_mnist = any(name.startswith("mnist5k_") for name in metrics)
    titles = {"": "official", "mnist5k_": "mnist5k"} if is_mnist else {"": "test"}
    lines = [f"{'':<28}" + "".join(f"{title:>12}{'real':>12}" for title in titles.values())]
    for name in names:
        columns = [f"{prefix}{name}{suffix}" for prefix in titles for suffix in ("", "_real")]
        lines.append(f"{name:<28}" + "".join(f"{format_metric(each, metrics.get(each)):>12}" for each in columns))
    return "\n".join(line.rstrip() for line in lines)


class Comparison(NamedTuple):
    """A metric as it is stored and as it was computed again, both as text."""

    name: str
    stored: str
    again: str

    @property
    def same(self) -> bool:
        """Whether both texts are equal."""
        return self.stored == self.again


def compare_metrics(stored: dict[str, float], again: dict[str, float], *, full: bool) -> list[Comparison]:
    """Return a comparison for each stored metric; if not `full`, for those of the embedded digits only."""
    return [
        Comparison(name, format_metric(name, value), format_metric(name, again.get(name)))
        for name, value in stored.items()
        if full or name.startswith("mnist5k_")
    ]
