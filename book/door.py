"""The first thing on the first page: an explorer of the latent plane, and beside it samples of the report's ten models.

Everything is computed from the runs that gmlib ships, and every FID is read from a run's record.

    python book/door.py FILE        writes the HTML that index.md includes
"""

import base64
import html
import sys
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image as Picture

from gmlib import mnist, pretrained, widgets
from gmlib.experiments.run import Run
from gmlib.figures.grids import tile
from gmlib.seeds import stream
from gmlib.shapes import Image

SEED = 0
DIGITS = 10  # in each row
POINTS = 500  # digits in the plane
RANK = 40  # of the decoder's last layer: scripts and data of the explorer take 140 kB
SCALE = 3  # a pixel of an image is a square of three by three in the file, which stays sharp on any screen


class Row(NamedTuple):
    """A row of samples: the recipe, its name in words, and the chapter that trains it."""

    recipe: str
    name: str
    chapter: str


ROWS = (
    Row("vae", "VAE", "02-vae"),
    Row("conv_vae", "Convolutional VAE", "03-conv-vae"),
    Row("cvae", "Conditional VAE", "04-conditional-vae"),
    Row("pixel_vae", "PixelVAE", "05-pixel-vae"),
    Row("gan", "GAN", "07-gan"),
    Row("cgan", "Conditional GAN", "07-gan"),
    Row("dcgan", "DCGAN", "08-dcgan"),
    Row("cdcgan", "Conditional DCGAN", "08-dcgan"),
    Row("wgan", "WGAN, weight clipping", "09-wgan"),
    Row("wgan_gp", "WGAN, gradient penalty", "09-wgan"),
)


def hero() -> str:
    """Return the HTML of the explorer and of eleven rows: real test digits, then samples of the ten models."""
    runs = {row.recipe: pretrained(row.recipe) for row in ROWS}
    explorer = widgets.latent_plane(runs["vae"], mnist("train"), POINTS, RANK)
    real = "One real test digit of each class, 0 to 9 in order."
    grey, binary = (runs[name].metrics for name in ("gan", "vae"))
    rows = [
        item(
            "Real test digits",
            "measuring",
            grey["fid_real"],
            picture(real_digits(), real),
        )
    ]
    for name, title, chapter in ROWS:
        asked = (
            ", asked for the digits 0 to 9 in order"
            if runs[name].model.num_classes
            else ""
        )
        images = picture(
            samples(runs[name]), f"{DIGITS} samples of the {title}{asked}."
        )
        rows.append(item(title, chapter, runs[name].metrics["fid"], images))
    return f"""<div class="gm-door full-width">
<div>
<p class="gm-door-title">Drag the point</p>
{explorer.html()}
<p class="gm-door-note">The decoder of a VAE computes an image from the two coordinates of the point, z₁ and z₂. Each
coloured dot is a real digit, one of {POINTS}; the encoder computes its position. A bold number marks the median position of the dots of one
digit. The VAE was trained without labels: colours and numbers were added afterwards.</p>
</div>
<div>
<p class="gm-door-title">Ten models, and real digits</p>
<ul>
{"".join(rows)}</ul>
<p class="gm-door-note">Each row has {DIGITS} samples of a trained model; no sample was selected by hand. Conditional models
were asked for the digits 0 to 9. The <a href="measuring.html">FID</a> compares {grey["n"]:,} samples with {grey["n"]:,} real test
digits: lower is better. For the FID of the first row, training digits took the place of the samples. VAEs draw each pixel black or white. Their samples are compared with black and white digits, for which the FID of
real digits is {binary["fid_real"]:.1f}.</p>
</div>
</div>
"""


def item(name: str, page: str, fid: float, images: str) -> str:
    """Return a row as an element of a list: its name, which links to a page, its FID, and its images."""
    return f'<li><a href="{page}.html">{name}</a> <span>FID {fid:.1f}</span>\n{images}</li>\n'


def samples(run: Run) -> Image:
    """Draw a row of samples with a fixed seed; a conditional model draws one of each digit, in order."""
    labels = torch.arange(DIGITS) if run.model.num_classes else None
    return run.model.sample(DIGITS, labels, generator=stream(SEED, "samples"))


def real_digits() -> Image:
    """Return the first test digit of each class, in order."""
    digits = mnist("test")
    labels = digits.require_labels()
    first = [int((labels == label).nonzero()[0]) for label in range(DIGITS)]
    return digits.grey()[first]


def picture(images: Image, alt: str) -> str:
    """Return images side by side as an `img` element that contains its data: black ink on a transparent ground."""
    ink = (255 * tile(images, DIGITS)).round().byte()
    opacity = Picture.fromarray(ink.numpy()).resize(
        (SCALE * ink.shape[1], SCALE * ink.shape[0]), Picture.Resampling.NEAREST
    )
    strip = Picture.new("LA", opacity.size)
    strip.putalpha(opacity)
    png = BytesIO()
    strip.save(png, "png", optimize=True)
    source = f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
    return f'<img src="{source}" alt="{html.escape(alt)}" width="{strip.width}" height="{strip.height}">'


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(hero(), encoding="utf-8")
