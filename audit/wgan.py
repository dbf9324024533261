"""Claims about the Wasserstein GAN: in the report's setting, and in those of this book."""

import copy
import math
from dataclasses import replace
from itertools import pairwise
from statistics import fmean
from typing import Any, cast

import torch
from scipy.stats import binomtest, spearmanr
from torch import Tensor

from audit.evidence import Evidence, Verdict, mean_interval, train, with_interval, with_range
from audit.games import AGAINST, MUCH, PROXY, WITHIN, fid_after, rows, settle, side
from audit.gan import (
    DCGAN,
    GAN,
    GAN_SEEDS,
    ROUGH,
    SHORT,
    WGANS,
    WGANS_MLP,
    WGANS_OF_THE_REPORT,
    WGANS_OF_THE_REPORT_MLP,
    WIDTH,
    collapsed,
    column,
    differences,
    failed,
    fell,
    history,
    measure,
)
from gmlib import mnist, recipes, zoo
from gmlib.experiments.fit import training_loop
from gmlib.experiments.recipe import GANRecipe
from gmlib.objectives import NON_SATURATING
from gmlib.training import layer_gradients

LOWER = 0.25  # of the report's rate
TINY = 0.1  # of the GAN's gradients
ADAMS_EPS = 1e-8
SETTINGS: dict[str, dict[str, GANRecipe]] = {
    "the report's, convolutions": WGANS_OF_THE_REPORT,
    "the report's, MLPs": WGANS_OF_THE_REPORT_MLP,
    "this book's, convolutions": WGANS,
    "this book's, MLPs": WGANS_MLP,
}
# the GAN that each is compared with: in the report's setting it differs only in its objective
GANS: dict[str, GANRecipe] = {
    "the report's, convolutions": replace(
        WGANS_OF_THE_REPORT["clipping"], name="dcgan as the report's", objective=NON_SATURATING
    ),
    "the report's, MLPs": replace(
        WGANS_OF_THE_REPORT_MLP["clipping"], name="gan as the report's", objective=NON_SATURATING
    ),
    "this book's, convolutions": replace(DCGAN, epochs=SHORT),
    "this book's, MLPs": replace(GAN, epochs=SHORT),
}
ARMS = {(setting, bound): recipe for setting, arms in SETTINGS.items() for bound, recipe in arms.items()}
TRAINED = (
    f"the report's setting, as far as it is known (Adam at 2e-4, a step of each, batch norm in the critic, dropout in that of MLPs), for {WGANS_OF_THE_REPORT['clipping'].epochs} "
    f"epochs of 50,000 digits ({WGANS_OF_THE_REPORT_MLP['clipping'].epochs} for MLPs); this book's (its recipes, which differ in optimiser, rate, critic steps and batch "
    f"norm too) for {SHORT}; convolutions {WIDTH} channels wide"
)
CHANGES: dict[str, dict[str, Any]] = {
    "as it was": {},
    "no batch norm": {"critic_norm": None},
    "a lower rate": {"lr": LOWER * recipes.WGAN_REPORT.lr},
    "both": {"critic_norm": None, "lr": LOWER * recipes.WGAN_REPORT.lr},
}
# constraint on the critic, and the change to the report's setting: every change with clipping, the norm only with the penalty
FACTORIAL = {
    (bound, change): replace(recipe, **CHANGES[change])
    for bound, recipe in WGANS_OF_THE_REPORT.items()
    for change in (CHANGES if bound == "clipping" else ("as it was", "no batch norm"))
}
FULL = ("wgan_report", "wgan_gp_report", "wgan", "wgan_gp", "wgan_mlp", "wgan_gp_mlp")  # longer and wider, one run each
SHOWN = ("this book's, convolutions", "penalty")


def _alike(verdicts: set[Verdict]) -> Verdict:
    """Return the verdict that all parts share, or "depends"."""
    return next(iter(verdicts)) if len(verdicts) == 1 else "depends"


def _listed(values: dict[tuple[str, str], str]) -> str:
    """Return the text of each arm in one line."""
    return ", ".join(f"{text} ({setting}, {bound})" for (setting, bound), text in values.items())


def generator_steps(recipe: GANRecipe) -> int:
    """Return the number of generator steps of a run."""
    return int(sum(history(recipe, GAN_SEEDS[0], "generator_steps")))


def with_steps(arms: dict[str, GANRecipe], *names: str) -> list[dict[str, Any]]:
    """Return measures and costs of several recipes as rows of a table."""
    table = rows(arms, *names)
    for row, recipe in zip(table, arms.values(), strict=True):
        row |= {"epochs": recipe.epochs, "generator steps": generator_steps(recipe)}
    return table


def ln_ratios(ours: GANRecipe, theirs: GANRecipe) -> list[float]:
    """Return the log ratios of FID between two recipes, seed by seed."""
    return [math.log(a / b) for a, b in zip(column(ours, "fid"), column(theirs, "fid"), strict=True)]


def c21() -> Evidence:
    """Compare WGANs with GANs of the same networks, at equal numbers of images and of generator steps."""
    images, steps = {}, {}
    for (setting, bound), recipe in ARMS.items():
        gan, same = GANS[setting], min(generator_steps(recipe), generator_steps(GANS[setting]))
        images[setting, bound] = differences(recipe, gan, "fid")
        steps[setting, bound] = [fid_after(recipe, seed, same) - fid_after(gan, seed, same) for seed in GAN_SEEDS]
    effect, interval = mean_interval(images[SHOWN])
    everyone = {f"GAN of {setting}": gan for setting, gan in GANS.items()}
    everyone |= {f"{setting}, {bound}": recipe for (setting, bound), recipe in ARMS.items()}
    return Evidence(
        id="C21",
        claim="A WGAN is no better than a GAN.",
        section="4.2.2",
        experiment=(
            f"{TRAINED}. Each against a GAN of its networks after as many images: in the report's setting with all else the same, in this book's gan and a narrow "
            f"dcgan without penalty; {AGAINST}. Where a WGAN takes five critic steps its generator takes a fifth of the steps, so that FID of 2,000 samples is "
            f"compared after as many generator steps too. Effect: FID of the WGAN minus FID of the GAN after as many images, {', '.join(SHOWN)}. Confirmed if no "
            "arm is better by either clock, and all are worse; refuted if all are better by both."
        ),
        effect=effect,
        interval=interval,
        unit="FID",
        verdict=_alike({settle(mean_interval(each)[1]) for clock in (images, steps) for each in clock.values()}),
        because=(
            f"after as many images FID changes by {_listed({arm: with_interval(each, 0) for arm, each in images.items()})}; after as many generator steps by "
            f"{_listed({arm: with_interval(each, 0) for arm, each in steps.items()})}"
        ),
        seeds=len(GAN_SEEDS),
        values=[round(value, 4) for value in images[SHOWN]],
        table=with_steps(everyone, "fid", "coverage", "digits"),
    )


def c22() -> Evidence:
    """Correlate the critic's estimate of the distance with quality along training."""
    arms = {arm: recipe for arm, recipe in ARMS.items() if arm[0] != "the report's, MLPs"}
    told = {
        arm: [train(recipe, seed).history.wasserstein_estimate() for seed in GAN_SEEDS] for arm, recipe in arms.items()
    }
    fids = {arm: [history(recipe, seed, "validation_fid") for seed in GAN_SEEDS] for arm, recipe in arms.items()}
    found = {arm: [_rho(a, b) for a, b in zip(told[arm], fids[arm], strict=True)] for arm in arms}
    changes = {arm: [_rho(_steps(a), _steps(b)) for a, b in zip(told[arm], fids[arm], strict=True)] for arm in arms}
    clock = {arm: [_rho([-float(i) for i in range(len(b))], b) for b in fids[arm]] for arm in arms}
    ends = {arm: mean_interval(values)[1] for arm, values in found.items()}
    effect, interval = mean_interval(found[SHOWN])
    tells = all(low > PROXY for low, _ in ends.values())
    silent = all(high < PROXY for _, high in ends.values())
    return Evidence(
        id="C22",
        claim="The loss of a WGAN stagnates after a few epochs, and says nothing.",
        section="4.2.2, fig. 11",
        experiment=(
            f"{TRAINED}; the report's MLPs left out. Rank correlation, over the epochs, of the critic's estimate (mean score of images minus that of samples) with the "
            f"FID of 2,000 samples. Effect: {', '.join(SHOWN)}. From {PROXY:g} on in every setting the estimate counts as a guide, below it in every setting the claim "
            "holds. Whatever falls along with FID correlates, a clock too; so the table has the clock's correlation, and that of the changes from epoch to epoch. "
            "Stagnation is shown there and not judged."
        ),
        effect=effect,
        interval=interval,
        unit="Spearman's rho",
        verdict="refuted" if tells else "confirmed" if silent else "depends",
        because=f"the rank correlation of estimate and FID is {_listed({arm: with_range(each, 2) for arm, each in found.items()})}",
        seeds=len(GAN_SEEDS),
        holds=(None, PROXY),
        values=[round(value, 4) for value in found[SHOWN]],
        table=[
            {
                "setting": ", ".join(arm),
                "estimate and FID": with_range(found[arm], 2),
                "their changes": with_range(changes[arm], 2),
                "a clock and FID": with_range(clock[arm], 2),
                "estimate, first epoch": with_range([each[0] for each in told[arm]], 4),
                "middle": with_range([each[len(each) // 2] for each in told[arm]], 4),
                "last": with_range([each[-1] for each in told[arm]], 4),
            }
            for arm in arms
        ],
    )


def _rho(a: list[float], b: list[float]) -> float:
    """Return Spearman's rank correlation; 0 where one of them is constant."""
    return 0.0 if len(set(a)) == 1 or len(set(b)) == 1 else float(spearmanr(a, b).statistic)


def _steps(values: list[float]) -> list[float]:
    """Return the changes from one value to the next."""
    return [later - earlier for earlier, later in pairwise(values)]


def c23() -> Evidence:
    """Compare weight clipping with the gradient penalty."""
    apart = {setting: ln_ratios(arms["clipping"], arms["penalty"]) for setting, arms in SETTINGS.items()}
    worse = {arm: settle(mean_interval(differences(recipe, GANS[arm[0]], "fid"))[1]) for arm, recipe in ARMS.items()}
    parts = set()
    for setting, values in apart.items():
        where = side(mean_interval(values)[1])
        bad = [worse[setting, bound] for bound in SETTINGS[setting]]
        parts.add(
            "confirmed"
            if where == 0 and set(bad) == {"confirmed"}
            else "refuted"
            if where in (1, -1) or "refuted" in bad
            else "depends"
        )
    shown = SHOWN[0]
    effect, interval = mean_interval(apart[shown])
    return Evidence(
        id="C23",
        claim="Clipping and penalty fail alike.",
        section="4.2.2",
        experiment=(
            f"{TRAINED}; {AGAINST}. Effect: ln of the FID with clipping over that with the penalty, {shown}. Within a factor of {MUCH} they are alike, and they fail if both "
            "are worse than the GAN of C21 after as many images; a setting speaks against the claim if they are farther apart than that, or one is better than the GAN. "
            "In the report's setting the bound is the only difference, in this book's the recipes differ in more."
        ),
        effect=effect,
        interval=interval,
        unit="ln of a ratio of FIDs",
        verdict=_alike(cast(set[Verdict], parts)),
        because="FID with clipping over FID with the penalty is "
        + ", ".join(f"{math.exp(fmean(values)):.2f} ({setting})" for setting, values in apart.items())
        + "; of three runs each, lose digits: "
        + _listed({arm: str(sum(failed(recipe))) for arm, recipe in ARMS.items()}),
        seeds=len(GAN_SEEDS),
        holds=WITHIN,
        values=[round(value, 4) for value in apart[shown]],
        table=[
            {"setting": setting}
            | {f"FID, {bound}": with_range(column(recipe, "fid"), 0) for bound, recipe in arms.items()}
            | {"FID, GAN": with_range(column(GANS[setting], "fid"), 0)}
            for setting, arms in SETTINGS.items()
        ],
    )


def c24() -> Evidence:
    """Count runs that collapsed."""
    fallen = {arm: collapsed(recipe) for arm, recipe in ARMS.items()}
    nothing = {arm: sum(failed(recipe)) - sum(fallen[arm]) for arm, recipe in ARMS.items()}
    trials = [each for runs in fallen.values() for each in runs]
    full = [name for name in FULL if fell(measure(zoo.pretrained(name), 0))]
    ends = binomtest(sum(trials), len(trials)).proportion_ci(0.95)
    return Evidence(
        id="C24",
        claim="A WGAN collapses.",
        section="4.2.2, fig. 12",
        experiment=(
            f"{TRAINED}; digits read in 10,000 samples. A run collapses if some digit comes less than a tenth as often as it should while the samples are digits: within a "
            f"factor of {ROUGH} of the edges of real ones, neither specks nor grey. Effect: share of all runs that do, with its binomial interval, as if all settings were "
            "alike. Confirmed if some run does in every setting, refuted if none in any, nor any of the full runs, which train longer. Stacked digits: chapter 10."
        ),
        effect=round(sum(trials) / len(trials), 4),
        interval=(round(float(ends.low), 4), round(float(ends.high), 4)),
        unit="share of the runs",
        verdict="confirmed" if all(map(any, fallen.values())) else "depends" if any(trials) or full else "refuted",
        because=f"of three runs each, collapse: {_listed({arm: str(sum(runs)) for arm, runs in fallen.items()})}"
        + (
            f"; lose digits without drawing any: {_listed({a: str(n) for a, n in nothing.items() if n})}"
            if any(nothing.values())
            else ""
        )
        + f"; of the full runs, one each, collapse: {', '.join(full) or 'none'}",
        seeds=len(GAN_SEEDS),
        over="runs",
        values=[float(each) for each in trials],
        table=rows(
            {", ".join(arm): recipe for arm, recipe in ARMS.items()},
            "digits",
            "largest",
            "histogram_kl",
            "coverage",
            "sharpness",
        ),
    )


def c25() -> Evidence:
    """Compare MLPs with convolutions."""
    pairs = {
        (who, bound): (SETTINGS[f"{who}, MLPs"][bound], SETTINGS[f"{who}, convolutions"][bound])
        for who in ("the report's", "this book's")
        for bound in WGANS
    }
    apart = {arm: ln_ratios(*pair) for arm, pair in pairs.items()}
    shown = ("this book's", "penalty")
    effect, interval = mean_interval(apart[shown])
    sides = {side(mean_interval(values)[1]) for values in apart.values()}
    return Evidence(
        id="C25",
        claim="For a WGAN it makes no difference whether the networks are MLPs or convolutions.",
        section="4.2.2",
        experiment=(
            f"{TRAINED}, in the report's setting so that the generators of a pair take as many steps; {AGAINST}. Effect: ln of the FID of MLPs over that of convolutions, {', '.join(shown)}. "
            f"Within a factor of {MUCH} counts as no difference. Recipes are compared as they are: in this book's, MLPs and convolutions differ in rate, bound, "
            "norms and critic steps too; in the report's, in batch size and dropout."
        ),
        effect=effect,
        interval=interval,
        unit="ln of a ratio of FIDs",
        verdict="confirmed" if sides == {0} else "refuted" if sides <= {1, -1} else "depends",
        because=f"FID with MLPs over FID with convolutions is {_listed({arm: f'{math.exp(fmean(each)):.2f}' for arm, each in apart.items()})}",
        seeds=len(GAN_SEEDS),
        holds=WITHIN,
        values=[round(value, 4) for value in apart[shown]],
        table=with_steps(
            {
                f"{', '.join(arm)}, {kind}": recipe
                for arm, pair in pairs.items()
                for kind, recipe in zip(("MLPs", "convolutions"), pair, strict=True)
            },
            "fid",
            "coverage",
        ),
    )


def generator_gradients(recipe: GANRecipe, seed: int) -> Tensor:
    """Return the gradients of a generator at the end of a run."""
    still = replace(recipe, n_critic=1, warmup=False)
    model = copy.deepcopy(train(recipe, seed).model)
    loop = training_loop(still, model, mnist("train", "mnist")[: 10 * recipe.batch_size], seed)
    return torch.cat(list(layer_gradients(loop)["generator"].values()))


def c26() -> Evidence:
    """Compare the generator's gradients with and without batch norm in the critic."""
    beside = "the GAN"
    arms = {
        beside: GANS["the report's, convolutions"],
        **{
            f"{bound}, {name}": FACTORIAL[bound, change]
            for bound in WGANS_OF_THE_REPORT
            for change, name in (("as it was", "batch norm"), ("no batch norm", "no batch norm"))
        },
    }
    gradients = {name: [generator_gradients(recipe, seed) for seed in GAN_SEEDS] for name, recipe in arms.items()}
    sizes = {name: [float(g.double().square().mean().sqrt()) for g in each] for name, each in gradients.items()}
    lost = {name: [float((g.abs() < ADAMS_EPS).float().mean()) for g in each] for name, each in gradients.items()}
    against = {
        name: [math.log10(a / b) for a, b in zip(values, sizes[beside], strict=True)]
        for name, values in sizes.items()
        if name != beside
    }
    sides = {name: settle(mean_interval(values)[1], math.log10(TINY)) for name, values in against.items()}
    tiny = {name: side == "refuted" for name, side in sides.items()}
    large = {name: side == "confirmed" for name, side in sides.items()}
    parts: set[Verdict] = set()
    for bound in WGANS_OF_THE_REPORT:
        normed, plain = f"{bound}, batch norm", f"{bound}, no batch norm"
        through = tiny[normed] and large[plain]
        parts.add(
            "confirmed" if through else "refuted" if large[normed] or (tiny[normed] and tiny[plain]) else "depends"
        )
    shown = "clipping, batch norm"
    effect, interval = mean_interval(against[shown])
    return Evidence(
        id="C26",
        claim="The generator's gradients are tiny, perhaps through batch norm.",
        section="4.2.2, fig. 11",
        experiment=(
            f"the report's setting, convolutions {WIDTH} channels wide, {arms[beside].epochs} epochs, with batch norm in the critic and without; root mean square of the "
            "gradients of the averaged generator at the end, and of a GAN that differs in its objective alone. Effect: the decimal logarithm of their ratio, "
            f"{shown}. Below {TINY:g} counts as tiny. For a bound the claim holds if they are tiny with the norm and not without; it fails if they are not tiny, or "
            f"tiny without it too. Adam divides by the size: it takes no notice until a gradient comes near its epsilon, {ADAMS_EPS:g}."
        ),
        effect=effect,
        interval=interval,
        unit="powers of ten",
        verdict=_alike(parts),
        because="the generator's gradients are "
        + ", ".join(f"{10 ** fmean(values):.2g} times those of the GAN ({name})" for name, values in against.items()),
        seeds=len(GAN_SEEDS),
        holds=(None, math.log10(TINY)),
        values=[round(value, 4) for value in against[shown]],
        table=[
            {
                "setting": name,
                "root mean square": f"{fmean(values):.1e} ({min(values):.1e} to {max(values):.1e})",
                "share below Adam's epsilon": with_range(lost[name], 3),
            }
            for name, values in sizes.items()
        ],
    )


def c27() -> Evidence:
    """Compare the report's WGAN without batch norm, at a lower learning rate, and with both changes."""
    asked = {  # what is changed, from what to what
        "the norm away": ("as it was", "no batch norm"),
        "the norm away, at a lower rate": ("a lower rate", "both"),
        "a lower rate": ("as it was", "a lower rate"),
        "a lower rate, without the norm": ("no batch norm", "both"),
        "both": ("as it was", "both"),
    }
    gains = {
        (bound, what): ln_ratios(FACTORIAL[bound, before], FACTORIAL[bound, after])
        for bound in WGANS_OF_THE_REPORT
        for what, (before, after) in asked.items()
        if {(bound, before), (bound, after)} <= FACTORIAL.keys()
    }
    better = {key: settle(mean_interval(values)[1]) for key, values in gains.items()}
    parts = {verdict for (_, what), verdict in better.items() if what.startswith("the norm away")}
    effect, interval = mean_interval(gains["clipping", "the norm away"])
    return Evidence(
        id="C27",
        claim="Batch norm keeps the critic from learning; without it, and with a lower rate, it learns.",
        section="4.2.2",
        experiment=(
            f"the report's setting, convolutions {WIDTH} channels wide, {WGANS_OF_THE_REPORT['clipping'].epochs} epochs; without batch norm in the critic; under clipping "
            f"also with {LOWER:g} of the rate (for as many epochs), and with both; {AGAINST}. That the critic learns is judged by what its generator learns. Effect: ln of the FID with the norm over the FID "
            "without, clipping; above 0 the norm does harm. Confirmed if FID falls without the norm at both rates under clipping and under the penalty, refuted if it rises in all three."
        ),
        effect=effect,
        interval=interval,
        unit="ln of a ratio of FIDs",
        verdict=_alike(parts),
        because="FID is divided by "
        + ", ".join(f"{math.exp(fmean(values)):.2f} ({bound}, {what})" for (bound, what), values in gains.items()),
        seeds=len(GAN_SEEDS),
        values=[round(value, 4) for value in gains["clipping", "the norm away"]],
        table=rows(
            {", ".join(key): recipe for key, recipe in FACTORIAL.items()}, "fid", "coverage", "digits", "sharpness"
        ),
    )
