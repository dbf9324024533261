"""Claims about the Wasserstein GAN: in the report's settings, and in those of this book."""

import copy
import math
from dataclasses import replace
from statistics import fmean
from typing import Any

from scipy.stats import spearmanr

from claims.evidence import Evidence, Verdict, mean_interval, shares_apart, train, with_interval, with_range
from claims.games import AGAINST, MUCH, PROXY, rows, settle
from claims.gan import (
    DCGAN,
    DCGAN_LONG,
    GAN,
    GAN_SEEDS,
    WGANS,
    WGANS_MLP,
    WGANS_OF_THE_REPORT,
    WGANS_OF_THE_REPORT_MLP,
    WIDTH,
    column,
    differences,
    failed,
    history,
)
from gmlib import mnist, recipes
from gmlib.experiment import GANRecipe
from gmlib.train import layer_gradients

LOWER = 0.25  # of the report's rate
TINY = 0.1  # of the DCGAN's gradients
SHORT = f"{WGANS_OF_THE_REPORT['clipping'].epochs} epochs"
LONG = f"{WGANS['clipping'].epochs} epochs of 50,000 digits for the critic"
SETTINGS = (
    f"the report's setting (a step of each, Adam at 2e-4, batch norm in the critic), {SHORT}, and this book's, {LONG}; convolutions "
    f"{WIDTH} channels wide"
)
CHANGES: dict[str, dict[str, Any]] = {
    "as it was": {},
    "no batch norm": {"critic_batch_norm": False},
    "a lower rate": {"lr": LOWER * recipes.WGAN_REPORT.lr},
    "both": {"critic_batch_norm": False, "lr": LOWER * recipes.WGAN_REPORT.lr},
}
# the critic's bound, and what was changed in the report's setting
FACTORIAL = {
    (bound, change): replace(recipe, **fields)
    for bound, recipe in WGANS_OF_THE_REPORT.items()
    for change, fields in CHANGES.items()
}


def _named(arms: dict[str, GANRecipe], setting: str) -> dict[str, GANRecipe]:
    """Name arms by their setting: a table has a row for each."""
    return {f"{setting}, {bound}": recipe for bound, recipe in arms.items()}


def _alike(verdicts: set[Verdict]) -> Verdict:
    """Give the verdict that all parts share, or "depends"."""
    return verdicts.pop() if len(verdicts) == 1 else "depends"


def ln_ratios(ours: GANRecipe, theirs: GANRecipe) -> list[float]:
    """Compare two recipes seed by seed.

    Args:
        ours: one recipe.
        theirs: the other.

    Returns:
        ln of our FID over theirs, a number a seed.
    """
    return [math.log(a / b) for a, b in zip(column(ours, "fid"), column(theirs, "fid"), strict=True)]


def c21() -> Evidence:
    """Compare WGANs with the GANs of the same networks.

    Returns:
        The evidence.
    """
    pairs = {
        **{f"convolutions, the report's, {bound}": (recipe, DCGAN) for bound, recipe in WGANS_OF_THE_REPORT.items()},
        **{f"convolutions, this book's, {bound}": (recipe, DCGAN_LONG) for bound, recipe in WGANS.items()},
        **{f"MLPs, the report's, {bound}": (recipe, GAN) for bound, recipe in WGANS_OF_THE_REPORT_MLP.items()},
        **{f"MLPs, this book's, {bound}": (recipe, GAN) for bound, recipe in WGANS_MLP.items()},
    }
    worse = {name: differences(*pair, "fid") for name, pair in pairs.items()}
    shown = "convolutions, this book's, penalty"
    effect, interval = mean_interval(worse[shown])
    return Evidence(
        id="C21",
        claim="A WGAN is no better than a GAN.",
        section="4.2.2",
        experiment=(
            f"{SETTINGS}, and MLPs, {GAN.epochs} epochs; each against the GAN of its networks ({DCGAN.epochs} epochs for the report's setting, "
            f"{DCGAN_LONG.epochs} else); {AGAINST}. Effect: FID of the WGAN minus FID of the GAN, {shown}. The claim fails where FID is lower."
        ),
        effect=effect,
        interval=interval,
        unit="FID",
        verdict=_alike({settle(mean_interval(values)[1]) for values in worse.values()}),
        because="against the GAN of the same networks, FID changes by "
        + ", ".join(f"{with_interval(values, 0)} ({name})" for name, values in worse.items()),
        seeds=len(GAN_SEEDS),
        values=[round(value, 4) for value in worse[shown]],
        table=rows(
            {
                "narrow dcgan, 4 epochs": DCGAN,
                "narrow dcgan, 20 epochs": DCGAN_LONG,
                "gan": GAN,
                **{name: ours for name, (ours, _) in pairs.items()},
            },
            "fid",
            "coverage",
            "digits",
        ),
    )


def c22() -> Evidence:
    """Correlate the critic's estimate of the distance with quality along training.

    Returns:
        The evidence.
    """
    arms = {
        **_named(WGANS_OF_THE_REPORT, "the report's"),
        **_named(WGANS, "this book's"),
        **_named(WGANS_MLP, "this book's, MLPs"),
    }
    told = {
        name: [train(recipe, seed).history.wasserstein_estimate() for seed in GAN_SEEDS]
        for name, recipe in arms.items()
    }
    found = {
        name: [
            float(spearmanr(told[name][seed], history(recipe, seed, "validation_fid")).statistic) for seed in GAN_SEEDS
        ]
        for name, recipe in arms.items()
    }
    # how much of its way from the first epoch to the last the estimate has gone after a quarter of the epochs
    early = {name: [_gone_early(values) for values in each] for name, each in told.items()}
    ends = {name: mean_interval(values)[1] for name, values in found.items()}
    shown = "this book's, penalty"
    effect, interval = mean_interval(found[shown])
    tells = all(low > PROXY for low, _ in ends.values())
    silent = all(high < PROXY for _, high in ends.values())
    return Evidence(
        id="C22",
        claim="The loss of a WGAN stagnates after a few epochs, and says nothing.",
        section="4.2.2, fig. 11",
        experiment=(
            f"{SETTINGS}; rank correlation, over the epochs, of the critic's estimate of the distance (mean score of images minus that "
            f"of samples) with the FID of 2,000 samples. Effect: {shown}. From {PROXY:g} on the estimate counts as a guide."
        ),
        effect=effect,
        interval=interval,
        unit="Spearman's rho",
        verdict="refuted" if tells else "confirmed" if silent else "depends",
        because="the rank correlation of estimate and FID is "
        + ", ".join(f"{with_range(values, 2)} ({name})" for name, values in found.items()),
        seeds=len(GAN_SEEDS),
        values=[round(value, 4) for value in found[shown]],
        table=[
            {
                "setting": name,
                "correlation with FID": with_range(found[name], 2),
                "way gone after a quarter of the epochs": with_range(early[name], 2),
            }
            for name in arms
        ],
    )


def _gone_early(values: list[float]) -> float:
    """Say which part of their way from first to last the values have gone after a quarter of the epochs."""
    way = values[-1] - values[0]
    return (values[len(values) // 4] - values[0]) / way if way else 1.0


def c23() -> Evidence:
    """Compare clipping with the penalty.

    Returns:
        The evidence.
    """
    settings = {
        "the report's": WGANS_OF_THE_REPORT,
        "this book's": WGANS,
        "the report's, MLPs": WGANS_OF_THE_REPORT_MLP,
        "this book's, MLPs": WGANS_MLP,
    }
    apart = {name: ln_ratios(arms["clipping"], arms["penalty"]) for name, arms in settings.items()}
    fails = {name: {bound: sum(failed(arm)) for bound, arm in arms.items()} for name, arms in settings.items()}
    shown = "this book's"
    effect, interval = mean_interval(apart[shown])
    within = [abs(end) < math.log(MUCH) for values in apart.values() for end in mean_interval(values)[1]]
    beyond = [max(low, -high) > math.log(MUCH) for low, high in (mean_interval(v)[1] for v in apart.values())]
    return Evidence(
        id="C23",
        claim="Clipping and penalty fail alike.",
        section="4.2.2",
        experiment=(
            f"{SETTINGS}, and MLPs, {GAN.epochs} epochs; {AGAINST}. Effect: ln of the FID with clipping over that with the penalty, {shown}. Within a "
            f"factor of {MUCH} they are alike; a run fails if some digit comes less than a tenth as often as it should."
        ),
        effect=effect,
        interval=interval,
        unit="ln of a ratio of FIDs",
        verdict="confirmed" if all(within) else "refuted" if all(beyond) else "depends",
        because="FID with clipping over FID with the penalty is "
        + ", ".join(f"{math.exp(fmean(values)):.2f} ({name})" for name, values in apart.items())
        + "; of three runs each "
        + ", ".join(
            f"{count['clipping']} and {count['penalty']} lose digits ({name})" for name, count in fails.items()
        ),
        seeds=len(GAN_SEEDS),
        values=[round(value, 4) for value in apart[shown]],
        table=[
            {
                "setting": name,
                "FID, clipping": with_range(column(arms["clipping"], "fid"), 0),
                "FID, penalty": with_range(column(arms["penalty"], "fid"), 0),
            }
            for name, arms in settings.items()
        ],
    )


def c24() -> Evidence:
    """Count runs that lose digits.

    Returns:
        The evidence.
    """
    report = {**_named(WGANS_OF_THE_REPORT, "the report's"), **_named(WGANS_OF_THE_REPORT_MLP, "the report's, MLPs")}
    book = {**_named(WGANS, "this book's"), **_named(WGANS_MLP, "this book's, MLPs")}
    lost = {name: failed(recipe) for name, recipe in (report | book).items()}
    effect, interval = shares_apart(
        [each for name in report for each in lost[name]], [each for name in book for each in lost[name]]
    )
    return Evidence(
        id="C24",
        claim="A WGAN collapses.",
        section="4.2.2, fig. 12",
        experiment=(
            f"{SETTINGS}, and MLPs, {GAN.epochs} epochs; digits read in 10,000 samples. A run collapses if some digit comes less than a tenth as often "
            "as it should. Effect: share of the runs that do, the report's settings minus this book's. Stacked digits: chapter 10."
        ),
        effect=effect,
        interval=interval,
        unit="share of the runs",
        verdict="confirmed"
        if all(map(any, lost.values()))
        else "depends"
        if any(map(any, lost.values()))
        else "refuted",
        because=", ".join(f"{sum(runs)} of {len(runs)} runs lose digits ({name})" for name, runs in lost.items()),
        seeds=len(GAN_SEEDS),
        values=[
            fmean(lost[name][i] for name in report) - fmean(lost[name][i] for name in book)
            for i in range(len(GAN_SEEDS))
        ],
        table=rows(report | book, "digits", "largest", "histogram_kl", "coverage"),
    )


def c25() -> Evidence:
    """Compare MLPs with convolutions.

    Returns:
        The evidence.
    """
    pairs = {
        **{
            f"the report's, {bound}": (WGANS_OF_THE_REPORT_MLP[bound], recipe)
            for bound, recipe in WGANS_OF_THE_REPORT.items()
        },
        **{f"this book's, {bound}": (WGANS_MLP[bound], recipe) for bound, recipe in WGANS.items()},
    }
    apart = {name: ln_ratios(*pair) for name, pair in pairs.items()}
    shown = "this book's, penalty"
    effect, interval = mean_interval(apart[shown])
    within = [abs(end) < math.log(MUCH) for values in apart.values() for end in mean_interval(values)[1]]
    beyond = [max(low, -high) > math.log(MUCH) for low, high in (mean_interval(v)[1] for v in apart.values())]
    return Evidence(
        id="C25",
        claim="For a WGAN it makes no difference whether the networks are MLPs or convolutions.",
        section="4.2.2",
        experiment=(
            f"{SETTINGS}, and MLPs, {GAN.epochs} epochs; {AGAINST}. Effect: ln of the FID of MLPs over that of convolutions, {shown}. Within a factor of "
            f"{MUCH} counts as no difference."
        ),
        effect=effect,
        interval=interval,
        unit="ln of a ratio of FIDs",
        verdict="confirmed" if all(within) else "refuted" if all(beyond) else "depends",
        because="FID with MLPs over FID with convolutions is "
        + ", ".join(f"{math.exp(fmean(values)):.2f} ({name})" for name, values in apart.items()),
        seeds=len(GAN_SEEDS),
        values=[round(value, 4) for value in apart[shown]],
        table=[
            {
                "setting": name,
                "FID, MLPs": with_range(column(mlps, "fid"), 0),
                "FID, convolutions": with_range(column(convolutions, "fid"), 0),
            }
            for name, (mlps, convolutions) in pairs.items()
        ],
    )


def generator_gradient(recipe: GANRecipe, seed: int) -> float:
    """Measure how large the generator's gradients are at the end of a run.

    Args:
        recipe: what to train.
        seed: of the run.

    Returns:
        Root mean square over all weights, for ten batches while nothing moves.
    """
    still = replace(recipe, n_critic=1, warmup=False)
    networks = copy.deepcopy(train(recipe, seed).networks)
    state = still.start(networks, mnist("train", "mnist")[: 10 * recipe.batch_size], seed)
    layers = layer_gradients(state, still.loop())["generator"].values()
    squares = sum(float(layer.double().square().sum()) for layer in layers)
    return math.sqrt(squares / sum(layer.numel() for layer in layers))


def c26() -> Evidence:
    """Compare the generator's gradients with and without batch norm in the critic.

    Returns:
        The evidence.
    """
    arms = {
        "narrow dcgan": DCGAN,
        **{
            f"{bound}, {name}": FACTORIAL[bound, change]
            for bound in WGANS_OF_THE_REPORT
            for change, name in (("as it was", "batch norm"), ("no batch norm", "no batch norm"))
        },
    }
    sizes = {name: [generator_gradient(recipe, seed) for seed in GAN_SEEDS] for name, recipe in arms.items()}
    against = {
        name: [math.log10(a / b) for a, b in zip(values, sizes["narrow dcgan"], strict=True)]
        for name, values in sizes.items()
        if name != "narrow dcgan"
    }
    tiny = {name: mean_interval(values)[1][1] < math.log10(TINY) for name, values in against.items()}
    large = {name: mean_interval(values)[1][0] > math.log10(TINY) for name, values in against.items()}
    normed = [f"{bound}, batch norm" for bound in WGANS_OF_THE_REPORT]
    plain = [f"{bound}, no batch norm" for bound in WGANS_OF_THE_REPORT]
    through_norm = all(tiny[name] for name in normed) and all(large[name] for name in plain)
    neither = all(large[name] for name in normed)
    shown = "clipping, batch norm"
    effect, interval = mean_interval(against[shown])
    return Evidence(
        id="C26",
        claim="The generator's gradients are tiny, perhaps through batch norm.",
        section="4.2.2, fig. 11",
        experiment=(
            f"the report's setting, convolutions {WIDTH} channels wide, {SHORT}, with batch norm in the critic and without; root mean square of the generator's "
            f"gradients at the end, and that of a narrow dcgan. Effect: the decimal logarithm of their ratio, {shown}. Below {TINY:g} "
            "counts as tiny; Adam divides by the size, so that this alone stops no training."
        ),
        effect=effect,
        interval=interval,
        unit="powers of ten",
        verdict="confirmed" if through_norm else "refuted" if neither else "depends",
        because="the generator's gradients are "
        + ", ".join(
            f"{10 ** fmean(values):.2g} times those of a narrow dcgan ({name})" for name, values in against.items()
        ),
        seeds=len(GAN_SEEDS),
        values=[round(value, 4) for value in against[shown]],
        table=[
            {"setting": name, "root mean square": f"{fmean(values):.1e} ({min(values):.1e} to {max(values):.1e})"}
            for name, values in sizes.items()
        ],
    )


def c27() -> Evidence:
    """Take batch norm out of the critic, lower the rate, and do both.

    Returns:
        The evidence.
    """
    gains = {
        (bound, change): ln_ratios(FACTORIAL[bound, "as it was"], recipe)
        for (bound, change), recipe in FACTORIAL.items()
        if change != "as it was"
    }
    better = {key: settle(mean_interval(values)[1]) for key, values in gains.items()}
    # it is the norm if its loss alone helps, and the rate alone does not
    parts: set[Verdict] = {
        "confirmed"
        if better[bound, "no batch norm"] == better[bound, "both"] == "confirmed"
        and better[bound, "a lower rate"] != "confirmed"
        else "refuted"
        if better[bound, "both"] == "refuted" or better[bound, "no batch norm"] == "refuted"
        else "depends"
        for bound in WGANS_OF_THE_REPORT
    }
    effect, interval = mean_interval(gains["clipping", "both"])
    return Evidence(
        id="C27",
        claim="Batch norm keeps the critic from learning; without it, and with a lower rate, it learns.",
        section="4.2.2",
        experiment=(
            f"the report's setting, convolutions {WIDTH} channels wide, {SHORT}; without batch norm in the critic, with {LOWER:g} of the rate, and with both; {AGAINST}. "
            "Effect: ln of the FID as it was over the FID after both changes, clipping; above 0 is better. Confirmed for a bound if the loss of the norm helps, alone "
            "and with the rate, and the rate alone does not; refuted if it harms."
        ),
        effect=effect,
        interval=interval,
        unit="ln of a ratio of FIDs",
        verdict=_alike(parts),
        because="FID is divided by "
        + ", ".join(f"{math.exp(fmean(values)):.2f} ({bound}, {change})" for (bound, change), values in gains.items()),
        seeds=len(GAN_SEEDS),
        values=[round(value, 4) for value in gains["clipping", "both"]],
        table=rows(
            {f"{bound}, {change}": recipe for (bound, change), recipe in FACTORIAL.items()}, "fid", "coverage", "digits"
        ),
    )
