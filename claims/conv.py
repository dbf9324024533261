"""The claim about convolutions in the VAE: first in the encoder, as in the report, then in the decoder too."""

from dataclasses import replace

from torch import Generator

from claims.evidence import SEEDS, Evidence, mean_interval, train
from claims.vae import SHORT
from gmlib import mnist, recipes
from gmlib.evaluate import fid, kid

REAL = 1.0  # nats per image: what is at most this far from 0 is called no real difference

ARMS = {
    "vae": SHORT,
    "vae, 448 hidden": replace(SHORT, hidden=448),  # as many weights as conv_vae
    "conv_vae": replace(recipes.CONV_VAE, epochs=SHORT.epochs),
    "conv_vae_deconv": replace(recipes.CONV_VAE_DECONV, epochs=SHORT.epochs),
}


def c01() -> Evidence:
    """Compare networks of like size with and without convolutions.

    Returns:
        The evidence.
    """
    validation = mnist("validation", "mnist")
    elbos: dict[str, list[float]] = {}
    table = []
    for name, recipe in ARMS.items():
        runs = [train(recipe, seed) for seed in SEEDS]
        elbos[name] = [run.history.rows[-1]["validation_elbo"] or 0.0 for run in runs]
        draws = [run.sample(10_000, generator=Generator().manual_seed(seed)) for seed, run in enumerate(runs)]
        sizes = sum(parameter.numel() for parameter in runs[0].vae.parameters())
        table.append(
            {
                "network": name,
                "parameters": sizes,
                "ELBO": _with_spread(elbos[name], 1),
                "FID of draws": _with_spread([fid(draw, validation.binarised()) for draw in draws], 0),
                "KID of draws": _with_spread([kid(draw, validation.binarised()) for draw in draws], 1),
            }
        )
    gains = {
        name: [ours - plain for ours, plain in zip(elbos[name], elbos["vae"], strict=True)]
        for name in ARMS
        if name != "vae"
    }
    found = {name: mean_interval(values) for name, values in gains.items()}
    effect, interval = found["conv_vae"]
    none = {name: low >= -REAL and high <= REAL for name, (_, (low, high)) in found.items()}
    some = {name: low > REAL or high < -REAL for name, (_, (low, high)) in found.items()}
    halves = ("conv_vae", "conv_vae_deconv")

    def said(name: str) -> str:
        mean, (low, high) = found[name]
        return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"

    return Evidence(
        id="C01",
        claim="Convolutions in the VAE make no real difference.",
        section="4.1.1",
        experiment=(
            "vae, conv_vae (convolutions in the encoder, the report's) and conv_vae_deconv (in the decoder too), 20 epochs of "
            "50,000 digits, and vae with as many weights as conv_vae; ELBO on 10,000 validation digits, FID and KID of 10,000 draws against them. "
            f"Effect: ELBO of conv_vae minus that of vae. A difference of at most {REAL:g} nat counts as none."
        ),
        effect=effect,
        interval=interval,
        unit="nats per image",
        verdict=(
            "confirmed"
            if all(none[name] for name in halves)
            else "refuted"
            if all(some[name] for name in halves)
            else "depends"
        ),
        because=(
            f"against vae, the ELBO moves by {said('conv_vae')} nats with convolutions in the encoder, by "
            f"{said('conv_vae_deconv')} with convolutions in the decoder too, and by {said('vae, 448 hidden')} with as many weights and no "
            "convolution"
        ),
        seeds=len(SEEDS),
        values=[round(gain, 4) for gain in gains["conv_vae"]],
        table=table,
        details={
            "elbo": elbos,
            "gain_over_vae": {name: {"mean": mean, "interval": interval} for name, (mean, interval) in found.items()},
        },
    )


def _with_spread(values: list[float], digits: int) -> str:
    mean, (_, high) = mean_interval(values)
    return f"{mean:.{digits}f} ± {high - mean:.{digits}f}"
