"""The explorer of chapter 02: a point in the latent plane, and the decoder output at this point."""

import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from torch import Tensor

from gmlib.data import ImageDataset
from gmlib.experiments.run import Run
from gmlib.figures.grids import show_sheet
from gmlib.figures.style import DIGIT_COLOURS, INK, drawing
from gmlib.metrics.latents import posterior_means
from gmlib.shapes import Image
from gmlib.widgets.arrays import rounded
from gmlib.widgets.decoder import decoder_json
from gmlib.widgets.explorer import Explorer

EXTENT = 3.0  # the plane runs from -EXTENT to EXTENT: nearly all of the prior
START = (-0.5, -1.5)
STEPS = 61  # of a grid of the plane in each direction, on which a decoder of low rank is fitted


def latent_plane(run: Run, digits: ImageDataset, points: int = 1000, rank: int = 0) -> Explorer:
    """Return an explorer of the latent plane: the reader drags a point and sees the decoder output at this point.

    Args:
        run: of a VAE with two latents, without labels, whose decoder is fully connected.
        digits: shown as points in the colours of their labels, each at the mean of its q(z|x).
        points: maximum number of these digits, taken at regular steps, to keep the page small.
        rank: to which the weights of the decoder's last layer are reduced, to keep the page small; 0 keeps them as they are. At
            rank 40, the pixels of the shipped VAE change by 0.002 on average in the plane, and by at most 0.12.

    Returns:
        The explorer; `chosen["z"]` is the point.

    Raises:
        InputError: if the decoder is not fully connected, or the model has another number of latents or labels.
    """
    decoded = run.model.decode(torch.tensor([START], dtype=torch.float32))
    axis = torch.linspace(-EXTENT, EXTENT, STEPS)
    plane = torch.cartesian_prod(axis, axis) if rank else None
    step = -(-len(digits) // points)  # rounded up
    mu, labels = posterior_means(run.model, digits[::step]), digits[::step].require_labels()
    medians = {digit: mu[labels == digit].median(0).values for digit in labels.unique().tolist()}
    return Explorer(
        "decoder.js",
        "plane.js",
        state={
            "decoder": decoder_json(run.model.decoder, rank, plane),
            "extent": EXTENT,
            "points": rounded(mu, 2),
            "labels": labels.tolist(),
            "centres": [[digit, *rounded(median, 2)] for digit, median in medians.items()],
            "colours": [to_hex(colour) for colour in DIGIT_COLOURS],
        },
        chosen={"z": list(START)},
        poster=_poster(mu, labels, decoded),
        alt="Left: embedded digits as points of the latent plane, in ten colours, with two lines that cross at the chosen "
        "point. Right: the decoder output at this point, a zero.",
    )


def _poster(mu: Tensor, labels: Tensor, decoded: Image) -> Figure:
    """Draw the explorer at its initial values."""
    with drawing(1, 2, height=3.6, width=6.0, width_ratios=(2, 1)) as (figure, axes):
        plane, digit = axes[0]
        plane.scatter(*mu.T.numpy(), s=4, alpha=0.6, linewidths=0, color=[DIGIT_COLOURS[label] for label in labels])
        plane.axhline(START[1], color=INK, linewidth=0.8)
        plane.axvline(START[0], color=INK, linewidth=0.8)
        plane.plot(*START, "o", color=INK, markerfacecolor="white", markersize=8, markeredgewidth=2)
        plane.set(xlabel="$z_1$", ylabel="$z_2$", xlim=(-EXTENT, EXTENT), ylim=(-EXTENT, EXTENT), aspect="equal")
        show_sheet(digit, decoded[0, 0])
    return figure
