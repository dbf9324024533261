"""The hash of a recipe is computed from fixed ids, not from names in the code."""

import hashlib
from dataclasses import fields, is_dataclass, make_dataclass, replace
from functools import partial

import pytest
import torch

from gmlib import recipes
from gmlib.errors import InputError
from gmlib.experiments.recipe import GANRecipe, VAERecipe
from gmlib.identity import PARTS, SETTINGS, identity
from gmlib.models import DCCritic, DCGenerator, MLPEncoder
from gmlib.objectives import (
    ELBO,
    IWAE,
    MINIMAX,
    NON_SATURATING,
    WASSERSTEIN_CLIPPED,
    WASSERSTEIN_PENALTY,
    Adversarial,
)

VAE = recipes.VAE
GAN = GANRecipe(name="gan", latent_dim=3, dropout=0.3, ema=0.9, lr=1e-3, batch_size=16, epochs=4, quick_epochs=3)
EVERY = [*recipes.ALL.values(), recipes.CLASSIFIER]


def parts(value: object) -> set[object]:
    """The functions and classes in a setting."""
    if isinstance(value, partial):
        return {value.func}
    if is_dataclass(value) and not isinstance(value, type):
        return {type(value), *(part for f in fields(value) for part in parts(getattr(value, f.name)))}
    return {value} if callable(value) else set()


@pytest.mark.parametrize("recipe", EVERY, ids=lambda recipe: recipe.name)
def test_every_setting_and_every_part_has_an_id(recipe):
    assert set(recipe.settings()) - {"epochs"} <= SETTINGS.keys()
    assert {part for value in recipe.settings().values() for part in parts(value)} <= PARTS.keys()
    for value in recipe.settings().values():
        if isinstance(value, partial):
            assert value.keywords.keys() <= SETTINGS.keys()
        if is_dataclass(value):
            assert {f.name for f in fields(value)} <= SETTINGS.keys()


def test_no_id_and_no_hash_occurs_twice():
    assert len(set(SETTINGS.values())) == len(SETTINGS)
    assert len(set(PARTS.values())) == len(PARTS)
    assert len({recipe.hash for recipe in EVERY}) == len(EVERY)


def test_the_hash_is_that_of_the_ids():
    plain = VAERecipe(hidden=3, latent_dim=2, lr=0.5, batch_size=4, epochs=1, quick_epochs=1)
    required = '{"batch size": 4, "hidden layers": 3, "latent size": 2, "learning rate": 0.5}'
    assert plain.hash == hashlib.sha256(required.encode()).hexdigest()
    text = required.replace("{", '{"batch norm": true, ', 1)
    assert replace(plain, batch_norm=True).hash == hashlib.sha256(text.encode()).hexdigest()
    assert identity(recipes.VAE_STRONG)["objective"] == {"importance-weighted bound": {}}
    assert identity(recipes.PIXEL_VAE)["objective"] == {"ELBO": {"KL warm-up": 0.1}}
    assert identity(recipes.WGAN)["objective"]["game of two networks"]["bound of the weights"] == 0.03
    assert identity(replace(VAE, encoder=partial(MLPEncoder, 3, width=4)))["encoder"] == {
        "MLP encoder": {"0": 3, "width": 4}
    }


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("recipe", [VAE, GAN], ids=["vae", "gan"])
def test_every_setting_but_the_length_changes_the_hash(recipe):
    def other(value):
        if isinstance(value, bool):
            return not value
        if isinstance(value, float):
            return value / 2 + 0.25
        return value * 2 + 1 if isinstance(value, int) else torch.nn.Identity

    special = {"critic_norm": "layer", "betas": (0.5, 0.999), "critic_lr": 1e-4, "critic_decay": True}
    changed = {
        name: replace(recipe, **{name: special.get(name, other(value))}) for name, value in recipe.settings().items()
    }
    assert recipe not in changed.values()
    assert len({each.hash for each in changed.values()} | {recipe.hash}) == len(changed)
    assert changed["epochs"].hash == recipe.hash
    described = replace(recipe, name="x", about="y", paper="z", quick_epochs=1)
    assert described == recipe
    assert described.hash == recipe.hash
    assert replace(GAN, ships_critic=False) == GAN


def test_objectives_and_networks_change_the_hash():
    games = [
        *(NON_SATURATING, MINIMAX, WASSERSTEIN_CLIPPED, WASSERSTEIN_PENALTY),
        *(replace(WASSERSTEIN_CLIPPED, clip=0.02), replace(WASSERSTEIN_PENALTY, weight=1.0)),
    ]
    hashes = [replace(GAN, objective=game).hash for game in games]
    hashes += [replace(GAN, **network).hash for network in ({"critic": DCCritic}, {"generator": DCGenerator})]
    assert (hashes[0], len(set(hashes))) == (GAN.hash, len(games) + 2)
    bounds = [ELBO(), ELBO(beta=2.0), ELBO(kl_warmup=0.5), ELBO(free_nats=2.5), IWAE(), IWAE(6)]
    hashes = [replace(VAE, objective=bound).hash for bound in bounds]
    assert (hashes[0], len(set(hashes))) == (VAE.hash, len(bounds))


def test_a_new_field_with_a_neutral_default_changes_no_hash(monkeypatch):
    grown = make_dataclass("Grown", [("dropout", float, 0.0)], bases=(VAERecipe,), frozen=True, kw_only=True)
    settings = {f.name: getattr(VAE, f.name) for f in fields(VAE)}
    assert grown(**settings).hash == VAE.hash
    assert grown(**settings, dropout=0.3).hash != VAE.hash
    newer = make_dataclass("Newer", [("smoothing", float, 0.0)], bases=(Adversarial,), frozen=True)
    monkeypatch.setitem(PARTS, newer, PARTS[Adversarial])
    game = newer(MINIMAX.critic, MINIMAX.generator)
    assert replace(GAN, objective=game).hash == replace(GAN, objective=MINIMAX).hash
    assert replace(GAN, objective=replace(game, smoothing=0.1)).hash != replace(GAN, objective=MINIMAX).hash


def test_a_name_in_the_code_is_not_in_the_hash():
    before = recipes.CONV_VAE.hash, recipes.PIXEL_VAE.hash, recipes.DCGAN.hash
    names = {part: (part.__name__, part.__qualname__) for part in PARTS if not part.__module__.startswith("torch")}
    try:
        for part in names:
            part.__name__ = part.__qualname__ = "Renamed"
        assert (recipes.CONV_VAE.hash, recipes.PIXEL_VAE.hash, recipes.DCGAN.hash) == before
    finally:
        for part, original in names.items():
            part.__name__, part.__qualname__ = original


def test_a_network_that_is_not_of_gmlib_goes_by_its_module_and_name():
    class Own(MLPEncoder):
        pass

    (name,) = found = identity(replace(VAE, encoder=partial(Own, heads=2)))["encoder"]
    assert name.startswith(f"{__name__}:")
    assert name.endswith("Own")
    assert found[name] == {"heads": 2}


def test_a_network_of_gmlib_without_an_id_is_refused(monkeypatch):
    monkeypatch.delitem(PARTS, MLPEncoder)
    with pytest.raises(InputError, match="PARTS"):
        identity(replace(VAE, encoder=partial(MLPEncoder)))
