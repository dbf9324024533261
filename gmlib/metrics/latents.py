"""The images of a dataset in the latent space of a VAE."""

import torch

from gmlib.data import ImageDataset
from gmlib.models.vae import VAE
from gmlib.shapes import Latent


@torch.no_grad()
def posterior_means(vae: VAE, dataset: ImageDataset) -> Latent:
    """Return the mean of q(z|x) for each image of a dataset, binarised once; a conditional model takes the labels too."""
    return vae.encode(dataset.binarised(), dataset.require_labels() if vae.num_classes else None)[0]
