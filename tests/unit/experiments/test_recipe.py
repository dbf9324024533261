"""Recipes as data: their numbers, and the networks that they build."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from gmlib import recipes
from gmlib.experiments.recipe import GANRecipe
from gmlib.models import DCGenerator, MLPCritic

pytestmark = pytest.mark.usefixtures("unchecked")  # gmlib's own check, not that of jaxtyping

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


def test_a_recipe_builds_the_networks_of_its_settings(refused):
    model = replace(GAN, batch_norm=True, critic_norm="batch", pack=2, latent_dim=7).build()

    def norms(network):
        return sum(isinstance(module, torch.nn.BatchNorm1d) for module in network.modules())

    assert (model.generator.latent_dim, model.critic.channels) == (7, 2)
    assert (norms(model.generator), norms(model.critic)) == (3, 3)
    model = replace(GAN, conditional=True).build(num_classes=26)
    assert (model.generator.num_classes, model.critic.num_classes) == (26, 26)
    assert (norms(model.generator), norms(model.critic)) == (0, 0)
    assert isinstance(model.critic, MLPCritic)
    assert [module.p for module in model.critic.modules() if isinstance(module, torch.nn.Dropout)] == [0.3] * 3
    stacked = replace(GAN, stack=3, generator=partial(DCGenerator, width=8)).build()
    assert stacked.generator(torch.zeros(2, 3)).shape == (2, 3, 28, 28)
    assert stacked.critic.channels == 3
    for several in ({"stack": 3}, {"pack": 2}):
        with refused("no label"):
            replace(GAN, conditional=True, **several).build()


@pytest.mark.parametrize("recipe", [recipes.VAE, recipes.PIXEL_VAE, recipes.CDCGAN], ids=lambda recipe: recipe.name)
def test_initial_weights_depend_only_on_the_generator(recipe):
    def weights(seed: int | None) -> torch.Tensor:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        return torch.cat([parameter.flatten() for parameter in recipe.build(generator).parameters()])

    before = torch.get_rng_state()
    first = weights(5)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(first, weights(5))
    assert not torch.equal(first, weights(6))
    assert torch.equal(weights(None), weights(None))


def test_the_number_of_epochs_of_a_profile(refused):
    assert (GAN.length("quick"), GAN.length("full")) == (3, 4)
    with refused("got profile 'quikc'", "did you mean 'quick'"):
        GAN.length("quikc")
