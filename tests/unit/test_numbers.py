"""A number of numpy or torch is the Python number that it equals, or it is refused."""

import hashlib
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from gmlib import recipes
from gmlib.experiments.fit import fit_profile
from gmlib.models import DCGenerator
from gmlib.numbers import count_of, whole
from gmlib.objectives import ELBO, IWAE, WASSERSTEIN_CLIPPED
from gmlib.seeds import require_device, require_seed, stream, substream

pytestmark = pytest.mark.usefixtures("unchecked")

SHORT = replace(recipes.VAE, batch_size=16, quick_epochs=1)
THREES = [np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)]


@pytest.mark.parametrize("three", THREES, ids=repr)
def test_a_seed_is_the_python_number_that_it_equals(few_digits, three):
    assert type(require_seed(three)) is int
    assert stream(three, "a").initial_seed() == stream(3, "a").initial_seed()
    assert torch.equal(few_digits.binarised(three), few_digits.binarised(3))
    run, expected = fit_profile(SHORT, "quick", three), fit_profile(SHORT, "quick", 3)
    assert run.history == expected.history
    assert json.dumps(run.about["seed"]) == "3"


@pytest.mark.parametrize(
    "seed", [3.5, np.float64(3), True, np.True_, torch.tensor(True), "3", None, [3], np.array([3]), -1, 2**31], ids=repr
)
def test_what_is_no_seed(few_digits, refused, seed):
    for call in (partial(stream, seed, "a"), partial(few_digits.binarised, seed)):
        with refused(f"got seed {seed!r}"):
            call()


def test_each_purpose_has_its_own_stream():
    digest = hashlib.sha256(b"latents 3").digest()  # shipped runs were trained on these numbers
    assert stream(3, "latents").initial_seed() == int.from_bytes(digest[:8], "big") // 2
    assert len({substream(seed, purpose) for seed in (0, 2**31 - 1) for purpose in ("latents", "order")}) == 4
    require_device(stream(0, "a"), torch.device("cpu"))
    require_device(None, torch.device("cuda"))


def test_a_generator_on_another_device(refused):
    with refused("on cpu for tensors on cuda"):
        require_device(stream(0, "a"), torch.device("cuda"))


@pytest.mark.parametrize("value", [3.0, np.float64(3), True, np.True_, "3", None, [3], np.array([3]), -1], ids=repr)
def test_what_is_no_count(refused, value):
    assert [count_of("n", three) for three in THREES] == [3] * 4
    assert count_of("n", 0, least=0) == 0
    assert whole(value) == (-1 if value == -1 else None)
    for least in (0, 1):
        with refused(f"got n {value!r}", f"at least {least}"):
            count_of("n", value, least)
    with refused("at least 1"):
        count_of("n", 0)


EQUAL = {
    "lr": (np.float64(1e-3), 1e-3),
    "hidden": (np.int64(400), 400),
    "latent_dim": (torch.tensor(5), 5),
    "batch_norm": (np.False_, False),
    "decay": (0, False),
}


@pytest.mark.parametrize("name", EQUAL)
def test_a_setting_is_the_python_number_that_it_equals(name):
    given, expected = (replace(recipes.VAE, **{name: value}) for value in EQUAL[name])
    assert given == expected
    assert given.hash == expected.hash != recipes.VAE.hash
    assert type(given.settings()[name]) is type(EQUAL[name][1])


def test_a_float32_is_the_number_that_it_equals_and_not_the_one_that_was_meant():
    given = replace(recipes.VAE, lr=np.float32(1e-3))
    assert given.hash == replace(recipes.VAE, lr=0.0010000000474974513).hash != replace(recipes.VAE, lr=1e-3).hash


def test_numbers_within_settings_are_pythons_too():
    sizes = [replace(recipes.VAE, hidden=hidden) for hidden in ((4, 5), [4, 5], (np.int64(4), np.int32(5)))]
    assert len({recipe.hash for recipe in sizes}) == len(set(sizes)) == 1
    betas = [replace(recipes.GAN, betas=betas).hash for betas in ((0.5, 0.25), (np.float32(0.5), np.float64(0.25)))]
    widths = [replace(recipes.DCGAN, generator=partial(DCGenerator, width=w)).hash for w in (8, np.int64(8))]
    clips = [replace(WASSERSTEIN_CLIPPED, clip=clip) for clip in (0.5, np.float32(0.5))]
    games = [replace(recipes.WGAN, objective=game).hash for game in clips]
    bounds = [replace(recipes.VAE, objective=ELBO(beta=beta)) for beta in (10, np.int64(10), 10.0)]
    assert [type(recipe.objective.beta) for recipe in bounds] == [float] * 3
    draws = [replace(recipes.VAE, objective=IWAE(k)).hash for k in (4, np.int64(4))]
    per_layer = [replace(WASSERSTEIN_CLIPPED, clip=clip) for clip in ((0.5, 1.0), (np.float32(0.5), 1))]
    layers = [replace(recipes.WGAN, objective=game).hash for game in per_layer]
    for pair in (betas, widths, games, [recipe.hash for recipe in bounds], draws, layers):
        assert len(set(pair)) == 1
    assert replace(recipes.DCGAN, about="x").generator is recipes.DCGAN.generator  # partials compare by what they are


WRONG = [
    *[("lr", value) for value in (float("nan"), float("inf"), -1e-3, None, "1e-3", True, 1j)],
    *[("batch_size", value) for value in (0, 2.5, 16.0, None, True)],
    *[
        ("epochs", 0),
        ("quick_epochs", 0),
        ("quick_epochs", 2.5),
        ("latent_dim", 2.0),
        ("conditional", 10),
    ],
    *[("objective", None), ("objective", 3), ("encoder", "MLP"), ("ema", 1.0)],
    *[("hidden", 0), ("hidden", 4.0), ("hidden", ()), ("hidden", (4, 0)), ("hidden", np.array([4, 5]))],
    *[("batch_norm", "yes"), ("likelihood_samples", 0)],
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=repr)
def test_what_is_no_setting_is_refused(refused, name, value):
    with refused(f"got {name} "):
        replace(recipes.VAE, **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("dropout", 1.0), ("n_critic", 1.5), ("betas", (0.5, 1.0)), ("critic_lr", -1), ("pack", 0), ("critic_norm", True)],
)
def test_what_is_no_setting_of_a_game_is_refused(refused, name, value):
    with refused(f"got {name} "):
        replace(recipes.GAN, **{name: value})
