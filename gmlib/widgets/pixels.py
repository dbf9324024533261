"""The explorer of chapter 05: ancestral sampling of an image, pixel by pixel, and the surprise -log p of each pixel."""

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
from gmlib.widgets.arrays import to_base64
from gmlib.widgets.explorer import Explorer

BLACK = 3.0  # nats: pixels of this surprise or more are drawn black
START = 12 * 28 + 14  # a pixel in the middle of the image


def pixel_by_pixel(run: Run, baseline: Run, images: int = 4, *, generator: Generator | None = None) -> Explorer:
    """Return an explorer of ancestral sampling: the probability of ink, the uniform number and the surprise of each pixel.

    A deep network is too large for a page, so the page contains the logit of each pixel, and the uniform number with which it
    was sampled. `run` samples the images given latents; `baseline` predicts the same pixels without a latent.

    Args:
        run: of a model with a PixelDecoder and latents, without labels.
        baseline: of one without latents and labels.
        images: number of images to choose from; each takes 13 kB.
        generator: random generator of the latents and uniform numbers, on the CPU like the runs.

    Returns:
        The explorer; `chosen["image"]` is the index of the image, `chosen["pixel"]` that of the pixel in raster order, and
        `chosen["network"]` selects the probabilities: 0 for those of `run`, 1 for those of `baseline`.
    """
    decoder, without_latent = run.model.decoder, baseline.model.decoder
    z = draw(torch.randn, (images, run.model.latent_dim), generator, torch.device("cpu"))
    u = draw(torch.rand, (images, *SIZE), generator, torch.device("cpu"))
    with torch.no_grad(), eval_mode(decoder), eval_mode(without_latent):
        x = decoder.sample(z, uniforms=u)
        logits = torch.stack([decoder(x, z), without_latent(x, z[:, :0])], dim=1)
    return Explorer(
        "bernoulli.js",
        "pixels.js",
        state={
            "black": BLACK,
            "networks": [f"{run.recipe.name}, given z", f"{baseline.recipe.name}, without latent"],
            "images": [
                {"uniforms": to_base64(u[i], "<f4"), "logits": [to_base64(each, "<f4") for each in logits[i]]}
                for i in range(images)
            ],
        },
        chosen={"image": 0, "network": 0, "pixel": START},
        poster=_poster(x[:1], logits[:1, 0]),
        alt="Three squares, each grey in the lower half, which is not sampled yet. Left: the upper half of a digit, in black on "
        "white. Middle: the probability of ink, the same shape with soft edges. Right: the surprise, a few dark pixels along "
        "the edges of the strokes.",
    )


def _poster(x: Image, logits: Image) -> Figure:
    """Draw the explorer at its initial values."""
    sampled = torch.arange(x[0].numel()).view(SIZE) <= START
    surprise = F.softplus(torch.where(x > 0, -logits, logits))
    grids = {"sampled so far": x, "probability of ink": logits.sigmoid(), "surprise": (surprise / BLACK).clamp(max=1)}
    return image_grids({name: torch.where(sampled, grid, 0.25) for name, grid in grids.items()}, columns=1)
