"""Chapter 02's explorer: a point in the latent plane, and the digit that it decodes to."""

import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from torch import Tensor

from gmlib.data import ImageDataset
from gmlib.errors import InputError
from gmlib.experiments.run import Run
from gmlib.figures.style import DIGIT_COLOURS, INK, drawing
from gmlib.metrics.latents import posterior_means
from gmlib.numbers import whole
from gmlib.shapes import Image
from gmlib.widgets.decoder import packed
from gmlib.widgets.explorer import Explorer

EXTENT = 3.0  # the plane runs from -EXTENT to EXTENT: nearly all of the prior
START = (-0.5, -1.5)


def latent_plane(run: Run, digits: ImageDataset, points: int = 1000) -> Explorer:
    """Drag a point through the latent plane, by mouse, sliders or arrow keys, and see what it decodes to.

    Args:
        run: of a VAE with two latents, without labels, whose decoder is fully connected.
        digits: shown as points in the colours of their labels, each at the mean of its q(z|x).
        points: how many of the digits at most, evenly picked, so that a page stays small.

    Returns:
        The explorer; `chosen["z"]` is the point.

    Raises:
        InputError: if the run is of another kind, or there is no point to show.
    """
    if run.model.latent_dim != 2 or run.model.num_classes:
        raise InputError(
            f"got a run with {run.model.latent_dim} latents and {run.model.num_classes} classes, expected 2 latents and no classes: "
            "a plane has two directions, and nowhere to put a label"
        )
    if (whole(points) or 0) < 1 or len(digits) < 1:
        raise InputError(f"got {points} points of {len(digits)} digits, expected at least one of each")
    decoder = packed(run.model.decoder)
    some = digits[:: -(-len(digits) // points)]
    mu, labels = posterior_means(run.model, some), some.require_labels()
    state = {
        "version": 1,
        "decoder": decoder,
        "extent": EXTENT,
        "points": [[round(value, 2) for value in point] for point in mu.tolist()],
        "labels": labels.tolist(),
        "centres": [
            [digit, *(round(value, 2) for value in mu[labels == digit].median(0).values.tolist())]
            for digit in labels.unique().tolist()
        ],
        "colours": [to_hex(colour) for colour in DIGIT_COLOURS],
    }
    return Explorer(
        "decoder.js",
        "plane.js",
        state=state,
        chosen={"z": list(START)},
        poster=_poster(mu, labels, run.model.decode(torch.tensor([START], dtype=mu.dtype))),
        alt="Left: embedded digits as points of the latent plane, in ten colours, crossed by two lines at the chosen point. "
        "Right: the digit that this point decodes to, a zero.",
    )


def _poster(mu: Tensor, labels: Tensor, image: Image) -> Figure:
    """Draw the explorer as it begins."""
    with drawing(1, 2, height=3.6, width=6.0, width_ratios=(2, 1)) as (figure, axes):
        plane, digit = axes[0]
        plane.scatter(*mu.T.numpy(), s=4, alpha=0.6, linewidths=0, color=[DIGIT_COLOURS[label] for label in labels])
        plane.axhline(START[1], color=INK, linewidth=0.8)
        plane.axvline(START[0], color=INK, linewidth=0.8)
        plane.plot(*START, "o", color=INK, markerfacecolor="white", markersize=8, markeredgewidth=2)
        plane.set(xlabel="$z_1$", ylabel="$z_2$", xlim=(-EXTENT, EXTENT), ylim=(-EXTENT, EXTENT), aspect="equal")
        digit.imshow(image[0, 0].numpy(), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        digit.axis("off")
    return figure
