"""Claims of the conclusion: GANs against VAEs, and quality against cost."""

import math
from functools import cache
from itertools import product
from typing import Any, NamedTuple

from torch import Generator, Tensor

from audit.evidence import SEEDS as FIVE
from audit.evidence import (
    Evidence,
    Verdict,
    mean_interval,
    rank_correlation,
    spreads_apart,
    train,
    with_range,
)
from audit.games import settle
from audit.gan import DCGAN, DIGITS, GAN, GAN_SEEDS, SAMPLES, real_sharpness, sharpness, validation_features
from audit.pixel import WIDE
from audit.vae import SHORT
from audit.verdicts import claim
from gmlib import parameters, recipes, zoo
from gmlib.experiments.recipe import Recipe, VAERecipe
from gmlib.metrics import digits_covered, extract, frechet_distance, shipped_classifier

VAES: dict[str, Recipe] = {"vae, 2 latents": SHORT, "vae, 20 latents": WIDE}
GANS: dict[str, Recipe] = {"gan": GAN, "narrow dcgan": DCGAN}
STEPS = ("C01", "C08", "C12", "C25")  # claims that add one complication at a time, over seeds


class Seen(NamedTuple):
    """Measures of the samples of one run."""

    sharpness: float
    fid: float  # against grey digits
    digits: int


def look(images: Tensor) -> Seen:
    """Return the measures of samples.

    Args:
        images: `(n, 1, 28, 28)`.

    Returns:
        The measures, against validation digits.
    """
    real, _, frequencies = validation_features()
    classifier = shipped_classifier()
    features = extract(images, classifier.features)
    read = classifier.head(features).detach().argmax(1)
    fid, digits = frechet_distance(features, real), digits_covered(read, frequencies)
    return Seen(sharpness(images), fid, digits)


@cache
def seen(recipe: Recipe, seed: int, drawn: bool = False) -> Seen:
    """Train a recipe with a seed, or load the finished run, and measure its samples.

    Args:
        recipe: what to train.
        seed: of the run, and of the samples.
        drawn: whether samples of a VAE are binary draws; otherwise they are its probabilities, as usually shown.

    Returns:
        The measures.
    """
    mean = isinstance(recipe, VAERecipe) and not drawn
    return look(
        train(recipe, seed).model.sample(
            SAMPLES, generator=Generator().manual_seed(seed), **({"mean": True} if mean else {})
        )
    )


def c28() -> Evidence:
    """Compare GANs and VAEs by the sharpness of samples, and by the spread of FID over seeds."""
    real = real_sharpness()
    found = {name: [seen(recipe, seed) for seed in FIVE] for name, recipe in VAES.items()}
    found |= {name: [seen(recipe, seed) for seed in GAN_SEEDS] for name, recipe in GANS.items()}
    draws = {f"{name}, drawn": [seen(recipe, seed, drawn=True) for seed in FIVE] for name, recipe in VAES.items()}
    off = {name: [abs(each.sharpness - real) for each in runs] for name, runs in found.items()}
    fids = {name: [math.log(each.fid) for each in runs] for name, runs in found.items()}
    pairs = list(product(GANS, VAES))
    sharper = {
        (gan, vae): mean_interval([b - a for a, b in zip(off[gan], off[vae], strict=False)]) for gan, vae in pairs
    }
    wider = {(gan, vae): spreads_apart(fids[gan], fids[vae]) for gan, vae in pairs}
    parts = {settle(interval) for _, interval in sharper.values()}
    parts |= {settle(interval, 1.0) for _, interval in wider.values()}
    shown = ("gan", "vae, 20 latents")
    gains = [b - a for a, b in zip(off[shown[0]], off[shown[1]], strict=False)]
    lost = {name: sum(each.digits < DIGITS for each in runs) for name, runs in found.items()}
    return Evidence(
        id="C28",
        claim="GANs are sharper than VAEs, and less stable.",
        section="5",
        experiment=(
            f"vae with 2 and with 20 latents ({len(FIVE)} seeds) and gan ({len(GAN_SEEDS)}), {GAN.epochs} epochs of 50,000 digits, and a narrow dcgan ({len(GAN_SEEDS)}), {DCGAN.epochs} epochs; {SAMPLES:,} samples, of VAEs their probabilities, against grey validation "
            f"digits. Sharpness: steps between neighbouring pixels per amount of ink, the nearer to that of digits ({real:.2f}) the sharper. Stability: standard deviation over seeds of ln FID. Effect: by how much gan is nearer to "
            "the digits' sharpness than vae with 20 latents, over the seeds that both have. Confirmed if each GAN is clearly sharper than each VAE and its runs clearly farther apart. Settings in which GANs fail altogether: C16, C19."
        ),
        effect=mean_interval(gains)[0],
        interval=mean_interval(gains)[1],
        unit="steps per amount of ink",
        verdict=parts.pop() if len(parts) == 1 else "depends",
        because="; ".join(
            f"{gan} against {vae}: sharper by {sharper[gan, vae][0]:+.2f} [{sharper[gan, vae][1][0]:+.2f}, {sharper[gan, vae][1][1]:+.2f}], spread over seeds "
            f"{wider[gan, vae][0]:.1f} [{wider[gan, vae][1][0]:.1f}, {wider[gan, vae][1][1]:.1f}] times as wide"
            for gan, vae in pairs
        )
        + f"; runs that lose digits: {', '.join(f'{n} of {len(found[name])} ({name})' for name, n in lost.items())}",
        seeds=len(GAN_SEEDS),
        values=[round(gain, 4) for gain in gains],
        table=[
            *(
                {
                    "samples of": name,
                    "seeds": len(runs),
                    "sharpness": with_range([each.sharpness for each in runs], 3),
                    "FID": with_range([each.fid for each in runs], 0) if name in found else None,
                    "runs that lose digits": lost.get(name),
                }
                for name, runs in (found | draws).items()
            ),
            {
                "samples of": "(digits)",
                "seeds": None,
                "sharpness": f"{real:.3f}",
                "FID": None,
                "runs that lose digits": None,
            },
        ],
        details={name: [each._asdict() for each in runs] for name, runs in (found | draws).items()},
    )


def _quality(metrics: dict[str, float]) -> dict[str, float]:
    """Return the measures of a run that are comparable between models, with the sign turned where lower is better."""
    of_vae = "test_elbo" in metrics
    likelihoods = [value for name, value in metrics.items() if name.startswith("test_log_likelihood")]
    return {
        **(
            {"FID of draws, black and white": -metrics["fid"]}
            if of_vae
            else {"FID against grey digits": -metrics["fid"]}
        ),
        **({"FID against grey digits": -metrics["mean_fid"]} if "mean_fid" in metrics else {}),
        **({"log p(x)": max(likelihoods)} if likelihoods else {}),
    }


def c29() -> Evidence:
    """Correlate the cost of the models of the comparison with their quality."""
    rows: list[dict[str, Any]] = []
    for name, recipe in recipes.ALL.items():
        if zoo.is_shipped(name) and "stack" not in name:
            run = zoo.pretrained(name)
            cost = {"parameters": parameters(recipe.build())}  # of all that was trained
            # seconds on a GPU cannot be compared with seconds on a CPU
            cost |= {"seconds": run.record["seconds"]} if run.record["device"] == "cpu" else {}
            rows.append({"model": name} | cost | _quality(run.metrics))
    costs = ("parameters", "seconds")
    measures = ("FID against grey digits", "FID of draws, black and white", "log p(x)")
    points = {
        (measure, cost): [(row[cost], row[measure]) for row in rows if cost in row and measure in row]
        for measure, cost in product(measures, costs)
    }
    found = {key: rank_correlation(*zip(*each, strict=True)) for key, each in points.items()}
    shown = (measures[0], costs[0])
    effect, interval = found[shown]
    without = [
        rank_correlation(*zip(*(points[shown][:i] + points[shown][i + 1 :]), strict=True))[0]
        for i in range(len(points[shown]))
    ]
    parts: set[Verdict] = {settle(interval) for _, interval in found.values()}
    steps = {name: claim(name) for name in STEPS}
    return Evidence(
        id="C29",
        claim="More complicated architectures gave better results.",
        section="5",
        experiment=(
            f"all {len(rows)} full runs of the comparison, a run each, on test digits: Spearman's correlation of parameters (all that was trained), and of seconds (of those trained on a CPU), with quality: FID of grey samples and probabilities, FID of "
            "black and white draws, log p(x). Effect: parameters and FID against grey digits; above 0, what is larger is better. Its interval is over models, which are no random sample of models. Confirmed if all six are clearly above 0."
        ),
        effect=effect,
        interval=interval,
        unit="Spearman's rho",
        verdict=parts.pop() if len(parts) == 1 else "depends",
        because="the rank correlation is "
        + ", ".join(f"{rho:+.2f} [{low:+.2f}, {high:+.2f}] ({m}, {c})" for (m, c), (rho, (low, high)) in found.items())
        + ". One complication at a time, over seeds: "
        + "; ".join(f"{name}, {each['verdict']}" for name, each in steps.items()),
        seeds=1,
        values=without,
        over="models",
        table=[
            {
                "quality": measure,
                "cost": cost,
                "models": len(points[measure, cost]),
                "rank correlation": f"{rho:+.2f} [{low:+.2f}, {high:+.2f}]",
            }
            for (measure, cost), (rho, (low, high)) in found.items()
        ],
        details={"models": rows},
    )
