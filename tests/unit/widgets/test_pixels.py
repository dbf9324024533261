"""The page samples the same pixels as PyTorch, and computes the same log-likelihoods."""

import base64

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gmlib import objectives, pretrained, widgets

COUNT = 6

SAMPLE = """(images) => images.map(({ uniforms, logits }) => {
    const [u, ...all] = [uniforms, ...logits].map((text) => fromBase64(text, Float32Array));
    const x = samplePixels(u, all[0]);
    return { x, p: Array.from(all[0], sigmoid), sums: all.map((each) => cumulativeSums(surprises(x, each))) };
})"""


@pytest.fixture(scope="module")
def made():
    runs = pretrained("pixel_vae"), pretrained("pixel_cnn")
    return widgets.pixel_by_pixel(*runs, COUNT, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def expected():
    """Images that the model samples, and the logits of both networks on the finished images."""
    model, generator = pretrained("pixel_vae").model, torch.Generator()
    x = model.sample(COUNT, generator=generator.manual_seed(1))
    z = torch.randn(COUNT, model.latent_dim, generator=generator.manual_seed(1))
    with torch.no_grad():
        return x, [model.decoder(x, z), pretrained("pixel_cnn").model.decoder(x, torch.zeros(COUNT, 0))]


def floats(text: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").copy()).view(1, 28, 28)


def test_the_state_holds_the_logits_of_both_networks(made, expected):
    x, logits = expected
    assert made.state["networks"] == ["pixel_vae, given z", "pixel_cnn, without latent"]
    for i, image in enumerate(made.state["images"]):
        for stored, computed in zip(image["logits"], logits, strict=True):
            torch.testing.assert_close(floats(stored), computed[i], atol=1e-4, rtol=1e-4)
        below = floats(image["uniforms"]) < floats(image["logits"][0]).sigmoid()
        assert torch.equal(below.float(), x[i])


def test_the_page_samples_the_images_and_sums_their_surprises(evaluate, made, expected):
    x, logits = expected
    images = evaluate("arrays.js", "bernoulli.js", expression=SAMPLE, argument=made.state["images"])
    assert torch.equal(torch.tensor([image["x"] for image in images]).float(), x.flatten(1))
    p = torch.tensor([image["p"] for image in images])
    torch.testing.assert_close(p, logits[0].sigmoid().flatten(1), atol=1e-5, rtol=0)
    sums = torch.tensor([image["sums"] for image in images])
    for network, each in enumerate(logits):
        nats = F.softplus(torch.where(x > 0, -each, each)).flatten(1).cumsum(1)
        torch.testing.assert_close(sums[:, network], nats, atol=0.002, rtol=0)
        torch.testing.assert_close(sums[:, network, -1], -objectives.bernoulli_log_prob(x, each), atol=0.002, rtol=0)
    assert 5 < (sums[:, 1, -1] - sums[:, 0, -1]).mean() < 20  # given z, images have a higher likelihood


def test_surprise_in_closed_form(evaluate):
    nats, sampled = evaluate(
        "bernoulli.js",
        expression="() => [surprises([1, 0, 1, 0], [0, 0, -40, -40]), samplePixels([0.49, 0.5, 0.999], [0, 0, 40])]",
    )
    assert nats == pytest.approx([np.log(2), np.log(2), 40, np.exp(-40)])
    assert sampled == [1, 0, 1]  # at u = p there is no ink
