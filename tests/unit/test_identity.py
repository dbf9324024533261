"""A hash is made of settings and their ids, not of names in the code."""

from dataclasses import fields, is_dataclass, replace
from functools import partial

import pytest

from gmlib import recipes
from gmlib.errors import InputError
from gmlib.identity import PARTS, SETTINGS, identity
from gmlib.models import MLPEncoder

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


def test_no_id_is_given_twice():
    assert len(set(SETTINGS.values())) == len(SETTINGS)
    assert len(set(PARTS.values())) == len(PARTS)


def test_an_objective_is_named_by_the_id_of_its_class():
    assert identity(recipes.VAE_STRONG)["objective"] == {"importance-weighted bound": {}}
    assert identity(recipes.PIXEL_VAE)["objective"] == {"ELBO": {"KL warm-up": 0.1}}
    assert identity(recipes.WGAN)["objective"]["game of two networks"]["bound of the weights"] == 0.03


def test_recipes_with_other_settings_have_other_hashes():
    assert len({recipe.hash for recipe in EVERY}) == len(EVERY)
    assert replace(recipes.VAE, latent_dim=3).hash != recipes.VAE.hash
    assert replace(recipes.VAE, name="other", about="described anew").hash == recipes.VAE.hash


def test_a_name_in_the_code_is_not_in_the_hash():
    before = recipes.CONV_VAE.hash, recipes.PIXEL_VAE.hash, recipes.DCGAN.hash
    names = {part: (part.__name__, part.__qualname__) for part in PARTS if not part.__module__.startswith("torch")}
    try:
        for part in names:
            part.__name__ = part.__qualname__ = "Renamed"
        assert (recipes.CONV_VAE.hash, recipes.PIXEL_VAE.hash, recipes.DCGAN.hash) == before
    finally:
        for part, own in names.items():
            part.__name__, part.__qualname__ = own


def test_a_readers_own_network_goes_by_its_module_and_name():
    class Own(MLPEncoder):
        pass

    found = identity(replace(recipes.VAE, encoder=partial(Own, heads=2)))["encoder"]
    (name,) = found
    assert name.startswith(f"{__name__}:")
    assert name.endswith("Own")
    assert found[name] == {"heads": 2}


def test_a_part_of_gmlib_without_an_id_is_refused(monkeypatch):
    monkeypatch.delitem(PARTS, MLPEncoder)
    with pytest.raises(InputError, match="PARTS"):
        identity(replace(recipes.VAE, encoder=partial(MLPEncoder)))
