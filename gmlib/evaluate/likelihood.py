"""How well a model explains digits that it did not see, in nats."""

import torch
from torch import Generator

from gmlib.data import Digits
from gmlib.models.vae import VAE
from gmlib.objectives.variational import elbo


@torch.inference_mode()
def mean_elbo(vae: VAE, digits: Digits, *, seed: int = 0, chunk: int = 1000) -> dict[str, float]:
    """Average the ELBO and its two terms over digits, binarised once, with one draw of z an image.

    The network is put into eval mode for it, so that batch norm uses its running statistics, and back.

    Args:
        vae: the model, on the device of the digits; labels go in if it has classes.
        digits: what to explain.
        seed: fixes the binarisation and the draws of z.
        chunk: images at a time.

    Returns:
        "elbo", "log_px" and "kl", in nats per image, rounded to four decimals.
    """
    training = vae.training
    vae.eval()
    images = digits.binarised(seed)
    generator = Generator(images.device).manual_seed(seed)
    totals = torch.zeros(3, dtype=torch.float64)
    for i in range(0, len(images), chunk):
        y = digits.labels[i : i + chunk] if vae.num_classes else None
        log_px, kl = vae(images[i : i + chunk], y, generator)
        totals += torch.stack([elbo(log_px, kl), log_px, kl]).cpu().double().sum(1)
    vae.train(training)
    means = [round(mean, 4) for mean in (totals / len(images)).tolist()]
    return dict(zip(("elbo", "log_px", "kl"), means, strict=True))
