"""Claims about the GAN: losses, schedules, interpolation and labels."""

import math
from collections.abc import Callable
from itertools import accumulate
from statistics import fmean
from typing import Any, cast

import torch
from scipy.stats import spearmanr
from torch import Generator

from audit.evidence import (
    Evidence,
    binomial_interval,
    mean_interval,
    paired_log_ratios,
    share_difference,
    shared_verdict,
    train,
    verdict_above,
    with_interval,
    with_range,
)
from audit.gan import (
    DCGAN,
    DCGAN_LONG,
    GAN,
    GAN_SEEDS,
    PREVAILING_SHARE,
    SHARPNESS_FACTOR,
    WGANS,
    WGANS_OF_THE_REPORT,
    WIDTH,
    classified,
    differences,
    fid_log_ratios,
    history_column,
    is_digits,
    metric_by_seed,
    metrics_by_seed,
    runs_that_lose_digits,
    shortened,
)
from gmlib import interpolate, interpolate_spherical, mnist, recipes, zoo
from gmlib.experiments.recipe import GANRecipe

CGAN, CDCGAN = shortened(recipes.CGAN), shortened(recipes.CDCGAN)
GAN_MINIMAX, GAN_CRITIC_BN = shortened(recipes.GAN_MINIMAX), shortened(recipes.GAN_CRITIC_BN)
SCHEDULES = {
    "1 : 1": GAN,
    "2 : 1": shortened(recipes.GAN, n_critic=2),
    "5 : 1": shortened(recipes.GAN, n_critic=5),
    "1 : 2": shortened(recipes.GAN, n_generator=2),
}
NARROW = f"convolutional networks {WIDTH} channels wide, without penalty, at a rate of {DCGAN.lr:g} falling to 0"
MLP_BUDGET = f"{GAN.epochs} epochs of 50,000 digits"
BUDGET = f"{MLP_BUDGET}; {DCGAN.epochs} for the {NARROW}"
LONG_BUDGET = f"{MLP_BUDGET} ({NARROW})"
AGAINST = "10,000 samples against 10,000 validation digits"
HALF_TOLERANCE = 0.1  # how far from a half D may be
PROXY_CORRELATION = 0.8  # rank correlation from which a loss counts as a proxy
LARGE_FACTOR = 1.25  # factor in FID from which a change counts as large
NO_LARGE_CHANGE = (-math.log(LARGE_FACTOR), math.log(LARGE_FACTOR))  # of ln ratios: no large change
PAIRS = 200
SMOOTH_STEP, JUMP_STEP = 0.5, 1.0  # of the distance of two samples: what counts as a small step, and as a jump


def rows(arms: dict[str, GANRecipe], *names: str) -> list[dict[str, Any]]:
    """Return metrics of several recipes as rows of a table: mean, least and largest over the seeds."""
    digits = {"fid": 0, "digits": 1, "coverage": 2}
    return [
        {"model": arm}
        | {name.replace("_", " "): with_range(metric_by_seed(recipe, name), digits.get(name, 3)) for name in names}
        for arm, recipe in arms.items()
    ]


def c10() -> Evidence:
    """Compare the generator's loss of the first epoch with that of the last."""
    losses = {
        name: [history_column(recipe, seed, "generator_loss") for seed in GAN_SEEDS]
        for name, recipe in {"gan": GAN, "narrow dcgan": DCGAN_LONG}.items()
    }
    falls = {name: [each[0] - each[-1] for each in runs] for name, runs in losses.items()}
    peaks = {name: [1 + each.index(max(each)) for each in runs] for name, runs in losses.items()}
    verdicts = {verdict_above(mean_interval(each)[1]) for each in falls.values()}
    return Evidence(
        id="C10",
        claim="The generator's loss starts high and falls with the epochs.",
        section="4.2.1, fig. 8",
        experiment=f"gan and a narrow dcgan, {LONG_BUDGET}. Effect: generator's loss, mean of the first epoch minus mean of the last, gan.",
        unit="nats",
        verdict=shared_verdict(verdicts),
        because="from the first epoch to the last, -log D(G(z)) loses "
        + ", and ".join(
            f"{with_interval(falls[name], 2)} nats in {name}, where it is highest in epoch {' or '.join(map(str, sorted(set(at))))}"
            for name, at in peaks.items()
        ),
        seeds=len(GAN_SEEDS),
        values=falls["gan"],
        details={"falls": falls, "epoch of the peak": peaks},
    )


def c11() -> Evidence:
    """Measure the discriminator's probabilities at the end of training."""
    arms = {"gan": GAN, "cgan": CGAN, "narrow dcgan": DCGAN_LONG}
    real, fake = (
        {
            name: [history_column(recipe, seed, metric_by_seed)[-1] for seed in GAN_SEEDS]
            for name, recipe in arms.items()
        }
        for metric_by_seed in ("real_sigmoid", "fake_sigmoid")
    )
    # D on both is a half where their difference and the distance of their mean from a half vanish
    distance_from_half = {
        name: [max(a - b, abs(a + b - 1)) for a, b in zip(real[name], fake[name], strict=True)] for name in arms
    }
    within_tolerance = [mean_interval(values)[1][1] < HALF_TOLERANCE for values in distance_from_half.values()]
    beyond_tolerance = [mean_interval(values)[1][0] > HALF_TOLERANCE for values in distance_from_half.values()]
    full_runs = {name: zoo.pretrained(name).history.rows[-1] for name in ("gan", "cgan", "dcgan", "cdcgan")}
    full_runs_apart = [
        cast(float, row["real_sigmoid"]) - cast(float, row["fake_sigmoid"]) > HALF_TOLERANCE
        for row in full_runs.values()
    ]
    text = [f"{fmean(real[name]):.2f} on real and {fmean(fake[name]):.2f} on fake images in {name}" for name in arms]
    text_of_full_runs = [
        f"{row['real_sigmoid']:.2f} and {row['fake_sigmoid']:.2f} in {name} after {row['epoch']}"
        for name, row in full_runs.items()
    ]
    return Evidence(
        id="C11",
        claim="At the end of training the discriminator is 50 % sure of everything.",
        section="3.2",
        experiment=(
            f"gan, cgan and a narrow dcgan, {LONG_BUDGET}; mean sigmoid of the discriminator's scores over the last epoch, as it trains, "
            f"of training digits and samples. Effect: the larger of D(real) - D(fake) and |D(real) + D(fake) - 1|, gan; up to {HALF_TOLERANCE} passes."
        ),
        unit="probability",
        verdict="confirmed"
        if all(within_tolerance)
        else "refuted"
        if all(beyond_tolerance) and all(full_runs_apart)
        else "depends",
        because=(
            f"after {GAN.epochs} epochs it gives {', '.join(text)}; in the full runs, of one seed, {', '.join(text_of_full_runs)} epochs"
        ),
        seeds=len(GAN_SEEDS),
        holds=(None, HALF_TOLERANCE),
        values=distance_from_half["gan"],
        table=[
            {"model": name, "D of real": with_range(real[name], 3), "D of fake": with_range(fake[name], 3)}
            for name in arms
        ],
        details={"real": real, "fake": fake},
    )


def largest_steps(images: torch.Tensor) -> tuple[float, float]:
    """Return the largest step in features over the distance of the ends, and the changes of digit: means over interpolations."""
    features, digits = (each.unflatten(0, (PAIRS, -1)) for each in classified(images))
    longest = features.diff(dim=1).norm(dim=2).max(1).values.mean()
    distance = (features[:, 0] - features[:, -1]).norm(dim=1).mean()
    return float(longest / distance), float((digits.diff(dim=1) != 0).sum(1).float().mean())


def interpolated_samples(recipe: GANRecipe, seed: int, way: Callable[..., torch.Tensor]) -> torch.Tensor:
    """Return samples along interpolations between random latents."""
    run = train(recipe, seed)
    ends = torch.randn(2, PAIRS, run.model.latent_dim, generator=Generator().manual_seed(seed))
    return run.model.decode(way(ends[0], ends[1]))


def c13() -> Evidence:
    """Measure the steps of interpolations in latent space."""
    ways = {"linear": interpolate, "spherical": interpolate_spherical}
    steps_and_changes = {
        (name, way): [largest_steps(interpolated_samples(recipe, seed, interpolation)) for seed in GAN_SEEDS]
        for name, recipe in {"gan": GAN, "narrow dcgan": DCGAN_LONG}.items()
        for way, interpolation in ways.items()
    }
    steps = {key: [each[0] for each in values] for key, values in steps_and_changes.items()}
    all_smooth = [mean_interval(values)[1][1] < SMOOTH_STEP for values in steps.values()]
    all_jumps = [mean_interval(values)[1][0] > JUMP_STEP for values in steps.values()]
    digits = mnist("validation", "mnist")[: 2 * PAIRS].grey()
    of_cross_fade = largest_steps(
        interpolate(digits[:PAIRS].flatten(1), digits[PAIRS:].flatten(1)).view(-1, 1, 28, 28)
    )[0]
    return Evidence(
        id="C13",
        claim="Between two latents, in steps of 0.2, images change smoothly.",
        section="4.2.1, fig. 9",
        experiment=(
            f"gan and a narrow dcgan, {LONG_BUDGET}; {PAIRS} ways between random latents, linear and spherical, steps in the classifier's "
            "features. Effect: the longest of five steps over the distance of two samples, gan, linear; the cross-fade of two real digits has "
            f"{of_cross_fade:.2f}. Below {SMOOTH_STEP:g} counts as smooth, above {JUMP_STEP:g} as a jump."
        ),
        unit="distances of two samples",
        verdict="confirmed" if all(all_smooth) else "refuted" if all(all_jumps) else "depends",
        because="the longest of the five steps is "
        + ", ".join(f"{fmean(values):.2f} in {name} ({way})" for (name, way), values in steps.items())
        + " of the distance of two samples",
        seeds=len(GAN_SEEDS),
        holds=(None, SMOOTH_STEP),
        values=steps["gan", "linear"],
        table=[
            {
                "model": name,
                "way": way,
                "longest step": with_range([each[0] for each in values], 3),
                "changes of the digit": with_range([each[1] for each in values], 2),
            }
            for (name, way), values in steps_and_changes.items()
        ],
    )


def c14() -> Evidence:
    """Correlate losses with quality along training."""
    signs = {"generator_loss": 1, "critic_loss": -1}  # a good generator has a low loss, and its critic a high one
    arms = {"gan": GAN, "narrow dcgan": DCGAN_LONG}
    correlations = {
        (arm, loss): [
            float(
                spearmanr(history_column(recipe, seed, loss), history_column(recipe, seed, "validation_fid")).statistic
            )
            for seed in GAN_SEEDS
        ]
        for arm, recipe in arms.items()
        for loss in signs
    }
    ends = {
        key: sorted(signs[key[1]] * end for end in mean_interval(values)[1]) for key, values in correlations.items()
    }
    proxies = [all(ends[arm, loss][0] > PROXY_CORRELATION for arm in arms) for loss in signs]
    fails = [all(ends[arm, loss][1] < PROXY_CORRELATION for arm in arms) for loss in signs]
    return Evidence(
        id="C14",
        claim="The losses are no proxy for the quality of the samples.",
        section="4.2.1",
        experiment=(
            f"gan and a narrow dcgan, {LONG_BUDGET}; rank correlation of each loss with the FID of 2,000 samples over the epochs. Effect: that "
            f"of the generator's loss, narrow dcgan. A proxy has at least {PROXY_CORRELATION:g}, the critic's loss at most -{PROXY_CORRELATION:g}. Confirmed if both losses "
            "fail in both networks, refuted if one of them is a proxy in both."
        ),
        unit="Spearman's rho",
        verdict="refuted" if any(proxies) else "confirmed" if all(fails) else "depends",
        because="rank correlation with FID is "
        + ", ".join(
            f"{with_interval(values, 2)} for the {loss.replace('_loss', '')}'s loss in {arm}"
            for (arm, loss), values in correlations.items()
        ),
        seeds=len(GAN_SEEDS),
        holds=(None, PROXY_CORRELATION),
        values=correlations["narrow dcgan", "generator_loss"],
        details={"rho": {f"{arm}, {loss}": values for (arm, loss), values in correlations.items()}},
    )


def c15() -> Evidence:
    """Count runs in which one digit prevails in the samples."""
    arms = {
        "gan": GAN,
        "gan_minimax": GAN_MINIMAX,
        "gan_critic_bn": GAN_CRITIC_BN,
        **{f"gan with {k}": v for k, v in SCHEDULES.items() if v is not GAN},
        "narrow dcgan": DCGAN,
        **{f"the report's wgan, {bound}": recipe for bound, recipe in WGANS_OF_THE_REPORT.items()},
        **{f"narrow wgan, {bound}": recipe for bound, recipe in WGANS.items()},
    }
    trials = {
        name: [(each.largest, each.sharpness) for each in metrics_by_seed(recipe)] for name, recipe in arms.items()
    }
    prevails = {
        name: [share > PREVAILING_SHARE and is_digits(sharpness_of_samples) for share, sharpness_of_samples in each]
        for name, each in trials.items()
    }
    one_sided = {name: sum(each) for name, each in prevails.items()}
    count, number = sum(one_sided.values()), sum(map(len, trials.values()))
    effect, interval = binomial_interval([one for each in prevails.values() for one in each])
    where = [f"{name} ({n})" for name, n in one_sided.items() if n]
    return Evidence(
        id="C15",
        claim="In some trials one digit prevails.",
        section="4.2.1",
        experiment=(
            f"{len(arms)} unconditional settings, {BUDGET}; WGANs as in C21, of chapter 9; digits read in 10,000 samples. A digit prevails with more than {PREVAILING_SHARE:.0%} of "
            f"them, if they are digits: within a factor of {SHARPNESS_FACTOR} of the edges of real ones. Effect: share of the trials in which one does, "
            "with its binomial interval, as if all settings were alike. No trial can refute it."
        ),
        effect=effect,
        interval=interval,
        unit="share of the trials",
        verdict="confirmed" if count else "depends",
        because=f"one digit has more than {PREVAILING_SHARE:.0%} of the samples in {count} of {number} trials"
        + (f": {', '.join(where)}" if where else ""),
        seeds=len(GAN_SEEDS),
        over="runs",
        values=[float(one) for each in prevails.values() for one in each],
        table=rows(arms, "largest", "digits", "histogram_kl", "sharpness"),
        details={"share of the most frequent digit, and sharpness": trials},
    )


def c16() -> Evidence:
    """Compare the two losses of the generator."""
    effect, interval = share_difference(runs_that_lose_digits(GAN_MINIMAX), runs_that_lose_digits(GAN))
    arms = {"log(1 - D)": GAN_MINIMAX, "-log D": GAN}
    return Evidence(
        id="C16",
        claim="log(1 - D) makes an unstable generator, which -log D repairs.",
        section="4.2.1",
        experiment=(
            f"gan and gan_minimax, {MLP_BUDGET}; {AGAINST}. A run fails if some digit comes less than a tenth as often as it should. Effect: "
            "share of the runs that fail, gan_minimax minus gan; few runs make its interval wide."
        ),
        effect=effect,
        interval=interval,
        unit="share of the runs",
        verdict=verdict_above(interval),
        because="; ".join(
            f"with {name}, {sum(runs_that_lose_digits(recipe))} of {len(GAN_SEEDS)} runs fail, and FID is {_listed(metric_by_seed(recipe, 'fid'))}"
            for name, recipe in arms.items()
        ),
        seeds=len(GAN_SEEDS),
        over="pairs of runs",
        values=[
            float(a) - float(b)
            for a, b in zip(runs_that_lose_digits(GAN_MINIMAX), runs_that_lose_digits(GAN), strict=True)
        ],
        table=rows({"gan": GAN, "gan_minimax": GAN_MINIMAX}, "fid", "coverage", "digits", "histogram_kl", "largest"),
    )


def _listed(values: list[float]) -> str:
    """Return the values of all seeds as text."""
    return ", ".join(f"{value:.0f}" for value in values)


def fid_after(recipe: GANRecipe, seed: int, steps: int) -> float:
    """Return the FID of a run after a number of generator steps."""
    done = accumulate(history_column(recipe, seed, "generator_steps"))
    epoch = next(i for i, count in enumerate(done) if count >= steps)
    return history_column(recipe, seed, "validation_fid")[epoch]


def c17() -> Evidence:
    """Compare schedules of critic and generator steps."""
    total = {
        name: int(sum(history_column(recipe, GAN_SEEDS[0], "generator_steps"))) for name, recipe in SCHEDULES.items()
    }
    others = [name for name in SCHEDULES if SCHEDULES[name] is not GAN]
    images, steps, table = {}, {}, []
    for name in others:
        recipe, same = SCHEDULES[name], min(total[name], total["1 : 1"])
        ours, theirs = ([fid_after(each, seed, same) for seed in GAN_SEEDS] for each in (recipe, GAN))
        images[name] = fid_log_ratios(recipe, GAN)
        steps[name] = paired_log_ratios(ours, theirs)
        table.append(
            {
                "critic : generator": name,
                "FID": with_range(metric_by_seed(recipe, "fid"), 0),
                "that of 1 : 1": with_range(metric_by_seed(GAN, "fid"), 0),
                "at as many generator steps": same,
                "FID of 2,000": with_range(ours, 0),
                "that of 1 : 1 then": with_range(theirs, 0),
            }
        )
    sides = {
        (clock, name): side_of_factor(mean_interval(values)[1])
        for clock, each in (("images", images), ("steps", steps))
        for name, values in each.items()
    }
    name = max(others, key=lambda name: abs(fmean(images[name])))
    same_way = [sides["images", name] for name in others if sides["images", name] == sides["steps", name]]
    return Evidence(
        id="C17",
        claim="No schedule of discriminator and generator steps changes much.",
        section="4.2.1",
        experiment=(
            f"gan with 1 : 1, 2 : 1, 5 : 1 and 1 : 2 critic to generator steps, {MLP_BUDGET}, the same images for all critics; {AGAINST}. "
            f"Effect: ln of the FID of {name} over that of 1 : 1, the schedule with the largest. Beyond a factor of {LARGE_FACTOR} counts as much; "
            "refuted if some schedule is beyond it on the same side after as many images and after as many generator steps."
        ),
        unit="ln of a ratio of FIDs",
        verdict="confirmed"
        if all(side_of_factor == 0 for side_of_factor in sides.values())
        else "refuted"
        if any(same_way)
        else "depends",
        because="FID over that of 1 : 1 is "
        + ", ".join(
            f"{math.exp(fmean(images[name])):.2f} with {name} after as many images and {math.exp(fmean(steps[name])):.2f} after as many "
            "generator steps"
            for name in others
        ),
        seeds=len(GAN_SEEDS),
        holds=NO_LARGE_CHANGE,
        values=images[name],
        table=table,
    )


def side_of_factor(interval: tuple[float, float]) -> int | None:
    """Return where an interval of ln ratios lies relative to the factor `LARGE_FACTOR`: 1 above it, -1 below its inverse, 0 between them, None across a border."""
    low, high, much = *interval, math.log(LARGE_FACTOR)
    return 1 if low > much else -1 if high < -much else 0 if -much < low and high < much else None


def c18() -> Evidence:
    """Compare conditional models with their parents."""
    pairs = {"cgan": (CGAN, GAN), "narrow cdcgan": (CDCGAN, DCGAN)}
    covered = {name: differences(*pair, "coverage") for name, pair in pairs.items()}
    gains = {name: [-value for value in differences(*pair, "histogram_kl")] for name, pair in pairs.items()}
    verdicts = {verdict_above(mean_interval(values)[1]) for values in (*gains.values(), *covered.values())}
    arms = {"gan": GAN, "cgan": CGAN, "narrow dcgan": DCGAN, "narrow cdcgan": CDCGAN}
    return Evidence(
        id="C18",
        claim="Conditioning on the label helps to learn multiple modes.",
        section="3.2.1, 5",
        experiment=(
            f"cgan against gan and a narrow cdcgan against a narrow dcgan, {BUDGET}; {AGAINST}, with the labels of these. Effect: coverage, "
            "cgan minus gan. Confirmed if coverage and the KL of the digit histogram gain in both pairs."
        ),
        unit="share of the validation digits",
        verdict=shared_verdict(verdicts),
        because=(
            f"coverage of the validation digits changes by {with_interval(covered['cgan'], 2)} with labels in gan and by "
            f"{with_interval(covered['narrow cdcgan'], 2)} in the narrow dcgan, after as many epochs; the histogram's KL falls by "
            f"{with_interval(gains['cgan'], 3)} and {with_interval(gains['narrow cdcgan'], 3)} nats, but labels are told"
        ),
        seeds=len(GAN_SEEDS),
        values=covered["cgan"],
        table=rows(arms, "fid", "coverage", "histogram_kl", "digits", "accuracy"),
    )
