"""The explorer of chapter 05: an image drawn pixel by pixel, each pixel a Bernoulli variable, and its nats."""

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Generator

from gmlib.experiments.run import Run
from gmlib.figures.grids import image_grids
from gmlib.mode import eval_mode
from gmlib.models.pixelvae import SIZE
from gmlib.parallel import draw
from gmlib.shapes import Image
from gmlib.widgets.explorer import Explorer
from gmlib.widgets.packing import as_text

FULL = 3.0  # nats: this surprise and above is drawn in full ink
START = 12 * 28 + 14  # a pixel in the middle of the image


def pixel_by_pixel(run: Run, reader: Run, images: int = 4, *, generator: Generator | None = None) -> Explorer:
    """Return an explorer of ancestral sampling: each pixel's probability of ink, its uniform number, and its nats.

    A deep network is too large for a page, so the page holds each pixel's logit and the uniform number that decided it.
    `run` draws the images from latents; `reader` scores the same images without a latent.

    Args:
        run: of a model with a PixelDecoder and a latent, without labels.
        reader: of one without latent and labels.
        images: how many to choose from; each takes 13 kB.
        generator: source of randomness of latents and uniform numbers, on the CPU like the runs.

    Returns:
        The explorer; `chosen["image"]` is the index of the image, `chosen["pixel"]` that of the pixel in reading order, and
        `chosen["reader"]` selects the probabilities: 0 for those of `run`, 1 for those of `reader`.
    """
    decoder, other = run.model.decoder, reader.model.decoder
    z = draw(torch.randn, (images, run.model.latent_dim), generator, torch.device("cpu"))
    u = draw(torch.rand, (images, *SIZE), generator, torch.device("cpu"))
    with torch.no_grad(), eval_mode(decoder), eval_mode(other):
        x = decoder.sample(z, uniforms=u)
        logits = [decoder(x, z), other(x, z[:, :0])]
    return Explorer(
        "coins.js",
        "pixels.js",
        state={
            "version": 1,
            "full": FULL,
            "readers": [f"{run.recipe.name}, which knows z", f"{reader.recipe.name}, which has none"],
            "images": [
                {"uniforms": as_text(u[i], "<f4"), "logits": [as_text(each[i], "<f4") for each in logits]}
                for i in range(images)
            ],
        },
        chosen={"image": 0, "reader": 0, "pixel": START},
        poster=_poster(x[:1], logits[0][:1]),
        alt="Three squares. The first shows the upper part of a digit in black on white, and grey below, where nothing is drawn "
        "yet. The second, where ink was likely: much the same with soft edges. The third, where it was surprising: a few dark "
        "specks along the edges of the strokes.",
    )


def _poster(x: Image, logits: Image) -> Figure:
    """Draw the explorer at its initial values."""
    drawn = torch.arange(x[0].numel()).view(SIZE) <= START
    surprise = F.softplus(torch.where(x > 0, -logits, logits))
    sheets = {"drawn so far": x, "probability of ink": logits.sigmoid(), "surprise": (surprise / FULL).clamp(max=1)}
    return image_grids({name: torch.where(drawn, sheet, 0.25) for name, sheet in sheets.items()}, columns=1)
