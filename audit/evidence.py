"""What every claim uses: runs over seeds, kept on disk; confidence intervals; and a record of the verdict."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import stdev
from typing import Any, Literal

from scipy.stats import f, norm, spearmanr, t

from gmlib.experiments.fit import fit_profile
from gmlib.experiments.recipe import Recipe
from gmlib.experiments.run import Run, versions

RUNS = Path("runs/claims")
Verdict = Literal["confirmed", "refuted", "depends"]
SEEDS = range(5)


@dataclass
class Evidence:
    """One claim of the report, the experiment that tests it, and its result.

    Args:
        id: number of the claim.
        claim: the report's statement, in our words.
        section: section of the report.
        experiment: what was run and measured.
        effect: mean over the seeds.
        interval: 95% interval of that mean.
        unit: of effect and interval.
        verdict: "confirmed", "refuted" or "depends".
        because: the reason for the verdict, in a sentence.
        seeds: how many; 0 where nothing was trained.
        values: the effect in each seed, or in each of what the interval is over.
        over: what the interval is over: "seeds", other things that can be counted, or "derivation" for a number that follows
            from the formulas.
        holds: from where to where the effect speaks for the claim; None where there is no end. A verdict may ask for more.
        table: what else was measured, as rows for a reader.
        details: the same and more, seed by seed.
        versions: software that the runs were made with.
    """

    id: str
    claim: str
    section: str
    experiment: str
    effect: float
    interval: tuple[float, float]
    unit: str
    verdict: Verdict
    because: str
    seeds: int
    values: list[float]
    over: str = "seeds"
    holds: tuple[float | None, float | None] = (0.0, None)
    table: list[dict[str, Any]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=versions)

    def record(self) -> dict[str, Any]:
        """Return the claim as it is written to `claims.json`."""
        return asdict(self)


def train(recipe: Recipe, seed: int) -> Run:
    """Train a recipe on all of MNIST, or load the run if an earlier call finished it."""
    return fit_profile(recipe, "full", seed, out=RUNS / f"{recipe.hash[:12]}-{recipe.epochs}" / str(seed), resume=True)


def final_elbo(run: Run) -> float:
    """Return the ELBO on validation digits at the end of training."""
    elbo = run.history.rows[-1]["validation_elbo"]
    if elbo is None:
        raise ValueError(f"got a run of {run.recipe.name} without a validation ELBO: train it again")
    return elbo


def with_interval(values: Sequence[float], digits: int = 1) -> str:
    """Return differences as text: the mean with its sign, and its 95% interval."""
    mean, (low, high) = mean_interval(values)
    return f"{mean:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def with_margin(values: Sequence[float], digits: int = 1) -> str:
    """Return a quantity as text: the mean, and half the width of its 95% interval."""
    mean, (_, high) = mean_interval(values)
    return f"{mean:.{digits}f} ± {high - mean:.{digits}f}"


def with_range(values: Sequence[float], digits: int = 1) -> str:
    """Return a quantity as text: the mean, the least and the largest, for seeds too few for an interval."""
    mean, least, largest = (f"{each:.{digits}f}" for each in (sum(values) / len(values), min(values), max(values)))
    return mean if least == largest else f"{mean} ({least} to {largest})"


def shares_apart(ours: Sequence[bool], theirs: Sequence[bool]) -> tuple[float, tuple[float, float]]:
    r"""Return the difference of two shares of few trials, and its 95% interval.

    $$\tilde p = \frac{k + 1}{n + 2}, \qquad \tilde p_1 - \tilde p_2 \pm z_{0.975} \sqrt{\frac{\tilde p_1 (1 - \tilde p_1)}{n_1 + 2} + \frac{\tilde p_2 (1 - \tilde p_2)}{n_2 + 2}}$$

    Source: Agresti & Caffo 2000.
    """
    softened = [((sum(each) + 1) / (len(each) + 2), len(each) + 2) for each in (ours, theirs)]
    middle = softened[0][0] - softened[1][0]
    half = float(norm.ppf(0.975)) * math.sqrt(sum(p * (1 - p) / n for p, n in softened))
    share = sum(ours) / len(ours) - sum(theirs) / len(theirs)
    return round(share, 4), (round(max(middle - half, -1), 4), round(min(middle + half, 1), 4))


def spreads_apart(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, tuple[float, float]]:
    r"""Return the ratio of two standard deviations over seeds, and its 95% interval.

    $$\frac{s_1}{s_2} \Big/ \sqrt{F_{0.975,\, n_1 - 1,\, n_2 - 1}} \quad \text{to} \quad \frac{s_1}{s_2} \sqrt{F_{0.975,\, n_2 - 1,\, n_1 - 1}}$$
    """
    ratio, (n, m) = stdev(ours) / stdev(theirs), (len(ours) - 1, len(theirs) - 1)
    low, high = ratio / math.sqrt(f.ppf(0.975, n, m)), ratio * math.sqrt(f.ppf(0.975, m, n))
    return round(ratio, 4), (round(low, 4), round(high, 4))


def rank_correlation(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, tuple[float, float]]:
    r"""Return Spearman's correlation and its 95% interval, by Fisher's transformation with the variance for ranks.

    $$\tanh\!\Big(\operatorname{artanh} \rho \pm z_{0.975} \sqrt{\frac{1 + \rho^2 / 2}{n - 3}}\Big)$$

    Source: Bonett & Wright 2000.
    """
    rho = float(spearmanr(xs, ys).statistic)
    if abs(rho) > 1 - 1e-9:  # Fisher's transformation is infinite
        return round(rho, 4), (round(rho, 4), round(rho, 4))
    half = float(norm.ppf(0.975)) * math.sqrt((1 + rho**2 / 2) / (len(xs) - 3))
    low, high = (math.tanh(math.atanh(rho) + sign * half) for sign in (-1, 1))
    return round(rho, 4), (round(low, 4), round(high, 4))


def mean_interval(values: Sequence[float]) -> tuple[float, tuple[float, float]]:
    r"""Return the mean and its 95% interval by Student's t.

    $$\bar v \pm t_{0.975,\, n - 1} \, s / \sqrt{n}$$
    """
    n = len(values)
    mean = sum(values) / n
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(t.ppf(0.975, n - 1)) * deviation / math.sqrt(n)
    return round(mean, 4), (round(mean - half, 4), round(mean + half, 4))
