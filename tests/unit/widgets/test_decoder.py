"""Decoders as JSON: quantised weights, merged batch norm, and the same outputs in JavaScript as in PyTorch."""

import base64
import json

import numpy as np
import pytest
import torch
from torch import nn

from gmlib import InputError, mnist, pretrained, recipes
from gmlib.models.mlp import hidden_layers
from gmlib.widgets.decoder import decoder_json, fuse_batch_norm, low_rank, quantise
from gmlib.widgets.plane import latent_plane


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


def with_relu(layers: list, x: torch.Tensor) -> torch.Tensor:
    for i, (weights, biases) in enumerate(layers):
        x = (x.relu() if i else x) @ weights.T + biases
    return x


def test_at_the_rank_of_the_outputs_the_smaller_layers_have_the_same_outputs():
    generator = torch.Generator().manual_seed(0)
    first, last = (
        (torch.randn(a, b, generator=generator), torch.randn(a, generator=generator)) for a, b in ((6, 2), (9, 6))
    )
    inputs = torch.randn(50, 2, generator=generator)
    small = low_rank([first, last], 6, inputs)
    assert [tuple(weights.shape) for weights, _ in small] == [(6, 2), (6, 6), (9, 6)]
    torch.testing.assert_close(with_relu(small, inputs), with_relu([first, last], inputs), atol=1e-4, rtol=0)
    assert (with_relu(small[:2], inputs).amin(0).abs() < 1e-4).all()  # the shift is the smallest


def test_the_error_of_a_low_rank_is_the_least_possible():
    """Eckart & Young: the squared error is the sum of the squares of the singular values that are omitted."""
    generator = torch.Generator().manual_seed(0)
    last, inputs = torch.randn(9, 6, generator=generator), torch.rand(50, 6, generator=generator)
    found = with_relu(low_rank([(last, torch.zeros(9))], 2, inputs), inputs)
    expected = torch.linalg.svdvals(inputs @ last.T)[2:].square().sum()
    torch.testing.assert_close((found - inputs @ last.T).square().sum(), expected, rtol=1e-3, atol=0)


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


def test_at_rank_40_javascript_draws_nearly_the_same_digits_everywhere_in_the_plane(evaluate):
    run, axis = pretrained("vae"), torch.linspace(-3, 3, 31)
    z = torch.cartesian_prod(axis, axis)
    made = latent_plane(run, mnist("validation"), points=10, rank=40).state["decoder"]
    assert [integers(layer).shape for layer in made["layers"]] == [(100, 2), (40, 100), (784, 40)]
    assert len(json.dumps(made)) < 0.52 * len(json.dumps(decoder_json(run.model.decoder)))
    found = evaluate(
        "arrays.js",
        "decoder.js",
        expression="([stored, z]) => { const decode = decoder(stored); return z.map((each) => decode(each)); }",
        argument=[made, z.tolist()],
    )
    error = (torch.tensor(found) - run.model.decode(z).flatten(1)).abs()
    assert error.mean() < 0.002
    assert error.max() < 0.12
