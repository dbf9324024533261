"""A decoder as a page can carry it: layers of 16-bit integers, which decoder.js multiplies out."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from gmlib.errors import InputError
from gmlib.mode import eval_mode
from gmlib.models.mlp import MLPDecoder
from gmlib.models.vae import BernoulliDecoder
from gmlib.widgets.packing import as_text, short

LARGEST = 32767  # of a 16-bit integer; with 8 bits single pixels of the shipped VAE are off by most of the scale


def packed(decoder: nn.Module) -> dict[str, Any]:
    """Pack a decoder for a page.

    Args:
        decoder: of a VAE with fully connected layers; it is read in eval mode, and put back.

    Returns:
        JSON: its number of classes, and its layers from first to last, each with weights, scales and biases.

    Raises:
        InputError: if it is another kind of network.
    """
    if not isinstance(decoder, BernoulliDecoder) or not isinstance(decoder.logits, MLPDecoder):
        kind = type(getattr(decoder, "logits", decoder)).__name__
        raise InputError(
            f"got a {kind}, expected an MLPDecoder: the page's arithmetic knows fully connected layers only"
        )
    with eval_mode(decoder):
        layers = folded(decoder.logits.net)
    return {"classes": decoder.num_classes, "layers": [packed_layer(layer.weight, layer.bias) for layer in layers]}


def folded(net: nn.Sequential) -> list[nn.Linear]:
    r"""Merge each batch norm into the linear layer before it, which in eval mode changes nothing that comes out.

    $$\gamma \, \frac{W x + b - m}{\sqrt{v + \epsilon}} + \beta = \underbrace{g W}_{W'} x + \underbrace{\beta + g (b - m)}_{b'}, \qquad g = \frac{\gamma}{\sqrt{v + \epsilon}}$$

    Args:
        net: linear layers with batch norm or without, and ReLU between them, in eval mode.

    Returns:
        The linear layers, from first to last; those of `net` stay as they are.
    """
    layers: list[nn.Linear] = []
    for module in net:
        if isinstance(module, nn.Linear):
            layers.append(module)
        elif isinstance(module, nn.BatchNorm1d):
            layers[-1] = fuse_linear_bn_eval(layers[-1], module)
    return layers


@torch.no_grad()
def packed_layer(weights: Float[Tensor, "outputs inputs"], biases: Float[Tensor, " outputs"]) -> dict[str, Any]:
    """Pack weights and biases of a layer.

    Args:
        weights: `(outputs, inputs)`.
        biases: `(outputs,)`.

    Returns:
        JSON: weights and scales as `packed_rows` gives them; biases, one an output.
    """
    return packed_rows(weights) | {"biases": short(biases)}


def packed_rows(weights: Float[Tensor, "outputs inputs"]) -> dict[str, Any]:
    r"""Round the numbers of each row to whole multiples of a scale of its own.

    $$W_{ij} \approx s_i k_{ij}, \qquad s_i = \max_j |W_{ij}| / 32767, \qquad k_{ij} \in \{-32767, \dots, 32767\}$$

    Args:
        weights: `(outputs, inputs)`.

    Returns:
        JSON: the integers row by row in base64, low byte first; scales, one a row.
    """
    scales = weights.abs().amax(1).clamp(min=1e-12) / LARGEST
    whole = (weights / scales[:, None]).round()
    return {"weights": as_text(whole, "<i2"), "scales": short(scales)}
