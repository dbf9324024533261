"""Chapter 04's explorer: which digit by its label, how it is written by z."""

import torch

from gmlib.errors import InputError
from gmlib.experiments.run import Run
from gmlib.figures.grids import image_grid
from gmlib.widgets.decoder import packed
from gmlib.widgets.explorer import Explorer

EXTENT = 3.0  # nearly all of the prior


def class_and_style(run: Run) -> Explorer:
    """Choose a label and a style, and see all ten digits in that style.

    Args:
        run: of a conditional VAE with two latents and ten classes, whose decoder is fully connected.

    Returns:
        The explorer; `chosen["label"]` is the digit, `chosen["z"]` the style.

    Raises:
        InputError: if the run is of another kind.
    """
    if run.model.latent_dim != 2 or run.model.num_classes != 10:
        raise InputError(
            f"got a run with {run.model.latent_dim} latents and {run.model.num_classes} classes, expected 2 latents and 10 classes, "
            "such as `pretrained('cvae')`: there are two sliders, and ten digits to choose from"
        )
    return Explorer(
        "decoder.js",
        "styles.js",
        state={"version": 1, "decoder": packed(run.model.decoder), "extent": EXTENT},
        chosen={"label": 4, "z": [0.0, 0.0]},
        poster=image_grid(
            run.model.decode(torch.zeros(10, 2, dtype=torch.float32), torch.arange(10)), columns=5, title="z = (0, 0)"
        ),
        alt="The ten digits from 0 to 9, decoded with the same latent: all lean a little to the right and are about equally wide.",
    )
