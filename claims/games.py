"""Claims about the GAN: its losses, its balance, its interpolations, its labels."""

from collections.abc import Callable
from statistics import fmean
from typing import Any

import torch
from scipy.stats import binomtest, spearmanr
from torch import Generator

from claims.evidence import Evidence, Verdict, mean_interval, train, with_interval, with_margin
from claims.gan import (
    DCGAN,
    DCGAN_LONG,
    GAN,
    GAN_SEEDS,
    PREVAILS,
    WIDTH,
    Judged,
    column,
    differences,
    history,
    judged,
    like,
)
from gmlib import interpolate, interpolate_spherical, recipes
from gmlib.evaluate import extract, shipped_classifier
from gmlib.experiment import GANRecipe

CGAN, CDCGAN = like(recipes.CGAN), like(recipes.CDCGAN)
GAN_MINIMAX, GAN_CRITIC_BN = like(recipes.GAN_MINIMAX), like(recipes.GAN_CRITIC_BN)
SCHEDULES = {
    "1 : 1": GAN,
    "2 : 1": like(recipes.GAN, n_critic=2),
    "5 : 1": like(recipes.GAN, n_critic=5),
    "1 : 2": like(recipes.GAN, n_generator=2),
}
NARROW = f"convolutional ones {WIDTH} channels wide, without penalty, at a rate of {DCGAN.lr:g} falling to 0"
BUDGET = f"{GAN.epochs} epochs of 50,000 digits for MLPs, {DCGAN.epochs} for convolutional networks, {NARROW}"
LONG_BUDGET = f"{GAN.epochs} epochs of 50,000 digits, {NARROW}"
AGAINST = "10,000 samples against 10,000 validation digits"
PROXY = 0.8  # rank correlation from which a loss would be taken for a proxy
MUCH = 1.25  # factor in FID from which a schedule is said to change much
PAIRS = 200
SMOOTH = 0.4  # share of a way that its longest of five steps may have; even steps have 0.2


def settle(interval: tuple[float, float], threshold: float = 0.0) -> Verdict:
    """Say what an interval does to a claim that the effect is above a threshold.

    Args:
        interval: low and high.
        threshold: where the claim ends.

    Returns:
        "confirmed" above it, "refuted" below it, "depends" across it.
    """
    low, high = interval
    return "confirmed" if low > threshold else "refuted" if high < threshold else "depends"


def rows(arms: dict[str, GANRecipe], *names: str) -> list[dict[str, Any]]:
    """Lay out measures of several recipes.

    Args:
        arms: name to recipe.
        *names: fields of `Judged`.

    Returns:
        A row a recipe.
    """
    digits = {"fid": 0, "digits": 1}
    return [
        {"model": arm}
        | {name.replace("_", " "): with_margin(column(recipe, name), digits.get(name, 3)) for name in names}
        for arm, recipe in arms.items()
    ]


def c10() -> Evidence:
    """Follow the generator's loss.

    Returns:
        The evidence.
    """
    falls = {}
    for name, recipe in {"gan": GAN, "dcgan": DCGAN_LONG}.items():
        losses = [history(recipe, seed, "generator_loss") for seed in GAN_SEEDS]
        falls[name] = [each[0] - each[-1] for each in losses]
    effect, interval = mean_interval(falls["gan"])
    other = mean_interval(falls["dcgan"])[1]
    verdicts = {settle(interval), settle(other)}
    return Evidence(
        id="C10",
        claim="The generator's loss starts high and falls with the epochs.",
        section="4.2.1, fig. 8",
        experiment=f"gan and dcgan, {LONG_BUDGET}. Effect: generator's loss, mean of the first epoch minus mean of the last, gan.",
        effect=effect,
        interval=interval,
        unit="nats",
        verdict=verdicts.pop() if len(verdicts) == 1 else "depends",
        because=(
            f"from the first epoch to the last, -log D(G(z)) changes by {with_interval([-fall for fall in falls['gan']], 2)} nats in gan and "
            f"by {with_interval([-fall for fall in falls['dcgan']], 2)} in dcgan: the loss is measured by a critic that learns too"
        ),
        seeds=len(GAN_SEEDS),
        values=[round(fall, 4) for fall in falls["gan"]],
        details={"falls": falls},
    )


def c11() -> Evidence:
    """See how sure the discriminator is at the end.

    Returns:
        The evidence.
    """
    arms = {"gan": GAN, "cgan": CGAN, "dcgan": DCGAN_LONG}
    real, fake = (
        {name: [history(recipe, seed, column)[-1] for seed in GAN_SEEDS] for name, recipe in arms.items()}
        for column in ("real_sigmoid", "fake_sigmoid")
    )
    sure = {name: [a - b for a, b in zip(real[name], fake[name], strict=True)] for name in arms}
    effect, interval = mean_interval(sure["gan"])
    near = {name: mean_interval(values)[1][1] < 0.1 for name, values in sure.items()}
    far = {name: mean_interval(values)[1][0] > 0.1 for name, values in sure.items()}
    long = {name: recipes.pretrained(name).history.rows[-1] for name in ("gan", "cgan", "dcgan", "cdcgan")}
    said = ", ".join(
        f"{row['real_sigmoid']:.2f} on real and {row['fake_sigmoid']:.2f} on fake images in {name} after {row['epoch']} epochs"
        for name, row in long.items()
    )
    return Evidence(
        id="C11",
        claim="At the end of training the discriminator is 50 % sure of everything.",
        section="3.2",
        experiment=(
            f"gan, cgan, dcgan, {LONG_BUDGET}; mean sigmoid of the discriminator's scores in the last epoch. Effect: that of real "
            "minus that of fake images, gan; up to 0.1 would pass for 50 %."
        ),
        effect=effect,
        interval=interval,
        unit="probability",
        verdict="confirmed" if all(near.values()) else "refuted" if all(far.values()) else "depends",
        because=f"in the full runs, of one seed, it gives {said}",
        seeds=len(GAN_SEEDS),
        values=[round(value, 4) for value in sure["gan"]],
        table=[
            {"model": name, "D of real": with_margin(real[name], 3), "D of fake": with_margin(fake[name], 3)}
            for name in arms
        ],
        details={"real": real, "fake": fake},
    )


def largest_steps(recipe: GANRecipe, seed: int, way: Callable[..., torch.Tensor]) -> tuple[float, float]:
    """Walk between random latents in steps of 0.2, and look at how even the steps are in the classifier's features.

    Args:
        recipe: what to train.
        seed: of the run and of the latents.
        way: `interpolate` or `interpolate_spherical`.

    Returns:
        Share of the way that its longest step takes, and changes of the digit that is read; means over the ways.
    """
    run = train(recipe, seed)
    ends = torch.randn(2, PAIRS, run.latent_dim, generator=Generator().manual_seed(seed))
    classifier = shipped_classifier()
    features = extract(run.decode(way(ends[0], ends[1])), classifier.features)
    with torch.inference_mode():
        read = classifier.head(features).argmax(1).unflatten(0, (PAIRS, -1))
    lengths = features.unflatten(0, (PAIRS, -1)).diff(dim=1).norm(dim=2)
    share = lengths.max(1).values / lengths.sum(1)
    return float(share.mean()), float((read.diff(dim=1) != 0).sum(1).float().mean())


def c13() -> Evidence:
    """Measure the steps of interpolations.

    Returns:
        The evidence.
    """
    ways = {"linear": interpolate, "spherical": interpolate_spherical}
    found = {
        (name, way): [largest_steps(recipe, seed, go) for seed in GAN_SEEDS]
        for name, recipe in {"gan": GAN, "dcgan": DCGAN_LONG}.items()
        for way, go in ways.items()
    }
    share = {key: [each[0] for each in values] for key, values in found.items()}
    effect, interval = mean_interval(share["gan", "linear"])
    smooth = [mean_interval(values)[1][1] < SMOOTH for values in share.values()]
    rough = [mean_interval(values)[1][0] > SMOOTH for values in share.values()]
    return Evidence(
        id="C13",
        claim="Between two latents, in steps of 0.2, images change smoothly.",
        section="4.2.1, fig. 9",
        experiment=(
            f"gan and dcgan, {LONG_BUDGET}; {PAIRS} ways between random latents, linear and spherical, lengths of the five steps in the "
            f"classifier's features. Effect: share of the way in its longest step, gan, linear; 0.2 were even, below {SMOOTH} counts as smooth."
        ),
        effect=effect,
        interval=interval,
        unit="share of the way",
        verdict="confirmed" if all(smooth) else "refuted" if all(rough) else "depends",
        because=(
            "the longest of the five steps takes "
            + ", ".join(f"{fmean(values):.0%} of the way in {name} ({way})" for (name, way), values in share.items())
        ),
        seeds=len(GAN_SEEDS),
        values=[round(value, 4) for value in share["gan", "linear"]],
        table=[
            {
                "model": name,
                "way": way,
                "longest step": with_margin([each[0] for each in values], 3),
                "changes of the digit": with_margin([each[1] for each in values], 2),
            }
            for (name, way), values in found.items()
        ],
    )


def c14() -> Evidence:
    """Correlate losses with quality along training.

    Returns:
        The evidence.
    """
    found: dict[str, list[float]] = {}
    for name in ("generator_loss", "critic_loss"):
        pairs = [(history(GAN, seed, name), history(GAN, seed, "validation_fid")) for seed in GAN_SEEDS]
        found[name] = [float(spearmanr(losses, fids).statistic) for losses, fids in pairs]
    effect, interval = mean_interval(found["generator_loss"])
    ends = [mean_interval(values)[1] for values in found.values()]
    long = {name: recipes.pretrained(name).history for name in ("gan", "dcgan")}
    said = ", ".join(
        f"{spearmanr(rows.column(loss), rows.column('validation_fid')).statistic:+.2f} for the {loss.replace('_', ' ')} of {name}"
        for name, rows in long.items()
        for loss in found
    )
    return Evidence(
        id="C14",
        claim="The losses are no proxy for the quality of the samples.",
        section="4.2.1",
        experiment=(
            f"gan, {BUDGET}; rank correlation of each loss with the FID of 2,000 samples over the epochs. Effect: that of the generator's "
            f"loss; a proxy would fall as FID falls, with at least {PROXY:+g}."
        ),
        effect=effect,
        interval=interval,
        unit="Spearman's rho",
        verdict="confirmed"
        if all(high < PROXY for _, high in ends)
        else "refuted"
        if all(low > PROXY for low, _ in ends)
        else "depends",
        because=(
            f"rank correlation with FID is {with_interval(found['generator_loss'], 2)} for the generator's loss and "
            f"{with_interval(found['critic_loss'], 2)} for the critic's; over the long runs, of one seed, {said}"
        ),
        seeds=len(GAN_SEEDS),
        values=[round(value, 4) for value in found["generator_loss"]],
        details={"rho": found},
    )


def c15() -> Evidence:
    """Look for a digit that prevails.

    Returns:
        The evidence.
    """
    arms = {
        "gan": GAN,
        "gan_minimax": GAN_MINIMAX,
        "gan_critic_bn": GAN_CRITIC_BN,
        **{f"gan, {k}": v for k, v in SCHEDULES.items() if v is not GAN},
    }
    arms |= {"dcgan": DCGAN}
    largest = {name: column(recipe, "largest") for name, recipe in arms.items()}
    trials = [share for shares in largest.values() for share in shares]
    one_sided = [share for share in trials if share > PREVAILS]
    ends = binomtest(len(one_sided), len(trials)).proportion_ci(0.95)
    where = [name for name, shares in largest.items() if max(shares) > PREVAILS]
    return Evidence(
        id="C15",
        claim="In some trials one digit prevails.",
        section="4.2.1",
        experiment=(
            f"{len(arms)} unconditional settings, {BUDGET}; digits read in 10,000 samples. A digit prevails with more than {PREVAILS:.0%}. "
            "Effect: share of the trials in which one does, with its exact binomial interval."
        ),
        effect=round(len(one_sided) / len(trials), 4),
        interval=(round(float(ends.low), 4), round(float(ends.high), 4)),
        unit="share of the trials",
        verdict="confirmed" if one_sided else "refuted",
        because=f"in {len(one_sided)} of {len(trials)} trials" + (f", of {', '.join(where)}" if where else ""),
        seeds=len(GAN_SEEDS),
        values=[round(share, 4) for share in trials],
        table=rows(arms, "largest", "digits", "histogram_kl"),
        details={"largest share": largest},
    )


def c16() -> Evidence:
    """Compare the two losses of the generator.

    Returns:
        The evidence.
    """
    worse = differences(GAN_MINIMAX, GAN, "fid")
    effect, interval = mean_interval(worse)
    return Evidence(
        id="C16",
        claim="log(1 - D) makes an unstable generator, which -log D repairs.",
        section="4.2.1",
        experiment=f"gan and gan_minimax, {BUDGET}; {AGAINST}. Effect: FID of gan_minimax minus that of gan.",
        effect=effect,
        interval=interval,
        unit="FID",
        verdict=settle(interval),
        because=(
            f"with log(1 - D), FID is {with_margin(column(GAN_MINIMAX, 'fid'), 0)} and the samples show {_digits(judged(GAN_MINIMAX))} digits; "
            f"with -log D {with_margin(column(GAN, 'fid'), 0)} and {_digits(judged(GAN))}"
        ),
        seeds=len(GAN_SEEDS),
        values=[round(value, 4) for value in worse],
        table=rows({"gan": GAN, "gan_minimax": GAN_MINIMAX}, "fid", "coverage", "digits", "histogram_kl", "largest"),
    )


def _digits(found: list[Judged]) -> str:
    """Name the numbers of digits that the seeds covered."""
    return ", ".join(str(each.digits) for each in found)


def c17() -> Evidence:
    """Try other schedules of critic and generator.

    Returns:
        The evidence.
    """
    plain = column(GAN, "fid")
    others = {name: recipe for name, recipe in SCHEDULES.items() if recipe is not GAN}
    factors = {
        name: [a / b for a, b in zip(column(recipe, "fid"), plain, strict=True)] for name, recipe in others.items()
    }
    found = {name: mean_interval(values) for name, values in factors.items()}
    name = max(found, key=lambda name: abs(found[name][0] - 1))
    effect, interval = found[name]
    same = all(low > 1 / MUCH and high < MUCH for _, (low, high) in found.values())
    other = any(low > MUCH or high < 1 / MUCH for _, (low, high) in found.values())
    table = []
    for schedule, recipe in SCHEDULES.items():
        steps = int(sum(history(recipe, GAN_SEEDS[0], "generator_steps")))
        epoch = min(round(steps / (50_000 // GAN.batch_size)), GAN.epochs)
        table.append(
            {
                "critic : generator": schedule,
                "generator steps": steps,
                "FID": with_margin(column(recipe, "fid"), 0),
                "FID of 2,000": with_margin([history(recipe, seed, "validation_fid")[-1] for seed in GAN_SEEDS], 0),
                "FID of 2,000 of 1 : 1 at as many generator steps": with_margin(
                    [history(GAN, seed, "validation_fid")[epoch - 1] for seed in GAN_SEEDS], 0
                ),
            }
        )
    return Evidence(
        id="C17",
        claim="No schedule of discriminator and generator steps changes much.",
        section="4.2.1",
        experiment=(
            f"gan with 1 : 1, 2 : 1, 5 : 1 and 1 : 2 critic to generator steps, {BUDGET}, the same images for all critics; {AGAINST}. Effect: "
            f"FID of {name} over that of 1 : 1, the ratio farthest from 1; beyond a factor of {MUCH} counts as much."
        ),
        effect=effect,
        interval=interval,
        unit="ratio of FIDs",
        verdict="confirmed" if same else "refuted" if other else "depends",
        because="FID over that of 1 : 1 is "
        + ", ".join(f"{fmean(values):.2f} for {name}" for name, values in factors.items()),
        seeds=len(GAN_SEEDS),
        values=[round(value, 4) for value in factors[name]],
        table=table,
    )


def c18() -> Evidence:
    """Compare conditional models with their parents.

    Returns:
        The evidence.
    """
    gains = {
        name: [-value for value in differences(ours, theirs, "histogram_kl")]
        for name, ours, theirs in (("cgan", CGAN, GAN), ("cdcgan", CDCGAN, DCGAN))
    }
    covered = {
        name: differences(ours, theirs, "coverage")
        for name, ours, theirs in (("cgan", CGAN, GAN), ("cdcgan", CDCGAN, DCGAN))
    }
    effect, interval = mean_interval(gains["cgan"])
    verdicts = {settle(mean_interval(values)[1]) for values in (*gains.values(), *covered.values())}
    arms = {"gan": GAN, "cgan": CGAN, "dcgan": DCGAN, "cdcgan": CDCGAN}
    return Evidence(
        id="C18",
        claim="Conditioning on the label helps to learn multiple modes.",
        section="3.2.1, 5",
        experiment=(
            f"cgan against gan and cdcgan against dcgan, {BUDGET}; {AGAINST}, labels as often as there. Effect: KL of the digit histogram, "
            "gan minus cgan. Confirmed if histogram and coverage gain in both pairs."
        ),
        effect=effect,
        interval=interval,
        unit="nats",
        verdict=verdicts.pop() if len(verdicts) == 1 else "depends",
        because=(
            f"the histogram's KL falls by {with_interval(gains['cgan'], 3)} nats from gan to cgan and by {with_interval(gains['cdcgan'], 3)} from "
            f"dcgan to cdcgan; coverage of the validation digits moves by {with_interval(covered['cgan'], 2)} and {with_interval(covered['cdcgan'], 2)}"
        ),
        seeds=len(GAN_SEEDS),
        values=[round(value, 4) for value in gains["cgan"]],
        table=rows(arms, "fid", "coverage", "histogram_kl", "digits", "accuracy"),
    )
