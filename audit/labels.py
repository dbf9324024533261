"""Claims about the CVAE: how labels change the likelihood, and the brightness of samples."""

import math
from dataclasses import replace
from statistics import fmean
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from audit.evidence import SEEDS, Evidence, final_elbo, mean_interval, paired_differences, train, with_interval
from audit.pixel import pixel_entropy
from audit.vae import SHORT
from gmlib import mnist, recipes
from gmlib.metrics import log_likelihood, log_likelihood_by_label, sum_out_labels
from gmlib.seeds import stream

LATENTS = (2, 20)
SHORT_CVAE = replace(recipes.CVAE, epochs=SHORT.epochs)
DIGITS = 1000  # of the validation set, for 1,000 draws per label
DRAWS = 1000


class Nats(NamedTuple):
    """Differences between a CVAE and a VAE of one seed, in nats per image."""

    loss: float  # ELBO of the CVAE, a bound on log p(x|y), minus that of the VAE
    given: float  # log p(x|y) minus the VAE's log p(x)
    fair: float  # log of the mean of p(x|y) over the labels, minus the VAE's log p(x)
    by_digit: list[float]  # log p(x|y) minus log p(x), for each digit


def c03() -> Evidence:
    """Compare the CVAE with the VAE: by the ELBO, as the report did, and by likelihoods of the same variables."""
    nats_by_size = {size: [_nats_of_seed(size, seed) for seed in SEEDS] for size in LATENTS}
    narrow = nats_by_size[2]
    losses = [nats.loss for nats in narrow]
    effect, interval = mean_interval(losses)
    fair = {size: [nats.fair for nats in nats_by_size[size]] for size in LATENTS}
    better_fairly = mean_interval(fair[2])[1][0] > 0
    above_ln_10 = interval[0] > math.log(10)
    return Evidence(
        id="C03",
        claim="Conditioning on the label lowers the VAE's loss.",
        section="fig. 4",
        experiment=(
            "vae and cvae with 2 and with 20 latents, 20 epochs of 50,000 digits. Loss: ELBO on 10,000 validation digits, which for cvae "
            f"bounds log p(x|y). Likelihoods: {DRAWS:,} draws an image and label, {DIGITS:,} validation digits. Fair: log of the mean of "
            "p(x|y) over the ten labels, against log p(x) of vae. Effect: ELBO of cvae minus ELBO of vae, 2 latents."
        ),
        unit="nats per image",
        verdict="refuted" if interval[1] < 0 else "confirmed" if interval[0] > 0 and better_fairly else "depends",
        because=(
            f"with two latents the loss falls by {effect:.1f} nats, {'far more' if above_ln_10 else 'not clearly more'} than the "
            f"ln 10 = {math.log(10):.2f} that a label can tell about an image{': it serves as a third latent' if above_ln_10 else ''}. "
            f"As a model of the image alone, with the label summed out, cvae is {_comparison(fair[2])} with 2 latents, and "
            f"{_comparison(fair[20])} with 20"
        ),
        seeds=len(SEEDS),
        values=losses,
        table=[
            {"latents": size}
            | {
                title: with_interval([getattr(nats, name) for nats in nats_by_size[size]])
                for title, name in (
                    ("ELBO: cvae minus vae", "loss"),
                    ("log p(x|y) minus log p(x)", "given"),
                    ("fair: labels summed out", "fair"),
                )
            }
            for size in LATENTS
        ],
        details={
            "by_digit": {
                str(size): [
                    round(sum(column) / len(SEEDS), 4) for column in zip(*(n.by_digit for n in runs), strict=True)
                ]
                for size, runs in nats_by_size.items()
            },
            "fair": {str(size): [round(nats.fair, 4) for nats in runs] for size, runs in nats_by_size.items()},
            "given": {str(size): [round(nats.given, 4) for nats in runs] for size, runs in nats_by_size.items()},
            "loss": {str(size): [round(nats.loss, 4) for nats in runs] for size, runs in nats_by_size.items()},
        },
    )


def c04() -> Evidence:
    """Compare the brightness of strokes and the entropy of pixels."""
    digits = mnist("train", "mnist")
    frequencies = digits.require_labels().bincount().double()
    brightness: dict[str, list[float]] = {}
    entropy: dict[str, list[float]] = {}
    for size in LATENTS:
        for name, recipe in (("vae", SHORT), ("cvae", SHORT_CVAE)):
            key = f"{name}, {size} latents"
            brightness[key], entropy[key] = [], []
            for seed in SEEDS:
                run = train(replace(recipe, latent_dim=size), seed)
                drawn = frequencies.multinomial(10_000, replacement=True, generator=stream(seed, "labels"))
                labels = drawn if name == "cvae" else None
                means = run.model.sample(10_000, labels, generator=Generator().manual_seed(seed), mean=True)
                brightness[key].append(stroke_brightness(means))
                entropy[key].append(pixel_entropy(means))
    gains = {
        size: paired_differences(brightness[f"cvae, {size} latents"], brightness[f"vae, {size} latents"])
        for size in LATENTS
    }
    interval = mean_interval(gains[2])[1]
    fall, (least, _) = mean_interval(paired_differences(entropy["vae, 2 latents"], entropy["cvae, 2 latents"]))
    grey = mnist("validation", "mnist").grey()
    always = all(mean_interval(values)[1][0] > 0 for values in gains.values())
    return Evidence(
        id="C04",
        claim="Samples of the CVAE are brighter than those of the VAE.",
        section="4.1.2, fig. 5",
        experiment=(
            "vae and cvae with 2 and with 20 latents, 20 epochs of 50,000 digits; 10,000 probability maps from the prior, labels as often as in "
            "training. Brightness of strokes: the mean probability at the pixels that get ink, Σp²/Σp. Effect: cvae minus vae, 2 latents."
        ),
        unit="probability of ink",
        verdict="refuted" if interval[1] < 0 else "confirmed" if always else "depends",
        because=(
            f"with two latents the pixels that get ink have a probability of {fmean(brightness['cvae, 2 latents']):.2f} against "
            f"{fmean(brightness['vae, 2 latents']):.2f}, "
            + ("since a decoder that is told the digit is less unsure: " if least > 0 else "though ")
            + f"the entropy of its pixels falls by {fall:.0f} nats; "
            f"with 20 latents the difference is {with_interval(gains[20], 3)}"
        ),
        seeds=len(SEEDS),
        values=gains[2],
        table=[
            {
                "probability maps of": key,
                "brightness of strokes": round(fmean(brightness[key]), 3),
                "entropy (nats per image)": round(fmean(entropy[key]), 1),
            }
            for key in brightness
        ]
        + [
            {
                "probability maps of": "grey validation digits",
                "brightness of strokes": round(stroke_brightness(grey), 3),
                "entropy (nats per image)": round(pixel_entropy(grey), 1),
            }
        ],
        details={
            "brightness": {key: [round(value, 4) for value in values] for key, values in brightness.items()},
            "entropy": {key: [round(value, 4) for value in values] for key, values in entropy.items()},
        },
    )


def stroke_brightness(probabilities: Tensor) -> float:
    r"""Return the mean probability of ink at the pixels that get ink, if every pixel is drawn.

    $$\frac{\sum_i p_i^2}{\sum_i p_i}$$

    It is 1 where every pixel is certain, and needs no threshold between stroke and background.
    """
    p = probabilities.double()
    return float((p**2).sum() / p.sum())


def _nats_of_seed(latent_dim: int, seed: int) -> Nats:
    """Train a VAE and a CVAE, and return the differences of their likelihoods."""
    vae, cvae = (train(replace(recipe, latent_dim=latent_dim), seed) for recipe in (SHORT, SHORT_CVAE))
    digits = mnist("validation", "mnist")[:DIGITS]
    x, rows = digits.binarised(), torch.arange(DIGITS)
    of_vae = log_likelihood(vae.model, x, samples=DRAWS).double()
    by_label = log_likelihood_by_label(cvae.model, x, DRAWS).double()
    given = by_label[digits.require_labels(), rows]
    gain = given - of_vae
    return Nats(
        loss=final_elbo(cvae) - final_elbo(vae),
        given=gain.mean().item(),
        fair=(sum_out_labels(by_label) - of_vae).mean().item(),
        by_digit=[gain[digits.require_labels() == digit].mean().item() for digit in range(10)],
    )


def _comparison(values: list[float]) -> str:
    """Return a difference in words and numbers, such as "ahead (+1.2 nats [+0.8, +1.6])"."""
    _, (low, high) = mean_interval(values)
    word = "ahead" if low > 0 else "behind" if high < 0 else "level"
    return f"{word} ({with_interval(values).replace(' ', ' nats ', 1)})"
