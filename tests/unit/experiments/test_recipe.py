"""Recipes as data: which settings they take, what changes their hash, and the networks that they build."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
import torch

from gmlib import recipes
from gmlib.experiments.recipe import GANRecipe
from gmlib.experiments.run import networks_of
from gmlib.identity import PARTS
from gmlib.models import DCCritic, DCGenerator, MLPCritic
from gmlib.objectives import ELBO, IWAE, MINIMAX, NON_SATURATING, WASSERSTEIN_CLIPPED, WASSERSTEIN_PENALTY, Adversarial

pytestmark = pytest.mark.usefixtures("unchecked")

GAN = GANRecipe(name="gan", latent_dim=3, dropout=0.3, ema=0.9, lr=1e-3, batch_size=16, epochs=4, quick_epochs=3)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("lr", np.float64(1e-3), 1e-3),
        ("lr", 1, 1.0),
        ("hidden", np.int64(400), 400),
        ("hidden", [4, np.int32(5)], (4, 5)),
        ("betas", (0, np.float32(0.5)), (0.0, 0.5)),
        ("betas", None, None),
        ("finer_samples", 0, 0),
    ],
)
def test_a_setting_is_the_python_number_that_it_equals(name, given, expected):
    parent = recipes.GAN if name == "betas" else recipes.VAE
    ours, theirs = replace(parent, **{name: given}), replace(parent, **{name: expected})
    assert ours == theirs
    assert ours.hash == theirs.hash
    assert repr(getattr(ours, name)) == repr(expected)


@pytest.mark.parametrize(
    ("parent", "name", "value"),
    [
        *(("vae", "lr", value) for value in (float("nan"), float("inf"), -1e-3, None, "1e-3")),
        *(("vae", "batch_size", value) for value in (0, 2.5, None)),
        *(("vae", "latent_dim", -1), ("vae", "ema", 1.0), ("vae", "finer_samples", -1), ("vae", "epochs", 0)),
        *(("vae", "hidden", value) for value in (0, (), (4, 0))),
        *(("gan", "dropout", 1.0), ("gan", "betas", (0.5, 1.0)), ("gan", "critic_lr", -1)),
    ],
    ids=repr,
)
def test_a_number_outside_its_range_is_refused(refused, parent, name, value):
    with refused(f"got {name} "):
        replace(recipes.ALL[parent], **{name: value})


def test_every_setting_of_a_gan_changes_its_hash_and_what_ships_does_not():
    changed = {
        **{"latent_dim": 4, "critic": DCCritic, "objective": MINIMAX, "betas": (0.5, 0.999), "conditional": True},
        **{"batch_norm": True, "critic_norm": "layer", "dropout": 0.2, "n_critic": 5, "n_generator": 2},
        **{"generator": DCGenerator, "optimiser": torch.optim.AdamW, "warmup": True, "pack": 2, "stack": 3},
        **{"decay": True, "ema": 0.0, "lr": 2e-3, "batch_size": 32, "critic_lr": 1e-4},
    }
    hashes = {replace(GAN, **{name: value}).hash for name, value in changed.items()}
    assert len(hashes - {GAN.hash}) == len(changed)
    assert replace(GAN, ships_critic=False, quick_epochs=1) == GAN
    assert replace(GAN, ships_critic=False, quick_epochs=1, epochs=5).hash == GAN.hash  # the length belongs to a run


def test_objectives_change_the_hash():
    games = [
        *(NON_SATURATING, MINIMAX, WASSERSTEIN_CLIPPED, WASSERSTEIN_PENALTY),
        *(replace(WASSERSTEIN_CLIPPED, clip=0.02), replace(WASSERSTEIN_PENALTY, weight=1.0)),
    ]
    hashes = [replace(GAN, objective=game).hash for game in games]
    assert (hashes[0], len(set(hashes))) == (GAN.hash, len(games))
    bounds = [ELBO(), ELBO(beta=2.0), ELBO(kl_warmup=0.5), ELBO(free_nats=2.5), IWAE(), IWAE(6)]
    hashes = [replace(recipes.VAE, objective=bound).hash for bound in bounds]
    assert (hashes[0], len(set(hashes))) == (recipes.VAE.hash, len(bounds))


def test_a_new_field_of_an_objective_with_a_neutral_default_changes_no_hash(monkeypatch):
    @dataclass(frozen=True)
    class Newer(Adversarial):
        smoothing: float = 0.0

    monkeypatch.setitem(PARTS, Newer, PARTS[Adversarial])
    newer = Newer(MINIMAX.critic, MINIMAX.generator)
    assert replace(GAN, objective=newer).hash == replace(GAN, objective=MINIMAX).hash
    assert replace(GAN, objective=replace(newer, smoothing=0.1)).hash != replace(GAN, objective=MINIMAX).hash


def test_a_recipe_builds_the_networks_of_its_settings():
    recipe = replace(GAN, batch_norm=True, critic_norm="batch", pack=2, latent_dim=7)
    generator, critic = networks_of(recipe.build()).values()

    def norms(network):
        return sum(isinstance(part, torch.nn.BatchNorm1d) for part in network.modules())

    assert (generator.latent_dim, critic.channels, norms(generator), norms(critic)) == (7, 2, 3, 3)
    generator, critic = networks_of(replace(GAN, conditional=True).build(num_classes=26)).values()
    assert (generator.num_classes, critic.num_classes, norms(generator), norms(critic)) == (26, 26, 0, 0)
    assert isinstance(critic, MLPCritic)
    assert [part.p for part in critic.modules() if isinstance(part, torch.nn.Dropout)] == [0.3] * 3
    assert not any(isinstance(part, torch.nn.Dropout) for part in replace(GAN, dropout=0.0).build().critic.modules())
    wide = replace(GAN, stack=3, generator=partial(DCGenerator, width=8)).build()
    assert wide.generator(torch.zeros(2, 3)).shape == (2, 3, 28, 28)
    assert wide.critic.channels == 3


def test_the_generator_fixes_the_first_weights():
    def first(seed: int | None) -> torch.Tensor:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return next(GAN.build(generator).parameters())

    before = torch.get_rng_state()
    assert torch.equal(first(1), first(1))
    assert torch.equal(first(None), first(None))
    assert not torch.equal(first(1), first(2))
    assert torch.equal(torch.get_rng_state(), before)


def test_lengths_of_the_profiles(refused):
    assert (GAN.length("quick"), GAN.length("full")) == (3, 4)
    with refused("got profile 'quikc'", "did you mean 'quick'"):
        GAN.length("quikc")
