"""Chapter 05's explorer: images as they are drawn, each pixel a coin, and what each coin costs."""

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Generator

from gmlib.errors import InputError
from gmlib.experiments.run import Run
from gmlib.figures.grids import image_grids
from gmlib.mode import eval_mode
from gmlib.models.pixelvae import SIZE, PixelDecoder
from gmlib.numbers import whole
from gmlib.parallel import draw
from gmlib.shapes import Image
from gmlib.widgets.explorer import Explorer
from gmlib.widgets.packing import as_text

FULL = 3.0  # nats: the surprise that is drawn in full ink
START = 12 * 28 + 14  # a pixel in the middle of the image


def pixel_by_pixel(run: Run, reader: Run, images: int = 4, *, generator: Generator | None = None) -> Explorer:
    """Go through images pixel by pixel: how likely ink was when a pixel's turn came, what decided, and the nats it cost.

    A network of many maps is too large for a page, so each pixel's log-odds travel there, with the uniform numbers that
    decided. One model drew the images, and knows their latents; another reads the same images and has none.

    Args:
        run: of a model that draws pixel by pixel, with a latent and without labels.
        reader: of one without either.
        images: how many to choose from, 1 to 6.
        generator: source of randomness of latents and uniform numbers, on the CPU as the runs.

    Returns:
        The explorer; `chosen["image"]` is which image, `chosen["pixel"]` which pixel in reading order, and
        `chosen["reader"]` whose probabilities are shown, 0 for `run` and 1 for `reader`; all from 0 on.

    Raises:
        InputError: if the runs are of another kind, or images are too few or too many.
    """
    if not 1 <= (whole(images) or 0) <= 6:
        raise InputError(f"got {images} images, expected 1 to 6: each takes 13 kB of the page")
    drawer, other = _decoder(run, latent=True), _decoder(reader, latent=False)
    z = draw(torch.randn, (images, run.model.latent_dim), generator, torch.device("cpu"))
    u = draw(torch.rand, (images, *SIZE), generator, torch.device("cpu"))
    with torch.no_grad(), eval_mode(drawer), eval_mode(other):
        x = drawer.sample(z, uniforms=u)
        logits = [drawer(x, z), other(x, z[:, :0])]
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


def _decoder(run: Run, *, latent: bool) -> PixelDecoder:
    """Take the network that draws pixel by pixel, or say that the run has none, or one of the other kind."""
    decoder = run.model.decoder
    if not isinstance(decoder, PixelDecoder) or run.model.num_classes or (run.model.latent_dim > 0) != latent:
        kind = "a latent" if latent else "no latent"
        raise InputError(
            f"got a run of {run.recipe.name} with a {type(decoder).__name__}, {run.model.latent_dim} latents and {run.model.num_classes} "
            f"classes, expected a PixelDecoder with {kind} and no classes, "
            f"such as `pretrained('{'pixel_vae' if latent else 'pixel_cnn'}')`"
        )
    return decoder


def _poster(x: Image, logits: Image) -> Figure:
    """Draw the explorer as it begins."""
    drawn = torch.arange(x[0].numel()).view(SIZE) <= START
    surprise = F.softplus(torch.where(x > 0, -logits, logits))
    sheets = {"drawn so far": x, "probability of ink": logits.sigmoid(), "surprise": (surprise / FULL).clamp(max=1)}
    return image_grids({name: torch.where(drawn, sheet, 0.25) for name, sheet in sheets.items()}, columns=1)
