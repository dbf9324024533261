"""The claim about convolutions in the VAE: first in the encoder, as in the report, then in the decoder too."""

from dataclasses import replace

from torch import Generator

from audit.evidence import (
    SEEDS,
    Evidence,
    final_elbo,
    mean_interval,
    paired_differences,
    train,
    with_interval,
    with_margin,
)
from audit.vae import SHORT
from gmlib import mnist, parameters, recipes
from gmlib.metrics import fid, kid

SMALL = 1.0  # nats per image: a smaller difference counts as none

ARMS = {
    "vae": SHORT,
    "vae, 448 hidden": replace(SHORT, hidden=448),  # the number of weights of conv_vae
    "conv_vae": replace(recipes.CONV_VAE, epochs=SHORT.epochs),
    "conv_vae_deconv": replace(recipes.CONV_VAE_DECONV, epochs=SHORT.epochs),
}


def c01() -> Evidence:
    """Compare networks of similar size with and without convolutions."""
    validation = mnist("validation", "mnist")
    elbos: dict[str, list[float]] = {}
    table = []
    for name, recipe in ARMS.items():
        runs = [train(recipe, seed) for seed in SEEDS]
        elbos[name] = [final_elbo(run) for run in runs]
        draws = [run.model.sample(10_000, generator=Generator().manual_seed(seed)) for seed, run in enumerate(runs)]
        table.append(
            {
                "network": name,
                "parameters": parameters(runs[0]),
                "ELBO": with_margin(elbos[name]),
                "FID of draws": with_margin([fid(draw, validation.binarised()) for draw in draws], 0),
                "KID of draws": with_margin([kid(draw, validation.binarised()) for draw in draws]),
            }
        )
    gains = {name: paired_differences(elbos[name], elbos["vae"]) for name in ARMS if name != "vae"}
    means = {name: mean_interval(values) for name, values in gains.items()}
    no_difference = {name: low >= -SMALL and high <= SMALL for name, (_, (low, high)) in means.items()}
    difference = {name: low > SMALL or high < -SMALL for name, (_, (low, high)) in means.items()}
    convolutional = ("conv_vae", "conv_vae_deconv")
    text = {name: with_interval(values) for name, values in gains.items()}
    return Evidence(
        id="C01",
        claim="Convolutions in the VAE make no real difference.",
        section="4.1.1",
        experiment=(
            "vae, conv_vae (convolutions in the encoder, the report's) and conv_vae_deconv (in the decoder too), 20 epochs of "
            "50,000 digits, and vae with as many weights as conv_vae; ELBO on 10,000 validation digits, FID and KID of 10,000 draws against them. "
            f"Effect: ELBO of conv_vae minus that of vae. A difference of at most {SMALL:g} nat counts as none."
        ),
        unit="nats per image",
        verdict=(
            "confirmed"
            if all(no_difference[name] for name in convolutional)
            else "refuted"
            if all(difference[name] for name in convolutional)
            else "depends"
        ),
        because=(
            f"against vae, the ELBO moves by {text['conv_vae']} nats with convolutions in the encoder, by "
            f"{text['conv_vae_deconv']} with convolutions in the decoder too, and by {text['vae, 448 hidden']} with as many weights and no "
            "convolution"
        ),
        seeds=len(SEEDS),
        holds=(-SMALL, SMALL),
        values=gains["conv_vae"],
        table=table,
        details={
            "elbo": elbos,
            "gain_over_vae": {name: {"mean": mean, "interval": interval} for name, (mean, interval) in means.items()},
        },
    )
