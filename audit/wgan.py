"""Claims about the Wasserstein GAN: in the report's setting, and in those of this book."""

import copy
import math
from dataclasses import replace
from itertools import pairwise
from statistics import fmean
from typing import Any, cast

import torch
from scipy.stats import spearmanr
from torch import Tensor

from audit.evidence import (
    Evidence,
    Verdict,
    binomial_interval,
    mean_interval,
    shared_verdict,
    train,
    verdict_above,
    with_interval,
    with_range,
)
from audit.games import (
    AGAINST,
    LARGE_FACTOR,
    NO_LARGE_CHANGE,
    PROXY_CORRELATION,
    fid_after,
    rows,
    side_of_factor,
)
from audit.gan import (
    DCGAN,
    GAN,
    GAN_SEEDS,
    SHARPNESS_FACTOR,
    WGAN_EPOCHS,
    WGANS,
    WGANS_MLP,
    WGANS_OF_THE_REPORT,
    WGANS_OF_THE_REPORT_MLP,
    WIDTH,
    collapsed_runs,
    differences,
    fid_log_ratios,
    history_column,
    is_collapsed,
    measure,
    metric_by_seed,
    runs_that_lose_digits,
)
from gmlib import mnist, recipes, zoo
from gmlib.experiments.fit import training_loop
from gmlib.experiments.recipe import GANRecipe
from gmlib.objectives import NON_SATURATING
from gmlib.training import layer_gradients

LOWER_RATE_FACTOR = 0.25  # of the report's rate
TINY_RATIO = 0.1  # of the GAN's gradients
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
    "this book's, convolutions": replace(DCGAN, epochs=WGAN_EPOCHS),
    "this book's, MLPs": replace(GAN, epochs=WGAN_EPOCHS),
}
ARMS = {(setting, bound): recipe for setting, arms in SETTINGS.items() for bound, recipe in arms.items()}
TRAINED = (
    f"the report's setting, as far as it is known (Adam at 2e-4, a step of each, batch norm in the critic, dropout in that of MLPs), for {WGANS_OF_THE_REPORT['clipping'].epochs} "
    f"epochs of 50,000 digits ({WGANS_OF_THE_REPORT_MLP['clipping'].epochs} for MLPs); this book's (its recipes, which differ in optimiser, rate, critic steps and batch "
    f"norm too) for {WGAN_EPOCHS}; convolutions {WIDTH} channels wide"
)
CHANGES: dict[str, dict[str, Any]] = {
    "as it was": {},
    "no batch norm": {"critic_norm": None},
    "a lower rate": {"lr": LOWER_RATE_FACTOR * recipes.WGAN_REPORT.lr},
    "both": {"critic_norm": None, "lr": LOWER_RATE_FACTOR * recipes.WGAN_REPORT.lr},
}
# constraint on the critic, and the change to the report's setting: every change with clipping, the norm only with the penalty
FACTORIAL = {
    (bound, change): replace(recipe, **CHANGES[change])
    for bound, recipe in WGANS_OF_THE_REPORT.items()
    for change in (CHANGES if bound == "clipping" else ("as it was", "no batch norm"))
}
FULL = ("wgan_report", "wgan_gp_report", "wgan", "wgan_gp", "wgan_mlp", "wgan_gp_mlp")  # longer and wider, one run each
MAIN_ARM = ("this book's, convolutions", "penalty")


def _listed(values: dict[tuple[str, str], str]) -> str:
    """Return the text of each arm in one line."""
    return ", ".join(f"{text} ({setting}, {bound})" for (setting, bound), text in values.items())


def generator_steps(recipe: GANRecipe) -> int:
    """Return the number of generator steps of a run."""
    return int(sum(history_column(recipe, GAN_SEEDS[0], "generator_steps")))


def with_steps(arms: dict[str, GANRecipe], *names: str) -> list[dict[str, Any]]:
    """Return metrics, epochs and generator steps of several recipes as rows of a table."""
    table = rows(arms, *names)
    for row, recipe in zip(table, arms.values(), strict=True):
        row |= {"epochs": recipe.epochs, "generator steps": generator_steps(recipe)}
    return table


def c21() -> Evidence:
    """Compare WGANs with GANs of the same networks, at equal numbers of images and of generator steps."""
    images, steps = {}, {}
    for (setting, bound), recipe in ARMS.items():
        gan, same = GANS[setting], min(generator_steps(recipe), generator_steps(GANS[setting]))
        images[setting, bound] = differences(recipe, gan, "fid")
        steps[setting, bound] = [fid_after(recipe, seed, same) - fid_after(gan, seed, same) for seed in GAN_SEEDS]
    everyone = {f"GAN of {setting}": gan for setting, gan in GANS.items()}
    everyone |= {f"{setting}, {bound}": recipe for (setting, bound), recipe in ARMS.items()}
    return Evidence(
        id="C21",
        claim="A WGAN is no better than a GAN.",
        section="4.2.2",
        experiment=(
            f"{TRAINED}. Each against a GAN of its networks after as many images: in the report's setting with all else the same, in this book's gan and a narrow "
            f"dcgan without penalty; {AGAINST}. Where a WGAN takes five critic steps its generator takes a fifth of the steps, so that FID of 2,000 samples is "
            f"compared after as many generator steps too. Effect: FID of the WGAN minus FID of the GAN after as many images, {', '.join(MAIN_ARM)}. Confirmed if no "
            "arm is better by either clock, and all are worse; refuted if all are better by both."
        ),
        unit="FID",
        verdict=shared_verdict(
            {verdict_above(mean_interval(each)[1]) for clock in (images, steps) for each in clock.values()}
        ),
        because=(
            f"after as many images FID changes by {_listed({arm: with_interval(each, 0) for arm, each in images.items()})}; after as many generator steps by "
            f"{_listed({arm: with_interval(each, 0) for arm, each in steps.items()})}"
        ),
        seeds=len(GAN_SEEDS),
        values=images[MAIN_ARM],
        table=with_steps(everyone, "fid", "coverage", "digits"),
    )


def c22() -> Evidence:
    """Correlate the critic's estimate of the distance with quality along training."""
    arms = {arm: recipe for arm, recipe in ARMS.items() if arm[0] != "the report's, MLPs"}
    estimates = {
        arm: [train(recipe, seed).history.wasserstein_estimate() for seed in GAN_SEEDS] for arm, recipe in arms.items()
    }
    fids = {arm: [history_column(recipe, seed, "validation_fid") for seed in GAN_SEEDS] for arm, recipe in arms.items()}
    correlations = {arm: [_rho(a, b) for a, b in zip(estimates[arm], fids[arm], strict=True)] for arm in arms}
    changes = {
        arm: [_rho(_steps(a), _steps(b)) for a, b in zip(estimates[arm], fids[arm], strict=True)] for arm in arms
    }
    epoch_and_fid = {arm: [_rho([-float(i) for i in range(len(b))], b) for b in fids[arm]] for arm in arms}
    ends = {arm: mean_interval(values)[1] for arm, values in correlations.items()}
    guides = all(low > PROXY_CORRELATION for low, _ in ends.values())
    no_guide = all(high < PROXY_CORRELATION for _, high in ends.values())
    return Evidence(
        id="C22",
        claim="The loss of a WGAN stagnates after a few epochs, and says nothing.",
        section="4.2.2, fig. 11",
        experiment=(
            f"{TRAINED}; the report's MLPs left out. Rank correlation, over the epochs, of the critic's estimate (mean score of images minus that of samples) with the "
            f"FID of 2,000 samples. Effect: {', '.join(MAIN_ARM)}. From {PROXY_CORRELATION:g} on in every setting the estimate counts as a guide, below it in every setting the claim "
            "holds. Whatever falls along with FID correlates, a clock too; so the table has the clock's correlation, and that of the changes from epoch to epoch. "
            "Stagnation is shown there and not judged."
        ),
        unit="Spearman's rho",
        verdict="refuted" if guides else "confirmed" if no_guide else "depends",
        because=f"the rank correlation of estimate and FID is {_listed({arm: with_range(each, 2) for arm, each in correlations.items()})}",
        seeds=len(GAN_SEEDS),
        holds=(None, PROXY_CORRELATION),
        values=correlations[MAIN_ARM],
        table=[
            {
                "setting": ", ".join(arm),
                "estimate and FID": with_range(correlations[arm], 2),
                "their changes": with_range(changes[arm], 2),
                "a clock and FID": with_range(epoch_and_fid[arm], 2),
                "estimate, first epoch": with_range([each[0] for each in estimates[arm]], 4),
                "middle": with_range([each[len(each) // 2] for each in estimates[arm]], 4),
                "last": with_range([each[-1] for each in estimates[arm]], 4),
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
    log_ratios = {setting: fid_log_ratios(arms["clipping"], arms["penalty"]) for setting, arms in SETTINGS.items()}
    worse = {
        arm: verdict_above(mean_interval(differences(recipe, GANS[arm[0]], "fid"))[1]) for arm, recipe in ARMS.items()
    }
    parts = set()
    for setting, values in log_ratios.items():
        side = side_of_factor(mean_interval(values)[1])
        against_gan = [worse[setting, bound] for bound in SETTINGS[setting]]
        parts.add(
            "confirmed"
            if side == 0 and set(against_gan) == {"confirmed"}
            else "refuted"
            if side in (1, -1) or "refuted" in against_gan
            else "depends"
        )
    shown = MAIN_ARM[0]
    return Evidence(
        id="C23",
        claim="Clipping and penalty fail alike.",
        section="4.2.2",
        experiment=(
            f"{TRAINED}; {AGAINST}. Effect: ln of the FID with clipping over that with the penalty, {shown}. Within a factor of {LARGE_FACTOR} they are alike, and they fail if both "
            "are worse than the GAN of C21 after as many images; a setting speaks against the claim if they are farther apart than that, or one is better than the GAN. "
            "In the report's setting the bound is the only difference, in this book's the recipes differ in more."
        ),
        unit="ln of a ratio of FIDs",
        verdict=shared_verdict(cast(set[Verdict], parts)),
        because="FID with clipping over FID with the penalty is "
        + ", ".join(f"{math.exp(fmean(values)):.2f} ({setting})" for setting, values in log_ratios.items())
        + "; of three runs each, lose digits: "
        + _listed({arm: str(sum(runs_that_lose_digits(recipe))) for arm, recipe in ARMS.items()}),
        seeds=len(GAN_SEEDS),
        holds=NO_LARGE_CHANGE,
        values=log_ratios[shown],
        table=[
            {"setting": setting}
            | {f"FID, {bound}": with_range(metric_by_seed(recipe, "fid"), 0) for bound, recipe in arms.items()}
            | {"FID, GAN": with_range(metric_by_seed(GANS[setting], "fid"), 0)}
            for setting, arms in SETTINGS.items()
        ],
    )


def c24() -> Evidence:
    """Count runs that collapsed."""
    collapsed_by_arm = {arm: collapsed_runs(recipe) for arm, recipe in ARMS.items()}
    no_digits = {arm: sum(runs_that_lose_digits(recipe)) - sum(collapsed_by_arm[arm]) for arm, recipe in ARMS.items()}
    trials = [each for runs in collapsed_by_arm.values() for each in runs]
    full = [name for name in FULL if is_collapsed(measure(zoo.pretrained(name), 0))]
    effect, interval = binomial_interval(trials)
    return Evidence(
        id="C24",
        claim="A WGAN collapses.",
        section="4.2.2, fig. 12",
        experiment=(
            f"{TRAINED}; digits read in 10,000 samples. A run collapses if some digit comes less than a tenth as often as it should while the samples are digits: within a "
            f"factor of {SHARPNESS_FACTOR} of the edges of real ones, neither specks nor grey. Effect: share of all runs that do, with its binomial interval, as if all settings were "
            "alike. Confirmed if some run does in every setting, refuted if none in any, nor any of the full runs, which train longer. Stacked digits: chapter 10."
        ),
        effect=effect,
        interval=interval,
        unit="share of the runs",
        verdict="confirmed"
        if all(map(any, collapsed_by_arm.values()))
        else "depends"
        if any(trials) or full
        else "refuted",
        because=f"of three runs each, collapse: {_listed({arm: str(sum(runs)) for arm, runs in collapsed_by_arm.items()})}"
        + (
            f"; lose digits without drawing any: {_listed({a: str(n) for a, n in no_digits.items() if n})}"
            if any(no_digits.values())
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
        (source, bound): (SETTINGS[f"{source}, MLPs"][bound], SETTINGS[f"{source}, convolutions"][bound])
        for source in ("the report's", "this book's")
        for bound in WGANS
    }
    log_ratios = {arm: fid_log_ratios(*pair) for arm, pair in pairs.items()}
    shown = ("this book's", "penalty")
    sides = {side_of_factor(mean_interval(values)[1]) for values in log_ratios.values()}
    return Evidence(
        id="C25",
        claim="For a WGAN it makes no difference whether the networks are MLPs or convolutions.",
        section="4.2.2",
        experiment=(
            f"{TRAINED}, in the report's setting so that the generators of a pair take as many steps; {AGAINST}. Effect: ln of the FID of MLPs over that of convolutions, {', '.join(shown)}. "
            f"Within a factor of {LARGE_FACTOR} counts as no difference. Recipes are compared as they are: in this book's, MLPs and convolutions differ in rate, bound, "
            "norms and critic steps too; in the report's, in batch size and dropout."
        ),
        unit="ln of a ratio of FIDs",
        verdict="confirmed" if sides == {0} else "refuted" if sides <= {1, -1} else "depends",
        because=f"FID with MLPs over FID with convolutions is {_listed({arm: f'{math.exp(fmean(each)):.2f}' for arm, each in log_ratios.items()})}",
        seeds=len(GAN_SEEDS),
        holds=NO_LARGE_CHANGE,
        values=log_ratios[shown],
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
    """Return the gradients of all weights of a generator at the end of a run, of ten batches, as one vector."""
    one_step_each = replace(recipe, n_critic=1, warmup=False)
    model = copy.deepcopy(train(recipe, seed).model)
    loop = training_loop(one_step_each, model, mnist("train", "mnist")[: 10 * recipe.batch_size], seed)
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
    sides = {name: verdict_above(mean_interval(values)[1], math.log10(TINY_RATIO)) for name, values in against.items()}
    tiny = {name: side_of_factor == "refuted" for name, side_of_factor in sides.items()}
    large = {name: side_of_factor == "confirmed" for name, side_of_factor in sides.items()}
    parts: set[Verdict] = set()
    for bound in WGANS_OF_THE_REPORT:
        normed, plain = f"{bound}, batch norm", f"{bound}, no batch norm"
        through = tiny[normed] and large[plain]
        parts.add(
            "confirmed" if through else "refuted" if large[normed] or (tiny[normed] and tiny[plain]) else "depends"
        )
    shown = "clipping, batch norm"
    return Evidence(
        id="C26",
        claim="The generator's gradients are tiny, perhaps through batch norm.",
        section="4.2.2, fig. 11",
        experiment=(
            f"the report's setting, convolutions {WIDTH} channels wide, {arms[beside].epochs} epochs, with batch norm in the critic and without; root mean square of the "
            "gradients of the averaged generator at the end, and of a GAN that differs in its objective alone. Effect: the decimal logarithm of their ratio, "
            f"{shown}. Below {TINY_RATIO:g} counts as tiny. For a bound the claim holds if they are tiny with the norm and not without; it fails if they are not tiny, or "
            f"tiny without it too. Adam divides by the size: it takes no notice until a gradient comes near its epsilon, {ADAMS_EPS:g}."
        ),
        unit="powers of ten",
        verdict=shared_verdict(parts),
        because="the generator's gradients are "
        + ", ".join(f"{10 ** fmean(values):.2g} times those of the GAN ({name})" for name, values in against.items()),
        seeds=len(GAN_SEEDS),
        holds=(None, math.log10(TINY_RATIO)),
        values=against[shown],
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
        (bound, what): fid_log_ratios(FACTORIAL[bound, before], FACTORIAL[bound, after])
        for bound in WGANS_OF_THE_REPORT
        for what, (before, after) in asked.items()
        if {(bound, before), (bound, after)} <= FACTORIAL.keys()
    }
    better = {key: verdict_above(mean_interval(values)[1]) for key, values in gains.items()}
    parts = {verdict for (_, what), verdict in better.items() if what.startswith("the norm away")}
    return Evidence(
        id="C27",
        claim="Batch norm keeps the critic from learning; without it, and with a lower rate, it learns.",
        section="4.2.2",
        experiment=(
            f"the report's setting, convolutions {WIDTH} channels wide, {WGANS_OF_THE_REPORT['clipping'].epochs} epochs; without batch norm in the critic; under clipping "
            f"also with {LOWER_RATE_FACTOR:g} of the rate (for as many epochs), and with both; {AGAINST}. That the critic learns is judged by what its generator learns. Effect: ln of the FID with the norm over the FID "
            "without, clipping; above 0 the norm does harm. Confirmed if FID falls without the norm at both rates under clipping and under the penalty, refuted if it rises in all three."
        ),
        unit="ln of a ratio of FIDs",
        verdict=shared_verdict(parts),
        because="FID is divided by "
        + ", ".join(f"{math.exp(fmean(values)):.2f} ({bound}, {what})" for (bound, what), values in gains.items()),
        seeds=len(GAN_SEEDS),
        values=gains["clipping", "the norm away"],
        table=rows(
            {", ".join(key): recipe for key, recipe in FACTORIAL.items()}, "fid", "coverage", "digits", "sharpness"
        ),
    )
