"""How well a model explains digits that it did not see, in nats."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor

from gmlib.data import ImageDataset
from gmlib.errors import InputError
from gmlib.mode import eval_mode
from gmlib.models.pixelvae import PixelDecoder
from gmlib.models.vae import VAE, BernoulliDecoder
from gmlib.objectives.variational import elbo, gaussian_log_prob
from gmlib.seeds import require_device, stream
from gmlib.shapes import Image, Labels, LogWeights, PerImage, Watch, require_alike, require_image, require_whole

ByLabel = Float[Tensor, "labels b"]  # log p(x|y) of each label and image, in nats


def at_once(vae: VAE, images: Image) -> int:
    """Say how many latents one call of the decoder takes best: as many as a processor's cache has room for.

    Args:
        vae: the model.
        images: on the device where it is called.

    Returns:
        1000, for whose logits there is room; or 16 for an autoregressive decoder on a CPU, which keeps many feature maps of each image.
    """
    return 16 if isinstance(vae.decoder, PixelDecoder) and images.device.type == "cpu" else 1000


@torch.inference_mode()
def mean_elbo(vae: VAE, digits: ImageDataset, *, seed: int = 0, chunk: int | None = None) -> dict[str, float]:
    """Average the ELBO and its two terms over digits, binarised once, with one draw of z an image.

    The network is put into eval mode for it, so that batch norm uses its running statistics, and back.

    Args:
        vae: the model, on the device of the digits; labels go in if it has classes.
        digits: what to explain.
        seed: fixes the binarisation and the draws of z.
        chunk: images at a time; None takes `at_once`.

    Returns:
        "elbo", "log_px" and "kl", in nats per image, rounded to four decimals.

    Raises:
        InputError: if there are no digits, or the chunk is below 1.
    """
    images = digits.binarised(seed)
    chunk = at_once(vae, images) if chunk is None else chunk
    require_whole(1, images=len(images), chunk=chunk)
    generator = stream(seed, "latents", images.device)
    totals = torch.zeros(3, dtype=torch.float64)
    with eval_mode(vae):
        for i in range(0, len(images), chunk):
            y = digits.require_labels()[i : i + chunk] if vae.num_classes else None
            log_px, kl = vae(images[i : i + chunk], y, generator=generator)
            totals += torch.stack([elbo(log_px, kl), log_px, kl]).cpu().double().sum(1)
    means = [round(mean, 4) for mean in (totals / len(images)).tolist()]
    return dict(zip(("elbo", "log_px", "kl"), means, strict=True))


def log_mean_weight(draw: Callable[[int], LogWeights], samples: int, chunk: int) -> PerImage:
    r"""The importance-weighted bound of any number of draws, in the memory of a few.

    $$\log \tfrac1k \sum_{i=1}^k w_i = \log \big( e^{s_1} + e^{s_2} + \dots \big) - \log k, \qquad s_j = \log \sum_{i \in \text{chunk } j} w_i$$

    Args:
        draw: gives as many log-weights an image as it is asked for, `(chunk, n)`.
        samples: k, draws an image.
        chunk: draws an image at a time, at most.

    Returns:
        What `iwae_bound` gives for all k log-weights at once, nats per image, `(n,)`.

    Raises:
        InputError: if the number of samples or the chunk is below 1.
    """
    require_whole(1, samples=samples, chunk=chunk)
    log_sum = torch.logsumexp(draw(min(chunk, samples)), dim=0)
    for done in range(chunk, samples, chunk):
        log_sum = torch.logaddexp(log_sum, torch.logsumexp(draw(min(chunk, samples - done)), dim=0))
    return log_sum - math.log(samples)


@torch.inference_mode()
def log_likelihood(
    vae: VAE,
    images: Image,
    labels: Labels | None = None,
    samples: int = 1000,
    generator: Generator | None = None,
    *,
    chunk: int | None = None,
    watch: Watch = iter,
) -> PerImage:
    r"""Estimate log p(x) with importance weights: in expectation a lower bound that rises to log p(x) with k.

    $$\log p(x) \approx \log \tfrac1k \sum_{i=1}^k \frac{p(x, z_i)}{q(z_i \mid x)}, \qquad z_i \sim q(z \mid x)$$

    A conditional model with labels gives $\log p(x \mid y)$; without, labels are summed out, each as likely as the
    others: $\log p(x) = \log \sum_y p(x \mid y) / C$. The network is put into eval mode for it, and back.

    Args:
        vae: the model, on the device of the images.
        images: binary images `(n, 1, 28, 28)`, such as `ImageDataset.binarised()`.
        labels: `(n,)`, for a conditional model only; None sums them out.
        samples: k, draws of z an image (and a label, if they are summed out).
        generator: source of the draws, on the device of the images; None takes seed 0, so that two calls agree.
        chunk: latents in one call of the decoder; None takes `at_once`.
        watch: passes on what it is given and may show how far it has come: tqdm does.

    Returns:
        Nats per image, `(n,)`.

    Raises:
        InputError: if there are no images or a pixel is neither 0 nor 1, the number of samples or the chunk is below 1,
            the generator is on another device, or labels are of another number or for an unconditional model.

    Source: Burda, Grosse & Salakhutdinov 2016, equation 8.
    """
    chunk = at_once(vae, images) if chunk is None else chunk
    require_whole(1, samples=samples, chunk=chunk)
    require_device(generator, images.device)
    if labels is not None and vae.num_classes == 0:
        raise InputError("got labels for an unconditional model (num_classes = 0): leave them out")
    if labels is not None and len(labels) != len(images):
        raise InputError(f"got {len(labels)} labels for {len(images)} images, expected one label an image")
    _require_binary(images)
    generator = generator or stream(0, "latents", images.device)
    if labels is None and vae.num_classes:
        given = log_likelihood_by_label(vae, images, samples, generator, chunk=chunk, watch=watch)
        return sum_out_labels(given)

    def draws(x: Image, y: Labels | None) -> Callable[[int], LogWeights]:
        return lambda k: vae.log_weights(x, y, samples=k, generator=generator)

    together = max(1, chunk // samples)  # all draws of an image in one call where they fit: it is encoded once
    parts = []
    with eval_mode(vae):
        for i in watch(range(0, len(images), together)):
            y = None if labels is None else labels[i : i + together]
            parts.append(log_mean_weight(draws(images[i : i + together], y), samples, chunk))
    return torch.cat(parts)


def log_likelihood_by_label(
    vae: VAE,
    images: Image,
    samples: int = 1000,
    generator: Generator | None = None,
    *,
    chunk: int | None = None,
    watch: Watch = iter,
) -> ByLabel:
    r"""Estimate log p(x|y) of a conditional model for every label y, right or wrong.

    By Bayes' rule it makes the model a classifier: with labels that are equally likely beforehand,

    $$p(y \mid x) = \frac{p(x \mid y)}{\sum_{y'} p(x \mid y')}$$

    Args:
        vae: the conditional model, on the device of the images.
        images: binary images `(n, 1, 28, 28)`.
        samples: k, draws of z an image and label.
        generator: source of the draws, on the device of the images; None takes seed 0.
        chunk: latents in one call of the decoder; None takes `at_once`.
        watch: passes on what it is given and may show how far it has come: tqdm does.

    Returns:
        Nats per image, `(num_classes, n)`.

    Raises:
        InputError: if the model has no labels, or as for `log_likelihood`.
    """
    if vae.num_classes == 0:
        raise InputError("got an unconditional model (num_classes = 0), which knows no labels: use log_likelihood")
    generator = generator or stream(0, "latents", images.device)
    n = len(images)
    return torch.stack(
        [
            log_likelihood(vae, images, y.expand(n), samples, generator, chunk=chunk)
            for y in watch(torch.arange(vae.num_classes, device=images.device))
        ]
    )


def sum_out_labels(by_label: ByLabel) -> PerImage:
    r"""Turn log p(x|y) of every label into log p(x), all labels being equally likely.

    $$\log p(x) = \log \sum_y p(x \mid y) - \log C$$

    Args:
        by_label: nats per image for each of the C labels, `(C, n)`, as `log_likelihood_by_label` gives them.

    Returns:
        Nats per image, `(n,)`: at least the largest of each image's C values minus log C.

    Raises:
        InputError: if they are not `(C, n)` with C at least 1.
    """
    require_alike("labels n", by_label=by_label)
    require_whole(1, labels=len(by_label))
    return torch.logsumexp(by_label, dim=0) - math.log(len(by_label))


def _require_binary(images: Image) -> None:
    """Refuse grey images, and none."""
    require_image(images)
    require_whole(1, images=len(images))
    if not ((images == 0) | (images == 1)).all():
        raise InputError(
            "got images with values other than 0 and 1, expected binary ones, since grey values under a Bernoulli "
            "are no likelihood: use ImageDataset.binarised()"
        )


@torch.inference_mode()
def integrated_log_likelihood(vae: VAE, images: Image, *, extent: float = 5.0, cells: int = 200) -> PerImage:
    r"""Compute log p(x) of a model with two latents by doing the integral over the plane, cell by cell.

    $$p(x) = \int p(z) \, p(x \mid z) \, dz \approx \delta^2 \sum_{i,j} p(z_{ij}) \, p(x \mid z_{ij}), \qquad \delta = 2 \cdot \text{extent} / \text{cells}$$

    Unlike an importance-weighted estimate it does not depend on the encoder. The sum is as good as exact where the
    posterior is wider than half a cell, and the prior leaves a millionth of its mass outside an extent of 5.

    Args:
        vae: an unconditional model with two latents and Bernoulli pixels, on the device of the images.
        images: binary images `(n, 1, 28, 28)`.
        extent: the plane is cut off at ±extent.
        cells: along each axis.

    Returns:
        Nats per image, `(n,)`.

    Raises:
        InputError: if the model has labels, another number of latents or an autoregressive decoder, a pixel is
            neither 0 nor 1, there are no images or images of another size, or extent or cells are not above 0.
    """
    _require_binary(images)
    if not 0 < extent < math.inf or cells < 1:
        raise InputError(
            f"got extent {extent:g} and {cells} cells, expected both above 0 and finite: a plane to sum over"
        )
    require_whole(1, cells=cells)
    if not isinstance(vae.decoder, BernoulliDecoder):
        raise InputError(
            "got an autoregressive decoder, expected pixels that are independent given z: use log_likelihood"
        )
    if vae.latent_dim != 2 or vae.num_classes:
        raise InputError(
            f"got a model of {vae.latent_dim} latents and {vae.num_classes} labels, expected 2 latents and no label: "
            "use log_likelihood"
        )
    axis = (torch.arange(cells, device=images.device, dtype=images.dtype) + 0.5) * (2 * extent / cells) - extent
    pixels, parts = images.flatten(1), []
    with eval_mode(vae):
        for z in torch.cartesian_prod(axis, axis).split(10_000):
            zero = torch.zeros_like(z)
            logits = vae.decoder.logits(z).flatten(1)
            if logits.shape[1:] != pixels.shape[1:]:
                raise InputError(
                    f"got images of {pixels.shape[1]} pixels for a decoder of {logits.shape[1]}, expected as many: reshape them"
                )
            log_px = pixels @ logits.T - F.softplus(logits).sum(1)  # every image at every z
            parts.append(torch.logsumexp(log_px + gaussian_log_prob(z, zero, zero), dim=1))
    return torch.logsumexp(torch.stack(parts), dim=0) + 2 * math.log(2 * extent / cells)
