"""A decoder as JSON, with weights quantised to 16 bits; decoder.js computes p(x|z) from it."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from gmlib.errors import InputError
from gmlib.mode import eval_mode
from gmlib.models.mlp import MLPDecoder
from gmlib.shapes import Latent
from gmlib.widgets.arrays import rounded, to_base64

Layers = list[tuple[Tensor, Tensor]]  # weights and biases, with a ReLU between two layers

MAX_INT16 = 32767  # 8 bits are too few: single pixels of the shipped VAE would change from white to nearly black


@torch.no_grad()
def decoder_json(decoder: nn.Module, rank: int = 0, latents: Latent | None = None) -> dict[str, Any]:
    """Return a fully connected decoder as JSON: the number of its classes, and its layers in eval mode.

    With a `rank`, its last layer becomes two smaller ones, which nearly have the same logits at these latents: `low_rank`.
    """
    logits = getattr(decoder, "logits", decoder)
    if not isinstance(logits, MLPDecoder):
        kind = type(logits).__name__
        raise InputError(f"got a {kind}, expected an MLPDecoder: a page computes fully connected layers only")
    with eval_mode(decoder):
        layers: Layers = [(layer.weight, layer.bias) for layer in fuse_batch_norm(logits.net)]
    if latents is not None:
        layers = low_rank(layers, rank, latents)
    return {
        "classes": decoder.num_classes,
        "layers": [quantise(weights) | {"biases": rounded(biases, 7)} for weights, biases in layers],
    }


def fuse_batch_norm(net: nn.Sequential) -> list[nn.Linear]:
    r"""Return the linear layers of a network in eval mode, each merged with the batch norm that follows it.

    $$\gamma \, \frac{W x + b - m}{\sqrt{v + \epsilon}} + \beta = \underbrace{g W}_{W'} x + \underbrace{\beta + g (b - m)}_{b'}, \qquad g = \frac{\gamma}{\sqrt{v + \epsilon}}$$
    """
    layers: list[nn.Linear] = []
    for module in net:
        if isinstance(module, nn.Linear):
            layers.append(module)
        elif isinstance(module, nn.BatchNorm1d):
            layers[-1] = fuse_linear_bn_eval(layers[-1], module)
    return layers


def low_rank(layers: Layers, rank: int, inputs: Float[Tensor, "n inputs"]) -> Layers:
    r"""Return layers of which the last one, with weights W and biases b, is replaced by two: first `rank` outputs, then all.

    $$W h + b \approx V \max(0,\, V^\top W h + c) + b - V c$$

    The columns of V are the first right singular vectors of the products W h at the given inputs, one product per row. No other
    matrix of this rank has a smaller squared error at these inputs (Eckart & Young 1936). The shift c is the smallest that
    makes the maximum inactive there.
    """
    *first, (weights, biases) = layers
    hidden = inputs
    for layer in first:
        hidden = F.linear(hidden, *layer).relu()
    directions = torch.linalg.svd(hidden @ weights.T, full_matrices=False).Vh[:rank]  # V transposed
    reduced = directions @ weights
    shift = -(hidden @ reduced.T).amin(0)
    return [*first, (reduced, shift), (directions.T, biases - shift @ directions)]


def quantise(weights: Float[Tensor, "outputs inputs"]) -> dict[str, Any]:
    r"""Return a matrix as 16-bit integers in base64, and one scale per row.

    $$W_{ij} \approx s_i k_{ij}, \qquad s_i = \max_j |W_{ij}| / 32767, \qquad k_{ij} \in \{-32767, \dots, 32767\}$$
    """
    scales = weights.abs().amax(1).clamp(min=1e-8) / MAX_INT16  # the minimum prevents 0 / 0 for a row of zeros
    return {"weights": to_base64((weights / scales[:, None]).round(), "<i2"), "scales": rounded(scales, 14)}
