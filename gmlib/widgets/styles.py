"""The explorer of chapter 04: the label sets the digit, and z its style."""

import torch

from gmlib.experiments.run import Run
from gmlib.figures.grids import image_grid
from gmlib.widgets.decoder import decoder_json
from gmlib.widgets.explorer import Explorer

EXTENT = 3.0  # the sliders run from -EXTENT to EXTENT: nearly all of the prior


def class_and_style(run: Run) -> Explorer:
    """Return an explorer in which the reader chooses a label and a style z, and sees all ten digits in that style.

    Args:
        run: of a conditional VAE with two latents and ten classes, whose decoder is fully connected.

    Returns:
        The explorer; `chosen["label"]` is the digit, `chosen["z"]` the style.

    Raises:
        InputError: if the decoder is not fully connected, or the model has another number of latents or no classes.
    """
    images = run.model.decode(torch.zeros(10, 2, dtype=torch.float32), torch.arange(10))
    return Explorer(
        "decoder.js",
        "styles.js",
        state={"decoder": decoder_json(run.model.decoder), "extent": EXTENT},
        chosen={"label": 4, "z": [0.0, 0.0]},
        poster=image_grid(images, columns=5, title="z = (0, 0)"),
        alt="The ten digits from 0 to 9, decoded with the same latent: all slant a little to the right and are about equally wide.",
    )
