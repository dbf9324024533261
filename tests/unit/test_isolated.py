"""A run in one thread and code in another do not change each other's random numbers, for any defaults of torch."""

import threading
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, nn

from gmlib import recipes
from gmlib.experiments.fit import fit_profile
from gmlib.experiments.run import Run
from gmlib.isolated import Isolated, may_draw
from gmlib.models import GatedPixelCNN, MLPCritic, MLPGenerator
from tests.unit.training.common import weights

SMALL: dict = {"generator": partial(MLPGenerator, hidden=(16, 32)), "critic": partial(MLPCritic, hidden=(32, 16))}
GAN = replace(recipes.GAN, batch_size=16, quick_epochs=2, **SMALL)  # with dropout
VAE = replace(recipes.VAE, batch_size=16, quick_epochs=2)


class NoisyCritic(MLPCritic):
    """A critic of a reader's own: noise on the images, dropout by a function, and no generator as an argument."""

    def forward(self, x, y=None):
        x = (x + 0.1 * torch.randn_like(x) * torch.rand(len(x), 1, 1, 1)).clamp(0, 1)
        return super().forward(F.dropout(x, 0.2, self.training).clamp(0, 1), y)


NOISY_GAN = replace(GAN, critic=partial(NoisyCritic, hidden=(32, 16)))


def same(a: Run, b: Run) -> bool:
    return a.history == b.history and torch.equal(weights(a.model), weights(b.model))


X = torch.arange(1.0, 241.0).view(4, 3, 4, 5)
DRAWS = {
    "rand": lambda: torch.rand(3, 5),
    "randn": lambda: torch.randn(40),
    "randn_like": lambda: torch.randn_like(X),
    "rand_like": lambda: torch.rand_like(X, dtype=torch.float64),
    "randint": lambda: torch.randint(10, (7,)),
    "randperm": lambda: torch.randperm(9),
    "bernoulli": lambda: torch.bernoulli(torch.full((20,), 0.3)),
    "multinomial": lambda: torch.multinomial(torch.ones(5), 9, replacement=True),
    "normal": lambda: torch.distributions.Normal(0.0, 1.0).sample((6,)),
    "in place": lambda: torch.empty(30).exponential_(),
    "layer": lambda: nn.Linear(5, 4).weight,
    "orthogonal": lambda: nn.init.orthogonal_(torch.empty(4, 4)),
    "dropout": lambda: F.dropout(X, 0.3),
    "dropout, module": lambda: nn.Dropout(0.7)(X),
    "dropout, in place": lambda: F.dropout(X.clone(), 0.3, inplace=True),
    "dropout of everything": lambda: F.dropout(X, 1.0),
    "dropout in eval mode": lambda: F.dropout(X, 0.5, training=False),
    "channels": lambda: nn.Dropout2d(0.5)(X),
    "rrelu": lambda: F.rrelu(-X, training=True),
    "alpha dropout": lambda: nn.AlphaDropout(0.5)(X),
}


def isolated(name: str) -> list[torch.Tensor]:
    with Isolated(Generator().manual_seed(5)):
        return [DRAWS[name]() for _ in range(2)]


@pytest.mark.parametrize("name", DRAWS)
def test_draws_equal_those_of_the_global_generator_which_does_not_change(name):
    torch.manual_seed(5)
    expected = [DRAWS[name]() for _ in range(2)]
    before = torch.manual_seed(7).get_state()
    first, second = isolated(name)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(map(torch.equal, (first, second), isolated(name)))
    if name not in ("rrelu", "alpha dropout"):  # these functions take no generator
        assert all(map(torch.equal, (first, second), expected))
    assert torch.equal(first, second) == (name in ("dropout of everything", "dropout in eval mode"))


def test_a_mask_of_dropout_does_not_depend_on_the_memory_format():
    with Isolated(Generator().manual_seed(1)):
        plain = F.dropout(X, 0.5)
    with Isolated(Generator().manual_seed(1)):
        other = F.dropout(X.to(memory_format=torch.channels_last), 0.5)
    assert torch.equal(plain, other)


def test_the_defaults_of_torch_have_no_effect():
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        with Isolated(Generator(device="cpu")):
            made = [torch.zeros(2), torch.randn(3), nn.Linear(2, 2).weight, torch.tensor([1, 2]), torch.arange(3)]
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device("cpu")
    assert {each.device.type for each in made} == {"cpu"}
    assert [each.dtype for each in made] == [torch.float32] * 3 + [torch.int64] * 2


def test_initial_weights_are_those_of_the_global_generator():
    """The shipped runs started from these weights."""
    for recipe in (GAN, VAE, recipes.DCGAN, recipes.CONV_VAE_DECONV):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            expected = recipe.model(10).state_dict()
        found = recipe.build().state_dict()
        assert all(torch.equal(found[key], value) for key, value in expected.items())


def test_networks_that_may_draw():
    assert may_draw(MLPCritic())
    assert not may_draw(MLPCritic(dropout=0.0))
    assert may_draw(NoisyCritic(dropout=0.0))  # a class of another package may do anything
    assert may_draw(GatedPixelCNN(0, channels=2, layers=1, dropout=0.1))
    assert not may_draw(GatedPixelCNN(0, channels=2, layers=1))
    assert may_draw(nn.Sequential(nn.LSTM(2, 2, 2, dropout=0.1)))
    assert may_draw(nn.RReLU())
    assert not may_draw(recipes.DCGAN.build())


def draw_and_seed() -> list[torch.Tensor]:
    """Return numbers that depend on torch's global generator, as code of a reader may do."""
    torch.manual_seed(11)
    return [torch.rand(3), torch.randn(20), F.dropout(torch.ones(9), 0.5), nn.Linear(3, 3).weight.detach()]


@pytest.mark.parametrize("recipe", [VAE, NOISY_GAN], ids=["vae", "noisy gan"])
def test_a_run_in_a_thread_and_other_code_do_not_change_each_other(few_digits, recipe):
    expected, numbers, runs = fit_profile(recipe, seed=3), draw_and_seed(), []
    assert not same(expected, fit_profile(recipe, seed=4))
    thread = threading.Thread(target=lambda: runs.append(fit_profile(recipe, seed=3)))
    thread.start()
    while thread.is_alive():
        assert all(map(torch.equal, draw_and_seed(), numbers))
    assert same(runs[0], expected)


def test_callbacks_draw_from_the_global_generator_and_do_not_change_the_run(few_digits):
    drawn = []
    torch.manual_seed(9)
    run = fit_profile(
        NOISY_GAN, seed=3, on_step=lambda _: drawn.append(torch.rand(1).item()), on_epoch=lambda _: torch.rand(5)
    )
    assert same(run, fit_profile(NOISY_GAN, seed=3))
    torch.manual_seed(9)
    assert drawn[:4] == [torch.rand(1).item() for _ in range(4)]  # the first epoch has four steps


def test_an_objective_that_draws_without_a_generator_is_isolated_too(few_digits):
    def penalty(critic, x, fake, y, eps):
        return (critic(x + torch.rand_like(x) * 0, y) - critic(x.roll(int(torch.randint(5, ()))), y)) ** 2

    recipe = replace(GAN, dropout=0.0, objective=replace(recipes.WASSERSTEIN_PENALTY, penalty=penalty))
    torch.manual_seed(1)
    first = fit_profile(recipe, seed=3)
    torch.manual_seed(2)
    assert same(first, fit_profile(recipe, seed=3))


def test_dropout1d_of_an_input_without_a_batch_draws_from_the_generator_of_the_block():
    before, kept = torch.get_rng_state(), []
    for seed in (1, 1, 2):
        with Isolated(torch.Generator().manual_seed(seed)):
            kept.append(F.dropout1d(torch.ones(12, 5), 0.5, training=True))
    assert torch.equal(kept[0], kept[1])
    assert not torch.equal(kept[0], kept[2])
    assert torch.equal(torch.get_rng_state(), before)
