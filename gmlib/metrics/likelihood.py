"""The likelihood of held-out images under a VAE, in nats per image."""

import math
from collections.abc import Callable
from functools import partial

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
from gmlib.seeds import stream
from gmlib.shapes import Image, Labels, LogWeights, PerImage, Watch, require_image, require_shape, require_whole

ByLabel = Float[Tensor, "labels b"]  # log p(x|y) of each label and image, in nats


def latents_per_call(vae: VAE, images: Image) -> int:
    """Return how many latents to decode in one call: few on a CPU if the decoder is autoregressive, whose feature maps are large."""
    return 16 if isinstance(vae.decoder, PixelDecoder) and images.device.type == "cpu" else 1000


@torch.inference_mode()
def mean_elbo(vae: VAE, dataset: ImageDataset, *, seed: int = 0) -> dict[str, float]:
    """Return the mean ELBO and its two terms: each image is binarised once, and z is drawn once per image.

    Args:
        vae: the model, on the device of the images; a conditional one takes their labels. It is set to eval mode, and afterwards back to its own mode.
        dataset: the images.
        seed: fixes the binarisation and the draws of z.

    Returns:
        "elbo", "log_px" and "kl", in nats per image, rounded to four decimals.

    Raises:
        InputError: if there are no images.
    """
    images = dataset.binarised(seed)
    require_whole(1, images=len(images))
    rng = stream(seed, "latents", images.device)
    batch_size = latents_per_call(vae, images)
    totals = torch.zeros(3, dtype=torch.float64)
    with eval_mode(vae):
        for i in range(0, len(images), batch_size):
            y = dataset.require_labels()[i : i + batch_size] if vae.num_classes else None
            log_px, kl = vae(images[i : i + batch_size], y, generator=rng)
            totals += torch.stack([elbo(log_px, kl), log_px, kl]).cpu().double().sum(1)
    means = [round(mean, 4) for mean in (totals / len(images)).tolist()]
    return dict(zip(("elbo", "log_px", "kl"), means, strict=True))


@torch.inference_mode()
def log_likelihood(
    vae: VAE,
    images: Image,
    labels: Labels | None = None,
    samples: int = 1000,
    generator: Generator | None = None,
    *,
    watch: Watch = iter,
) -> PerImage:
    r"""Estimate log p(x) with importance weights: in expectation a lower bound, which approaches log p(x) as k grows.

    $$\log p(x) \approx \log \tfrac1k \sum_{i=1}^k \frac{p(x, z_i)}{q(z_i \mid x)}, \qquad z_i \sim q(z \mid x)$$

    A conditional model with labels gives $\log p(x \mid y)$. Without labels, they are summed out with equal probability:
    $\log p(x) = \log \sum_y p(x \mid y) / C$.

    Args:
        vae: the model, on the device of the images. It is set to eval mode, and afterwards back to its own mode.
        images: binary images `(n, 1, 28, 28)`, such as `ImageDataset.binarised()`.
        labels: `(n,)`, for a conditional model only; None sums them out.
        samples: k, draws of z per image (and per label, if labels are summed out).
        generator: random generator, on the device of the images; None takes seed 0, so that two calls agree.
        watch: shows progress over the images, as tqdm does.

    Returns:
        Nats per image, `(n,)`.

    Raises:
        InputError: if there are no images or a pixel is neither 0 nor 1, the number of samples is below 1, or the labels do
            not fit the images or the model.

    Source: Burda, Grosse & Salakhutdinov 2016, equation 8.
    """
    require_whole(1, samples=samples)
    _require_binary(images)
    rng = generator or stream(0, "latents", images.device)
    if labels is None and vae.num_classes:
        return sum_out_labels(log_likelihood_by_label(vae, images, samples, rng, watch=watch))
    if labels is not None and len(labels) != len(images):
        raise InputError(f"got {len(labels)} labels for {len(images)} images, expected one label per image")
    draws_per_call = latents_per_call(vae, images)
    images_per_call = max(1, draws_per_call // samples)  # several images only if all their draws fit into one call
    results = []
    with eval_mode(vae):
        for i in watch(range(0, len(images), images_per_call)):
            x = images[i : i + images_per_call]
            y = None if labels is None else labels[i : i + images_per_call]
            draw = partial(vae.log_weights, x, y, generator=rng)
            results.append(log_mean_weight(draw, samples, draws_per_call))
    return torch.cat(results)


def log_mean_weight(draw: Callable[..., LogWeights], samples: int, draws_per_call: int) -> PerImage:
    """Return the log of the mean importance weight of each image; `draw(samples=n)` draws n log-weights per image, n up to `draws_per_call`."""
    log_sum = torch.logsumexp(draw(samples=min(draws_per_call, samples)), dim=0)
    for done in range(draws_per_call, samples, draws_per_call):
        log_sum = torch.logaddexp(log_sum, torch.logsumexp(draw(samples=min(draws_per_call, samples - done)), dim=0))
    return log_sum - math.log(samples)


def log_likelihood_by_label(
    vae: VAE, images: Image, samples: int = 1000, generator: Generator | None = None, *, watch: Watch = iter
) -> ByLabel:
    r"""Estimate log p(x|y) of a conditional model for each image and every label y, not only for the image's own label.

    By Bayes' rule it makes the model a classifier: with labels of equal prior probability,

    $$p(y \mid x) = \frac{p(x \mid y)}{\sum_{y'} p(x \mid y')}$$

    Args:
        vae: the conditional model, on the device of the images.
        images: binary images `(n, 1, 28, 28)`.
        samples: k, draws of z per image and label.
        generator: random generator, on the device of the images; None takes seed 0.
        watch: shows progress over the labels, as tqdm does.

    Returns:
        Nats per image, `(num_classes, n)`.

    Raises:
        InputError: if the model is unconditional, or as for `log_likelihood`.
    """
    if vae.num_classes == 0:
        raise InputError("got an unconditional model (num_classes = 0), expected a conditional one: use log_likelihood")
    rng = generator or stream(0, "latents", images.device)
    labels = torch.arange(vae.num_classes, device=images.device)
    return torch.stack([log_likelihood(vae, images, y.expand(len(images)), samples, rng) for y in watch(labels)])


def sum_out_labels(by_label: ByLabel) -> PerImage:
    r"""Return log p(x) from log p(x|y) of every label, all labels having equal probability.

    $$\log p(x) = \log \sum_y p(x \mid y) - \log C$$

    Args:
        by_label: nats per image for each of the C labels, `(C, n)`, as `log_likelihood_by_label` returns them.

    Returns:
        Nats per image, `(n,)`.
    """
    require_shape("labels n", by_label=by_label)
    return torch.logsumexp(by_label, dim=0) - math.log(len(by_label))


def _require_binary(images: Image) -> None:
    """Raise InputError if a pixel is neither 0 nor 1, or there are no images."""
    require_image(images)
    require_whole(1, images=len(images))
    if not ((images == 0) | (images == 1)).all():
        raise InputError(
            "got images with values other than 0 and 1, expected binary images, since a Bernoulli decoder has no "
            "likelihood of grey values: use ImageDataset.binarised()"
        )


@torch.inference_mode()
def integrated_log_likelihood(vae: VAE, images: Image, *, extent: float = 5.0, cells: int = 200) -> PerImage:
    r"""Compute log p(x) of a model with a two-dimensional latent space by a sum over the cells of a grid.

    $$p(x) = \int p(z) \, p(x \mid z) \, dz \approx \delta^2 \sum_{i,j} p(z_{ij}) \, p(x \mid z_{ij}), \qquad \delta = 2 \cdot \text{extent} / \text{cells}$$

    Unlike an importance-weighted estimate it does not depend on the encoder. The sum is accurate if the standard deviation of
    the posterior exceeds half a cell; a millionth of the prior's mass lies outside the grid if the extent is 5.

    Args:
        vae: an unconditional model with a two-dimensional latent space and Bernoulli pixels, on the device of the images.
        images: binary images `(n, 1, 28, 28)`.
        extent: the grid covers -extent to extent along each axis.
        cells: number of cells along each axis.

    Returns:
        Nats per image, `(n,)`.

    Raises:
        InputError: if the model is of another kind, a pixel is neither 0 nor 1, or there are no images or cells.
    """
    _require_binary(images)
    require_whole(1, cells=cells)
    if not isinstance(vae.decoder, BernoulliDecoder) or vae.latent_dim != 2 or vae.num_classes:
        raise InputError(
            f"got a model of {vae.latent_dim} latents and {vae.num_classes} classes with a {type(vae.decoder).__name__}, "
            "expected 2 latents, no classes and a BernoulliDecoder: use log_likelihood"
        )
    axis = (torch.arange(cells, device=images.device, dtype=images.dtype) + 0.5) * (2 * extent / cells) - extent
    pixels, log_sums = images.flatten(1), []
    with eval_mode(vae):
        for z in torch.cartesian_prod(axis, axis).split(10_000):
            mean = logvar = torch.zeros_like(z)  # of the prior
            logits = vae.decoder.logits(z).flatten(1)
            log_px = pixels @ logits.T - F.softplus(logits).sum(1)  # (image, z)
            log_sums.append(torch.logsumexp(log_px + gaussian_log_prob(z, mean, logvar), dim=1))
    return torch.logsumexp(torch.stack(log_sums), dim=0) + 2 * math.log(2 * extent / cells)
