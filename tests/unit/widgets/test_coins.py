"""The page draws the same pixels as PyTorch, and computes the same nats."""

import base64

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gmlib import objectives, pretrained, widgets

COUNT = 6

THROW = """(images) => images.map(({ uniforms, logits }) => {
    const [u, ...odds] = [uniforms, ...logits].map((text) => unpacked(text, Float32Array));
    const x = thrown(u, odds[0]);
    return { x, p: Array.from(odds[0], sigmoid), costs: odds.map((each) => sums(surprises(x, each))) };
})"""


@pytest.fixture(scope="module")
def runs():
    return pretrained("pixel_vae"), pretrained("pixel_cnn")


@pytest.fixture(scope="module")
def made(runs):
    return widgets.pixel_by_pixel(*runs, COUNT, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def truth(runs):
    """The images that the run itself draws, and the log-odds that both networks give on the finished image."""
    run, reader = runs
    generator = torch.Generator()
    x = run.model.sample(COUNT, generator=generator.manual_seed(1))
    z = torch.randn(COUNT, run.model.latent_dim, generator=generator.manual_seed(1))
    with torch.no_grad():
        return x, [run.model.decoder(x, z), reader.model.decoder(x, torch.zeros(COUNT, 0))]


@pytest.fixture
def thrown(evaluate, made):
    return evaluate("packing.js", "coins.js", expression=THROW, argument=made.state["images"])


def floats(text: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").copy()).view(1, 28, 28)


def test_the_state_holds_the_networks_log_odds_on_the_finished_image(made, truth):
    x, logits = truth
    assert made.state["readers"] == ["pixel_vae, which knows z", "pixel_cnn, which has none"]
    for i, image in enumerate(made.state["images"]):
        for stored, expected in zip(image["logits"], logits, strict=True):
            torch.testing.assert_close(floats(stored), expected[i], atol=1e-4, rtol=1e-4)
        below = floats(image["uniforms"]) < floats(image["logits"][0]).sigmoid()
        assert torch.equal(below.float(), x[i])


def test_the_page_draws_the_image(thrown, truth):
    x, logits = truth
    for i, image in enumerate(thrown):
        assert torch.equal(torch.tensor(image["x"]).float(), x[i].flatten())
        torch.testing.assert_close(torch.tensor(image["p"]), logits[0][i].sigmoid().flatten(), atol=1e-5, rtol=0)


def test_the_nats_of_pixels_add_up_to_the_log_likelihood(thrown, truth):
    x, logits = truth
    for reader, each in enumerate(logits):
        costs = torch.tensor([image["costs"][reader] for image in thrown])
        expected = F.softplus(torch.where(x > 0, -each, each)).flatten(1).cumsum(1)
        torch.testing.assert_close(costs, expected, atol=0.002, rtol=0)
        torch.testing.assert_close(costs[:, -1], -objectives.bernoulli_log_prob(x, each), atol=0.002, rtol=0)


def test_surprise_in_closed_form(evaluate):
    found = evaluate(
        "coins.js",
        expression="() => [surprises([1, 0, 1, 0], [0, 0, -40, -40]), thrown([0.49, 0.5, 0.999], [0, 0, 40])]",
    )
    assert found[0] == pytest.approx([np.log(2), np.log(2), 40, np.exp(-40)])
    assert found[1] == [1, 0, 1]  # at u = p there is no ink


def test_a_latent_lowers_the_nats(thrown):
    with_z, without = (sum(image["costs"][reader][-1] for image in thrown) for reader in (0, 1))
    assert 5 * COUNT < without - with_z < 20 * COUNT
