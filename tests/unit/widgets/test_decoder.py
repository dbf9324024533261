"""Decoders as JSON: quantised weights, merged batch norm, and the same outputs in JavaScript as in PyTorch."""

import base64
import json

import numpy as np
import pytest
import torch
from torch import nn

from gmlib import InputError, pretrained, recipes
from gmlib.models.mlp import hidden_layers
from gmlib.widgets.decoder import decoder_json, fuse_batch_norm, quantise


def integers(layer: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(layer["weights"]), "<i2").reshape(len(layer["scales"]), -1)


def test_weights_are_quantised_by_row_with_an_error_of_at_most_half_a_step():
    factors = torch.tensor([1e-3, 1, 1, 10, 1e3, 0])[:, None]
    weights = torch.randn(6, 7, generator=torch.Generator().manual_seed(0)) * factors
    layer = quantise(weights)
    assert np.abs(integers(layer)).max(1).tolist() == [32767] * 5 + [0]
    scales = np.array(layer["scales"])[:, None]
    assert (np.abs(integers(layer) * scales - weights.numpy()) <= 0.501 * scales).all()


@pytest.mark.parametrize("norm", ["batch", None])
def test_batch_norm_merges_into_the_layer_before_it(norm):
    torch.manual_seed(0)
    net = nn.Sequential(*hidden_layers(3, (5, 4), norm), nn.Linear(4, 2))
    for module in net:
        if isinstance(module, nn.BatchNorm1d):
            for values in (module.weight, module.bias, module.running_mean):
                nn.init.normal_(values)
            nn.init.uniform_(module.running_var, 0.1, 2)
    net.eval()
    x = y = torch.randn(100, 3)
    layers = fuse_batch_norm(net)
    assert [tuple(layer.weight.shape) for layer in layers] == [(5, 3), (4, 5), (2, 4)]
    for i, layer in enumerate(layers):
        y = layer(y.relu() if i else y)
    torch.testing.assert_close(y, net(x))


def test_the_json_of_a_decoder_is_small():
    for name, classes in (("vae", 0), ("cvae", 10)):
        decoder = decoder_json(pretrained(name).model.decoder)
        assert decoder["classes"] == classes
        assert [integers(layer).shape for layer in decoder["layers"]] == [(100, 2 + classes), (784, 100)]
        assert len(json.dumps(decoder)) < 260_000


@pytest.mark.parametrize("name", ["conv_vae_deconv", "pixel_vae"])
def test_other_decoders_are_refused(name):
    with pytest.raises(InputError, match="MLPDecoder"):
        decoder_json(recipes.ALL[name].build().decoder)


@pytest.mark.parametrize("name", ["vae", "cvae", "vae_no_bn"])
def test_javascript_decodes_what_pytorch_decodes(evaluate, name):
    run = pretrained(name)
    z = torch.randn(32, 2, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(32) % 10 if run.model.num_classes else None
    expected = run.model.decode(z, labels).flatten(1)
    found = evaluate(
        "arrays.js",
        "decoder.js",
        expression="([stored, z, labels]) => { const decode = decoder(stored); return z.map((each, i) => decode(each, labels?.[i])); }",
        argument=[decoder_json(run.model.decoder), z.tolist(), None if labels is None else labels.tolist()],
    )
    assert 255 * (torch.tensor(found) - expected).abs().max() < 2
