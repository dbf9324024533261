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
    shared_verdict,
    spread_ratio,
    train,
    verdict_above,
    with_range,
)
from audit.gan import (
    DCGAN,
    GAN,
    GAN_SEEDS,
    NUM_DIGITS,
    SAMPLES,
    classified,
    real_sharpness,
    sharpness,
    validation_features,
)
from audit.pixel import WIDE
from audit.vae import SHORT
from audit.verdicts import claim
from gmlib import parameters, recipes, zoo
from gmlib.experiments.recipe import Recipe, VAERecipe
from gmlib.metrics import digits_covered, frechet_distance

VAES: dict[str, Recipe] = {"vae, 2 latents": SHORT, "vae, 20 latents": WIDE}
GANS: dict[str, Recipe] = {"gan": GAN, "narrow dcgan": DCGAN}
CLAIMS_OF_SINGLE_STEPS = ("C01", "C08", "C12", "C25")  # claims that add one complication at a time, over seeds


class ImageMetrics(NamedTuple):
    """Metrics of the samples of one run."""

    sharpness: float
    fid: float  # against grey digits
    digits: int


def measure_images(images: Tensor) -> ImageMetrics:
    """Return the metrics of images against validation digits."""
    real, _, frequencies = validation_features()
    features, digits = classified(images)
    return ImageMetrics(sharpness(images), frechet_distance(features, real), digits_covered(digits, frequencies))


@cache
def metrics_of_run(recipe: Recipe, seed: int, drawn: bool = False) -> ImageMetrics:
    """Train a recipe, or load the run, and measure its samples; of a VAE its probabilities, or binary images if `drawn`."""
    mean = isinstance(recipe, VAERecipe) and not drawn
    return measure_images(
        train(recipe, seed).model.sample(
            SAMPLES, generator=Generator().manual_seed(seed), **({"mean": True} if mean else {})
        )
    )


def c28() -> Evidence:
    """Compare GANs and VAEs by the sharpness of samples, and by the spread of FID over seeds."""
    real = real_sharpness()
    metrics = {name: [metrics_of_run(recipe, seed) for seed in FIVE] for name, recipe in VAES.items()}
    metrics |= {name: [metrics_of_run(recipe, seed) for seed in GAN_SEEDS] for name, recipe in GANS.items()}
    of_draws = {
        f"{name}, drawn": [metrics_of_run(recipe, seed, drawn=True) for seed in FIVE] for name, recipe in VAES.items()
    }
    distance = {name: [abs(each.sharpness - real) for each in runs] for name, runs in metrics.items()}
    log_fids = {name: [math.log(each.fid) for each in runs] for name, runs in metrics.items()}
    pairs = list(product(GANS, VAES))
    gains_in_sharpness = {
        (gan, vae): mean_interval([b - a for a, b in zip(distance[gan], distance[vae], strict=False)])
        for gan, vae in pairs
    }
    spread_ratios = {(gan, vae): spread_ratio(log_fids[gan], log_fids[vae]) for gan, vae in pairs}
    parts = {verdict_above(interval) for _, interval in gains_in_sharpness.values()}
    parts |= {verdict_above(interval, 1.0) for _, interval in spread_ratios.values()}
    shown = ("gan", "vae, 20 latents")
    gains = [b - a for a, b in zip(distance[shown[0]], distance[shown[1]], strict=False)]
    runs_losing_digits = {name: sum(each.digits < NUM_DIGITS for each in runs) for name, runs in metrics.items()}
    return Evidence(
        id="C28",
        claim="GANs are sharper than VAEs, and less stable.",
        section="5",
        experiment=(
            f"vae with 2 and with 20 latents ({len(FIVE)} seeds) and gan ({len(GAN_SEEDS)}), {GAN.epochs} epochs of 50,000 digits, and a narrow dcgan ({len(GAN_SEEDS)}), {DCGAN.epochs} epochs; {SAMPLES:,} samples, of VAEs their probabilities, against grey validation "
            f"digits. Sharpness: steps between neighbouring pixels per amount of ink, the nearer to that of digits ({real:.2f}) the sharper. Stability: standard deviation over seeds of ln FID. Effect: by how much gan is nearer to "
            "the digits' sharpness than vae with 20 latents, over the seeds that both have. Confirmed if each GAN is clearly sharper than each VAE and its runs clearly farther apart. Settings in which GANs fail altogether: C16, C19."
        ),
        unit="steps per amount of ink",
        verdict=shared_verdict(parts),
        because="; ".join(
            f"{gan} against {vae}: sharper by {gains_in_sharpness[gan, vae][0]:+.2f} [{gains_in_sharpness[gan, vae][1][0]:+.2f}, {gains_in_sharpness[gan, vae][1][1]:+.2f}], spread over seeds "
            f"{spread_ratios[gan, vae][0]:.1f} [{spread_ratios[gan, vae][1][0]:.1f}, {spread_ratios[gan, vae][1][1]:.1f}] times as wide"
            for gan, vae in pairs
        )
        + f"; runs that lose digits: {', '.join(f'{n} of {len(metrics[name])} ({name})' for name, n in runs_losing_digits.items())}",
        seeds=len(GAN_SEEDS),
        values=gains,
        table=[
            *(
                {
                    "samples of": name,
                    "seeds": len(runs),
                    "sharpness": with_range([each.sharpness for each in runs], 3),
                    "FID": with_range([each.fid for each in runs], 0) if name in metrics else None,
                    "runs that lose digits": runs_losing_digits.get(name),
                }
                for name, runs in (metrics | of_draws).items()
            ),
            {
                "samples of": "(digits)",
                "seeds": None,
                "sharpness": f"{real:.3f}",
                "FID": None,
                "runs that lose digits": None,
            },
        ],
        details={name: [each._asdict() for each in runs] for name, runs in (metrics | of_draws).items()},
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
    correlations = {key: rank_correlation(*zip(*each, strict=True)) for key, each in points.items()}
    shown = (measures[0], costs[0])
    effect, interval = correlations[shown]
    leaving_one_out = [
        rank_correlation(*zip(*(points[shown][:i] + points[shown][i + 1 :]), strict=True))[0]
        for i in range(len(points[shown]))
    ]
    parts: set[Verdict] = {verdict_above(interval) for _, interval in correlations.values()}
    steps = {name: claim(name) for name in CLAIMS_OF_SINGLE_STEPS}
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
        verdict=shared_verdict(parts),
        because="the rank correlation is "
        + ", ".join(
            f"{rho:+.2f} [{low:+.2f}, {high:+.2f}] ({m}, {c})" for (m, c), (rho, (low, high)) in correlations.items()
        )
        + ". One complication at a time, over seeds: "
        + "; ".join(f"{name}, {each['verdict']}" for name, each in steps.items()),
        seeds=1,
        values=leaving_one_out,
        over="models",
        table=[
            {
                "quality": measure,
                "cost": cost,
                "models": len(points[measure, cost]),
                "rank correlation": f"{rho:+.2f} [{low:+.2f}, {high:+.2f}]",
            }
            for (measure, cost), (rho, (low, high)) in correlations.items()
        ],
        details={"models": rows},
    )
