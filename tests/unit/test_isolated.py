"""What trains in one thread takes no random numbers from the others and gives them none, whatever torch's defaults are."""

import threading
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, nn

from gmlib import recipes
from gmlib.experiments.fit import fit_profile, training_loop
from gmlib.experiments.run import Run
from gmlib.isolated import Isolated, may_draw
from gmlib.models import GatedPixelCNN, MLPCritic, MLPGenerator
from gmlib.seeds import stream
from gmlib.training import State

SMALL: dict = {"generator": partial(MLPGenerator, hidden=(16, 32)), "critic": partial(MLPCritic, hidden=(32, 16))}
GAN = replace(recipes.GAN, batch_size=16, quick_epochs=2, **SMALL)  # with dropout
VAE = replace(recipes.VAE, batch_size=16, quick_epochs=2)


class NoisyCritic(MLPCritic):
    """A student's own: noise on the images, dropout by a function, and no generator anywhere."""

    def forward(self, x, y=None):
        x = (x + 0.1 * torch.randn_like(x) * torch.rand(len(x), 1, 1, 1)).clamp(0, 1)
        return super().forward(F.dropout(x, 0.2, self.training).clamp(0, 1), y)


OWN = replace(GAN, critic=partial(NoisyCritic, hidden=(32, 16)))


def same(a: Run, b: Run) -> bool:
    one, other = a.model.state_dict(), b.model.state_dict()
    return a.history == b.history and all(torch.equal(one[key], other[key]) for key in one)


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
    "dropout of all": lambda: F.dropout(X, 1.0),
    "dropout in eval mode": lambda: F.dropout(X, 0.5, training=False),
    "channels": lambda: nn.Dropout2d(0.5)(X),
    "rrelu": lambda: F.rrelu(-X, training=True),
    "alpha dropout": lambda: nn.AlphaDropout(0.5)(X),
}


@pytest.mark.parametrize("name", DRAWS)
def test_the_numbers_are_those_of_the_global_generator_and_it_is_left_alone(name):
    torch.manual_seed(5)
    expected = [DRAWS[name]() for _ in range(2)]
    before = torch.manual_seed(7).get_state()
    generator = Generator().manual_seed(5)
    with Isolated(generator):
        found = [DRAWS[name]() for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), before)
    if name not in ("rrelu", "alpha dropout"):  # torch lets them draw from the global generator alone
        assert [torch.equal(a, b) for a, b in zip(found, expected, strict=True)] == [True, True]
    with Isolated(Generator().manual_seed(5)):
        again = [DRAWS[name]() for _ in range(2)]
    assert [torch.equal(a, b) for a, b in zip(found, again, strict=True)] == [True, True]
    fixed = name in ("dropout of all", "dropout in eval mode")
    assert torch.equal(found[0], found[1]) == fixed


def test_a_mask_of_dropout_does_not_depend_on_the_memory_format():
    with Isolated(Generator().manual_seed(1)):
        plain = F.dropout(X, 0.5)
    with Isolated(Generator().manual_seed(1)):
        other = F.dropout(X.to(memory_format=torch.channels_last), 0.5)
    assert torch.equal(plain, other)


def test_the_defaults_of_torch_do_not_reach_it():
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
    """As they were when recipes were trained whose weights are shipped."""
    for recipe in (GAN, VAE, recipes.DCGAN, recipes.CONV_VAE_DECONV):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            expected = recipe.model(10).state_dict()
        found = recipe.build().state_dict()
        assert all(torch.equal(found[key], value) for key, value in expected.items())


def test_what_may_draw():
    assert may_draw(MLPCritic())
    assert not may_draw(MLPCritic(dropout=0.0))
    assert may_draw(NoisyCritic(dropout=0.0))  # a caller's own class may do anything
    assert may_draw(GatedPixelCNN(0, channels=2, layers=1, dropout=0.1))
    assert not may_draw(GatedPixelCNN(0, channels=2, layers=1))
    assert may_draw(nn.Sequential(nn.LSTM(2, 2, 2, dropout=0.1)))
    assert may_draw(nn.RReLU())
    assert not may_draw(recipes.DCGAN.build())


class Elsewhere:
    """Code of a reader that draws and seeds while something trains in a thread."""

    def __init__(self) -> None:
        self.expected = self.draw()
        self.differ = 0

    @staticmethod
    def draw() -> list[torch.Tensor]:
        torch.manual_seed(11)
        return [torch.rand(3), torch.randn(20), F.dropout(torch.ones(9), 0.5), nn.Linear(3, 3).weight.detach()]

    def until_done(self, thread: threading.Thread) -> None:
        while thread.is_alive():
            self.differ += not all(torch.equal(a, b) for a, b in zip(self.draw(), self.expected, strict=True))


@pytest.mark.parametrize(
    "recipe",
    [GAN, VAE, OWN, replace(recipes.CLASSIFIER, batch_size=16, quick_epochs=2)],
    ids=["gan", "vae", "own critic", "classifier"],
)
def test_a_run_in_a_thread_and_the_code_beside_it_leave_each_other_alone(few_digits, recipe):
    expected, found = fit_profile(recipe, seed=3), []
    assert same(expected, fit_profile(recipe, seed=3))
    assert not same(expected, fit_profile(recipe, seed=4))
    thread = threading.Thread(target=lambda: found.append(fit_profile(recipe, seed=3)))
    elsewhere = Elsewhere()
    thread.start()
    elsewhere.until_done(thread)
    assert same(found[0], expected)
    assert elsewhere.differ == 0


@pytest.mark.parametrize("recipe", [GAN, OWN], ids=["gan", "own critic"])
def test_a_callback_that_draws_changes_nothing_and_sees_the_global_generator(few_digits, recipe):
    drawn = []
    torch.manual_seed(9)
    run = fit_profile(
        recipe, seed=3, on_step=lambda _: drawn.append(torch.rand(1).item()), on_epoch=lambda _: torch.rand(5)
    )
    assert same(run, fit_profile(recipe, seed=3))
    torch.manual_seed(9)
    assert drawn[:4] == [torch.rand(1).item() for _ in range(4)]  # the first epoch has four steps


def test_runs_of_the_kind_of_their_time_write_the_same_checkpoint(few_digits):
    """Where nothing drops out, too: an older gmlib reads what this one writes."""
    states = []
    fit_profile(VAE, seed=3, on_step=lambda state: states.append(state.state_dict()["global_generator"]))
    with torch.random.fork_rng():
        torch.manual_seed(stream(3, "dropout").initial_seed())
        assert torch.equal(states[-1], torch.get_rng_state())


def test_a_state_without_a_generator_for_dropout_keeps_the_global_one(few_digits):
    state: State = training_loop(GAN, GAN.build(), few_digits, 0)(epochs=0)
    assert state.dropout is None
    assert torch.equal(state.state_dict()["global_generator"], torch.get_rng_state())


def test_a_loop_of_a_callers_own_is_isolated_too(few_digits):
    """The objective's own penalty draws without a generator."""

    def penalty(critic, x, fake, y, eps):
        return (critic(x + torch.rand_like(x) * 0, y) - critic(x.roll(int(torch.randint(5, ()))), y)) ** 2

    objective = replace(recipes.WASSERSTEIN_PENALTY, penalty=penalty)
    recipe = replace(GAN, dropout=0.0, objective=objective)
    torch.manual_seed(1)
    first = fit_profile(recipe, seed=3)
    torch.manual_seed(2)
    assert same(first, fit_profile(recipe, seed=3))
