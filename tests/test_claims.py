"""What the claims measure, where the answer is known."""

import json
import math
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from scipy.stats import t

import gmlib
from claims import dcgan, games, gan
from claims.__main__ import CLAIMS
from claims.dcgan import ABLATIONS
from claims.evidence import mean_interval
from claims.games import largest_steps, settle
from claims.gan import like, sharpness
from claims.labels import stroke_brightness
from claims.vae import border_lengths, lonely_ink, pixel_entropy
from gmlib import recipes
from gmlib.evaluate import extract, shipped_classifier
from gmlib.models import DCCritic, DCGenerator, MLPCritic, MLPGenerator
from gmlib.run import Run
from gmlib.train import History


def image(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows)[None, None]


def test_brightness_is_the_mean_probability_at_ink():
    assert stroke_brightness(image([0.0, 1.0], [1.0, 0.0])) == 1
    assert stroke_brightness(torch.full((3, 1, 4, 4), 0.3)) == pytest.approx(0.3)
    # ink falls on the first pixel four times as often as on the second
    assert stroke_brightness(image([0.8, 0.2])) == pytest.approx((4 * 0.8 + 0.2) / 5)


def test_brightness_is_what_draws_find():
    p = torch.rand(50, 1, 20, 20, generator=torch.Generator().manual_seed(0))
    draws = (torch.rand(200, *p.shape, generator=torch.Generator().manual_seed(1)) < p).float()
    assert stroke_brightness(p) == pytest.approx(float((draws * p).sum() / draws.sum()), abs=2e-3)


def test_entropy_of_coins():
    assert pixel_entropy(image([0.0, 1.0])) == 0
    assert pixel_entropy(torch.full((3, 1, 4, 4), 0.5)) == pytest.approx(16 * math.log(2))


def test_ink_is_lonely_without_a_neighbour_on_any_side():
    assert lonely_ink(image([1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0])) == pytest.approx(1 / 3)
    assert lonely_ink(image([1.0, 0.0], [0.0, 1.0])) == 1  # a corner is no neighbour


def test_borders_of_a_plane_cut_in_two():
    y = torch.linspace(-3, 3, 600)
    points = torch.cat([torch.stack([torch.full_like(y, x), y], 1) for x in (-2.0, 2.0)])
    labels = torch.tensor([3, 8]).repeat_interleave(600)
    found = border_lengths(points, labels, cells=10)
    assert found[3, 8] + found[8, 3] == 10
    assert found.sum() == 10


def test_interval_is_students():
    values = [1.0, 2.0, 4.0]
    low, high = t.interval(0.95, 2, loc=7 / 3, scale=torch.tensor(values).std().item() / math.sqrt(3))
    mean, interval = mean_interval(values)
    assert mean == pytest.approx(7 / 3, abs=1e-4)
    assert interval == pytest.approx((low, high), abs=1e-4)


def test_sharpness_is_edges_an_amount_of_ink():
    assert sharpness(torch.zeros(1, 1, 5, 5).index_fill(3, torch.tensor([2]), 0.5)) == pytest.approx(2 + 2 / 5)
    dot = torch.zeros(1, 1, 5, 5)
    dot[0, 0, 2, 2] = 1
    assert sharpness(dot) == 4
    corner = dot.roll((2, 2), (2, 3))  # at the border, beyond which nothing is drawn
    assert sharpness(torch.cat([dot, corner])) == 4


@pytest.mark.parametrize(
    ("interval", "threshold", "verdict"),
    [
        ((0.1, 0.5), 0.0, "confirmed"),
        ((-0.5, -0.1), 0.0, "refuted"),
        ((-0.1, 0.5), 0.0, "depends"),
        ((0.1, 0.5), 0.3, "depends"),
        ((0.1, 0.2), 0.3, "refuted"),
        ((1.1, 1.2), 1.0, "confirmed"),
    ],
)
def test_what_an_interval_does_to_a_claim(interval, threshold, verdict):
    assert settle(interval, threshold) == verdict


def test_the_longest_step_of_a_way(monkeypatch):
    """A generator that jumps from one digit to another in the middle of the way, and nowhere else."""
    digits = gmlib.mnist("test").grey()
    jumping = SimpleNamespace(
        latent_dim=3, decode=lambda z: torch.where(z[:, :1, None, None] < 0, digits[:1], digits[1:2])
    )
    monkeypatch.setattr("claims.games.train", lambda recipe, seed: jumping)
    monkeypatch.setattr("claims.games.PAIRS", 2)
    ends = torch.tensor([[[-1.0, 0, 0], [-1.0, 0, 0]], [[1.0, 0, 0], [1.0, 0, 0]]])
    monkeypatch.setattr("torch.randn", lambda *shape, generator: ends)
    share, changes = largest_steps(recipes.GAN, 0, gmlib.interpolate)
    assert share == pytest.approx(1)
    assert changes == 1


def test_short_trainings_differ_from_the_recipes_in_what_they_say():
    for recipe, arm in ((recipes.CGAN, like(recipes.CGAN)), (recipes.GAN, like(recipes.GAN, n_critic=5))):
        assert arm.epochs == gan.GAN.epochs
        assert arm == replace(recipe, epochs=arm.epochs, n_critic=arm.n_critic)
    assert like(recipes.CDCGAN) == replace(gan.DCGAN, name="cdcgan", num_classes=10)
    assert like(recipes.DCGAN_CRITIC_BN) == replace(gan.DCGAN, name="dcgan_critic_bn", critic_batch_norm=True)


def test_narrow_networks_are_dcgans_of_another_width():
    """Asked of the networks that the arms build, with all that a recipe says."""
    for recipe, conditional in ((recipes.DCGAN, 0), (recipes.CDCGAN, 10)):
        networks = replace(like(recipe), critic_batch_norm=True).build()
        for network, kind in ((networks["generator"], DCGenerator), (networks["critic"], DCCritic)):
            assert type(network) is kind
            assert network.num_classes == conditional
            assert any(isinstance(part, torch.nn.BatchNorm2d) for part in network.modules())
            channels = {part.out_channels for part in network.modules() if hasattr(part, "out_channels")}
            assert channels == {64, 32, 16, 1}


@pytest.mark.parametrize("name", ABLATIONS)
def test_ablations_of_the_dcgan_are_dcgans_but_for_one_decision(name):
    """Same planes in between, same place in the recipe, and the part that is taken back is gone."""
    networks = ABLATIONS[name].build()
    parts = {key: [type(part).__name__ for part in network.net] for key, network in networks.items()}
    z, x = torch.zeros(2, 100), torch.zeros(2, 1, 28, 28)
    assert networks["generator"](z).shape == x.shape
    assert networks["critic"](x).shape == (2,)
    strided = [
        part for network in networks.values() for part in network.modules() if getattr(part, "stride", 1) == (2, 2)
    ]
    assert ("MaxPool2d" in parts["critic"], "Upsample" in parts["generator"]) == (("pooling" in name),) * 2
    assert (not strided) == ("pooling" in name)
    assert parts["critic"].count("Linear") == (2 if "connected" in name else 0)
    assert ("BatchNorm2d" in parts["generator"]) == (name != "no batch norm in the generator")


@pytest.mark.usefixtures("few_digits")
def test_an_epoch_is_timed_step_by_step(monkeypatch):
    """With a clock that strikes at each step."""
    clock = iter(range(1000))
    monkeypatch.setattr("claims.dcgan.time", SimpleNamespace(perf_counter=lambda: 0.5 * next(clock)))
    recipe = replace(
        recipes.GAN, generator=partial(MLPGenerator, hidden=4), critic=partial(MLPCritic, hidden=4), batch_size=16
    )
    assert dcgan.seconds_an_epoch(recipe, 0) == pytest.approx(0.5 * 50_000 / 16)


@pytest.fixture
def untrained(monkeypatch):
    """Claims about GANs with networks as they are built, a made-up history, and few embedded digits."""
    few = gmlib.mnist("test")[:200]

    def train(recipe, seed):
        columns = ("critic_loss", "real_sigmoid", "fake_sigmoid", "generator_loss", "generator_steps", "validation_fid")
        rows = [{"epoch": i + 1} | dict.fromkeys(columns, 1.0 / (i + 1 + seed)) for i in range(recipe.epochs)]
        weights = torch.Generator().manual_seed(seed + int(recipe.hash[:8], 16))  # no two arms have the same
        networks = {name: network.eval() for name, network in recipe.build(weights).items()}
        return Run(recipe, networks, History(rows), {}, {"seconds": 10.0 + seed})

    for module in (gan, games):
        monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(dcgan, "seconds_an_epoch", lambda recipe, seed: 10.0 + seed + recipe.lr * 1e3)
    monkeypatch.setattr(games.recipes, "pretrained", lambda name: train(recipes.ALL[name], 0))
    monkeypatch.setattr(dcgan, "mnist", lambda split, source: gmlib.mnist(split))
    monkeypatch.setattr(gan, "SAMPLES", 200)
    monkeypatch.setattr(games, "PAIRS", 4)
    found = extract(few.grey(), shipped_classifier().features), few.labels, few.labels.bincount(minlength=10) / 200
    monkeypatch.setattr(gan, "validation_features", lambda: found)
    gan.judge.cache_clear()
    yield
    gan.judge.cache_clear()


@pytest.mark.parametrize("number", [*range(10, 21)])
def test_a_claim_about_games_says_what_it_found(untrained, number):
    evidence = CLAIMS[f"C{number}"]()
    assert evidence.id == f"C{number}"
    assert evidence.verdict in ("confirmed", "refuted", "depends")
    low, high = evidence.interval
    assert low <= evidence.effect <= high
    assert len(evidence.values) % evidence.seeds == 0
    assert evidence.seeds == 3
    assert "nan" not in f"{evidence.record()}"
    if number != 15:  # there, a share of all trials
        assert evidence.effect == pytest.approx(sum(evidence.values) / 3, abs=2e-4)
    json.dumps(evidence.record())
