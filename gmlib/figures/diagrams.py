"""Diagrams of the models: a VAE with its reparametrised draw, both steps of a GAN, and the masks of a PixelCNN."""

from itertools import pairwise
from typing import Literal

from gmlib.figures.schematic import Box, Schematic, SideBySide
from gmlib.models.pixelcnn import Mask, columns_to_the_left, radius


def vae_schematic() -> Schematic:
    """Return a diagram of a VAE: encoder, reparametrised draw, decoder, both terms of the ELBO, and where gradients flow."""
    s = Schematic(
        "A variational autoencoder, from top to bottom. The encoder takes the image x and outputs mu and log sigma squared, the "
        "parameters of q(z|x). From both of them the KL of q(z|x) to p(z) is computed, which is subtracted in the ELBO. "
        "Sigma, the exponential of half of log sigma squared, is multiplied by a random draw epsilon from N(0, I), and mu is "
        "added: the sum is z. The decoder takes z and outputs the logits of 784 pixels. From the logits and the same image x, "
        "log p(x|z) is computed, which is added in the ELBO. Dashed arrows show gradients: from log p(x|z) back through "
        "logits, decoder and z to mu and log sigma squared, from the KL to the same two, and from them into the encoder. No "
        "gradient flows to epsilon."
    )
    stem = 1.7  # width
    x = s.block("image *x*", "(b, 784)", at=(0.39, 0), width=stem)
    encoder = s.network("encoder", at=(0.39, 1), width=stem)
    mu = s.block("*μ*", "(b, d)", at=(-0.04, 2.1), width=0.84)
    logvar = s.block("log *σ*²", "(b, d)", at=(0.82, 2.1), width=0.84)
    posterior = s.frame("*q*(*z*|*x*)", mu, logvar)
    kl = s.block("KL", "*q*(*z*|*x*) ‖ *p*(*z*)", "(b,)", "− in the ELBO", at=(2, 2.03))
    plus, times = s.sign("+", at=(-0.04, 3.25)), s.sign("×", at=(0.82, 3.25))
    eps = s.draw("*ε* ~ *N*(0, *I*)", "(b, d)", at=(2.05, 3.25), width=0.9)
    z = s.block("*z* = *μ* + *σ* · *ε*", "(b, d)", at=(0.39, 4.2), width=stem)
    decoder = s.network("decoder", at=(0.39, 5.2), width=stem)
    logits = s.block("logits of pixels", "(b, 784)", at=(0.39, 6.2), width=stem)
    target = s.block("the same *x*", "(b, 784)", at=(2, 5.1))
    log_px = s.block("log *p*(*x*|*z*)", "(b,)", "+ in the ELBO", at=(2, 6.2))

    s.arrow(x, encoder)
    s.arrow(target, log_px)
    s.arrow(eps, times, "no gradient")
    s.arrow(posterior, kl, gradient="passes")
    s.arrow(logvar, times, "*σ* = exp(½ log *σ*²)", gradient="passes")
    for path in ((encoder, mu, plus), (encoder, logvar), (times, plus, z, decoder, logits, log_px)):
        for start, end in pairwise(path):
            s.arrow(start, end, gradient="passes")
    return s


def gan_schematic() -> SideBySide:
    """Return diagrams of both steps of a GAN: where gradients flow, and which weights are updated."""
    return SideBySide(_discriminator_step(), _generator_step())


def _discriminator_step() -> Schematic:
    """Return a diagram of the discriminator's step."""
    s = Schematic(
        "Discriminator step. The generator G, its weights frozen, turns latents z from N(0, I) into fake images. The "
        "discriminator D, its weights updated, takes fake and real images and outputs fake scores and real scores, from which "
        "the loss of D is computed. Dashed arrows show gradients: from the loss back through both kinds of scores into D. "
        "Between D and the fake images two bars show that the gradient stops there (detach).",
        title="Discriminator step",
        columns=2,
    )
    fake = _fake_images(s, "frozen")
    real = s.block("real images", "(b, 784)", at=(1, 2.2))
    discriminator = s.network("discriminator *D*", weights="updated", at=(0.5, 3.5), width=2)
    loss = s.block("loss of *D*", "one number, ()", at=(0.5, 5.55), width=2)
    s.arrow(fake, discriminator, "detach", gradient="stops")
    s.arrow(real, discriminator)
    for column, kind in enumerate(("fake", "real")):
        scores = s.block(f"{kind} scores", "(b,)", at=(column, 4.55))
        s.arrow(discriminator, scores, gradient="passes")
        s.arrow(scores, loss, gradient="passes")
    return s


def _generator_step() -> Schematic:
    """Return a diagram of the generator's step."""
    s = Schematic(
        "Generator step. The generator G, its weights updated, turns latents z from N(0, I) into fake images. The "
        "discriminator D, its weights frozen, takes them and outputs fake scores, from which the loss of G is computed. Real "
        "images are not used. Dashed arrows show gradients: from the loss back through the scores, through D and through the "
        "fake images into G.",
        title="Generator step",
        columns=2,
    )
    fake = _fake_images(s, "updated")
    s.note("no real images", "in this step", at=(1, 2.2))
    discriminator = s.network("discriminator *D*", weights="frozen", at=(0.5, 3.5), width=2)
    scores = s.block("fake scores", "(b,)", at=(0, 4.55))
    loss = s.block("loss of *G*", "one number, ()", at=(0.5, 5.55), width=2)
    for start, end in pairwise((fake, discriminator, scores, loss)):
        s.arrow(start, end, gradient="passes")
    return s


def _fake_images(s: Schematic, weights: Literal["updated", "frozen"]) -> Box:
    """Add latents, a generator and its images; a gradient reaches the generator if its weights are updated."""
    z = s.draw("*z* ~ *N*(0, *I*)", "(b, d)", at=(0, 0))
    generator = s.network("generator *G*", weights=weights, at=(0, 1.1))
    fake = s.block("fake images", "(b, 784)", at=(0, 2.2))
    s.arrow(z, generator)
    s.arrow(generator, fake, gradient="passes" if weights == "updated" else "")
    return fake


def mask_schematic() -> Schematic:
    """Return a diagram of masks A and B of a PixelCNN, for a kernel of 5 × 5."""
    s = Schematic(
        "Two grids of 5 by 5 weights. In both, the rows above the centre are 1, kept, and the rows below it are 0, masked. In the "
        "row of the centre, the weights at its left are 1 and those at its right are 0. The centre, which has a thick outline, "
        "is 0 in mask A and 1 in mask B.",
    )
    s.mask_grid(_weights("A", 5), "mask A", "first layer", at=(0.25, 0.6))
    s.mask_grid(_weights("B", 5), "mask B", "later layers", at=(1.75, 0.6))
    s.note("1: kept, 0: masked; thick outline: the centre", at=(1, 1.85))
    return s


def _weights(mask: Mask, kernel: int) -> list[list[int]]:
    """Return a mask: 1 in the rows above the centre, and where the mask shows the row of the centre."""
    r = radius(kernel)
    shown = columns_to_the_left(mask, r)
    return [[int(row < 0 or (row == 0 and column in shown)) for column in range(-r, r + 1)] for row in range(-r, r + 1)]
