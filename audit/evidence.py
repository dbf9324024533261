"""What every claim uses: trained runs, which are kept on disk; confidence intervals; verdicts; and the record of a claim."""

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import stdev
from typing import Any, Literal

from scipy.stats import binomtest, f, norm, spearmanr, t

from gmlib.experiments.fit import fit_profile
from gmlib.experiments.recipe import Recipe
from gmlib.experiments.run import Run, versions

RUNS = Path("runs/claims")
Verdict = Literal["confirmed", "refuted", "depends"]
SEEDS = range(5)


@dataclass(kw_only=True)
class Evidence:
    """One claim of the report, the experiment that tests it, and its result: an entry of `claims.json`."""

    id: str  # number of the claim
    claim: str  # the report's statement, in our words
    section: str  # of the report
    experiment: str  # what was run and measured
    effect: float = math.nan  # if not given: the mean of `values`
    interval: tuple[float, float] = (math.nan, math.nan)  # 95% interval; if not given: that of the mean, by Student's t
    unit: str  # of effect, interval and values
    verdict: Verdict
    because: str  # reason for the verdict, in a sentence
    seeds: int  # number of seeds; 0 where nothing was trained
    values: list[float]  # the effect for each seed, or for each of what `over` names
    over: str = "seeds"  # what the interval is over; "derivation" for a number that follows from formulas
    holds: tuple[float | None, float | None] = (0.0, None)  # range of effects that support the claim; None for no end
    table: list[dict[str, Any]] = field(default_factory=list)  # what else was measured, as rows for a reader
    details: dict[str, Any] = field(default_factory=dict)  # the same and more, for each seed
    versions: dict[str, str] = field(default_factory=versions)  # of the software that made the runs

    def __post_init__(self) -> None:
        """Compute the effect from the values, and round the values."""
        if math.isnan(self.effect):
            self.effect, self.interval = mean_interval(self.values)
        self.values = [round(value, 4) for value in self.values]

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


def verdict_above(interval: tuple[float, float], threshold: float = 0.0) -> Verdict:
    """Return the verdict on the claim that an effect is above a threshold."""
    low, high = interval
    return "confirmed" if low > threshold else "refuted" if high < threshold else "depends"


def shared_verdict(verdicts: Collection[Verdict]) -> Verdict:
    """Return the verdict that all parts of a claim share; "depends" if they differ."""
    return next(iter(verdicts)) if len(set(verdicts)) == 1 else "depends"


def paired_differences(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return ours minus theirs for each seed."""
    return [a - b for a, b in zip(ours, theirs, strict=True)]


def paired_log_ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return ln of ours over theirs for each seed."""
    return [math.log(a / b) for a, b in zip(ours, theirs, strict=True)]


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


def binomial_interval(trials: Sequence[bool]) -> tuple[float, tuple[float, float]]:
    """Return the share of trials in which an event happened, and its 95% binomial interval, rounded to four decimals."""
    ends = binomtest(sum(trials), len(trials)).proportion_ci(0.95)
    return round(sum(trials) / len(trials), 4), (round(float(ends.low), 4), round(float(ends.high), 4))


def share_difference(ours: Sequence[bool], theirs: Sequence[bool]) -> tuple[float, tuple[float, float]]:
    r"""Return the difference of two shares of few trials, and its 95% interval.

    $$\tilde p = \frac{k + 1}{n + 2}, \qquad \tilde p_1 - \tilde p_2 \pm z_{0.975} \sqrt{\frac{\tilde p_1 (1 - \tilde p_1)}{n_1 + 2} + \frac{\tilde p_2 (1 - \tilde p_2)}{n_2 + 2}}$$

    Source: Agresti & Caffo 2000.
    """
    softened = [((sum(each) + 1) / (len(each) + 2), len(each) + 2) for each in (ours, theirs)]
    middle = softened[0][0] - softened[1][0]
    half = float(norm.ppf(0.975)) * math.sqrt(sum(p * (1 - p) / n for p, n in softened))
    share = sum(ours) / len(ours) - sum(theirs) / len(theirs)
    return round(share, 4), (round(max(middle - half, -1), 4), round(min(middle + half, 1), 4))


def spread_ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, tuple[float, float]]:
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
    half = float(t.ppf(0.975, n - 1)) * stdev(values) / math.sqrt(n)
    return round(mean, 4), (round(mean - half, 4), round(mean + half, 4))
