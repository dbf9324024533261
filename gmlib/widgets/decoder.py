"""A decoder in a page: layers of 16-bit integers, which decoder.js multiplies out."""

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


@torch.no_grad()
def packed(decoder: nn.Module) -> dict[str, Any]:
    """Return a fully connected decoder as JSON: its number of classes, and its layers in eval mode."""
    if not isinstance(decoder, BernoulliDecoder) or not isinstance(decoder.logits, MLPDecoder):
        kind = type(getattr(decoder, "logits", decoder)).__name__
        raise InputError(f"got a {kind}, expected an MLPDecoder: a page computes fully connected layers only")
    with eval_mode(decoder):
        layers = folded(decoder.logits.net)
    return {
        "classes": decoder.num_classes,
        "layers": [packed_rows(layer.weight) | {"biases": short(layer.bias)} for layer in layers],
    }


def folded(net: nn.Sequential) -> list[nn.Linear]:
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


def packed_rows(weights: Float[Tensor, "outputs inputs"]) -> dict[str, Any]:
    r"""Return a matrix as 16-bit integers in base64, and one scale per row.

    $$W_{ij} \approx s_i k_{ij}, \qquad s_i = \max_j |W_{ij}| / 32767, \qquad k_{ij} \in \{-32767, \dots, 32767\}$$
    """
    scales = weights.abs().amax(1).clamp(min=1e-12) / LARGEST
    return {"weights": as_text((weights / scales[:, None]).round(), "<i2"), "scales": short(scales)}
