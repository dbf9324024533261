"""A hash names settings, whatever they are called in the code; and what gmlib 1.0 wrote is read."""

import json
import shutil
from dataclasses import fields, is_dataclass, replace
from functools import partial

import pytest
from torch import nn

from gmlib import recipes, zoo
from gmlib.errors import InputError
from gmlib.identity import PARTS, SETTINGS, identity
from gmlib.models import MLPEncoder
from gmlib.restamped import current_hash
from gmlib.training.state import pack, unpack
from tests.unit.training.test_state import start

EVERY = [*recipes.ALL.values(), recipes.CLASSIFIER]
OLD_PIXEL_CNN = "410507143c540e9957266d8f21c87201b444c473c50ded35376c65ced347fab5"
OLD = "ac127c0ea955e9e842ad2b53a1d16de8a0cdfb78e95620ad6d7e840c07eb3af8"  # of vae in gmlib 1.0


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


def test_a_run_of_1_0_is_read(tmp_path):
    for kind in ("json", "safetensors"):
        shutil.copy(zoo.WEIGHTS / f"vae.{kind}", tmp_path)
    path = tmp_path / "vae.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"recipe_hash": OLD}))
    assert current_hash(OLD) == recipes.VAE.hash != OLD
    assert isinstance(zoo.load_run(tmp_path, "vae").model, nn.Module)
    path.write_text(json.dumps(record | {"recipe_hash": "0" * 64}))
    with pytest.raises(InputError, match="earlier recipe"):
        zoo.load_run(tmp_path, "vae")


def test_a_pixelcnn_of_1_0_is_refused(tmp_path):
    """Its tensors had other names."""
    for kind in ("json", "safetensors"):
        shutil.copy(zoo.WEIGHTS / f"pixel_cnn.{kind}", tmp_path)
    path = tmp_path / "pixel_cnn.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"recipe_hash": OLD_PIXEL_CNN}))
    with pytest.raises(InputError, match=r"is of an earlier recipe pixel_cnn .* train it again"):
        zoo.load_run(tmp_path, "pixel_cnn")


def test_a_checkpoint_of_1_0_is_read(made_up):
    about = {"recipe": "vae", "recipe_hash": recipes.VAE.hash}
    content = pack(start(made_up), about | {"recipe_hash": OLD})
    state = start(made_up)
    state.step = 5
    unpack(content, state, about)
    assert state.step == 0
    with pytest.raises(InputError, match="recipe_hash"):
        unpack(content, state, about | {"recipe_hash": recipes.VAE_NO_BN.hash})
