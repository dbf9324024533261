"""What gmlib ships: each run belongs to its recipe as it is, and its ELBO and FID come out again."""

import pytest
import torch

from gmlib import recipes, zoo
from gmlib.experiments.evaluate import evaluate_digits
from gmlib.experiments.run import networks_of, read_run
from gmlib.metrics import fid
from gmlib.models import VAE
from gmlib.models.pixelvae import PixelDecoder

SHIPPED = zoo.shipped()


def test_nothing_else_lies_beside_the_shipped_runs():
    assert {path.name for path in zoo.WEIGHTS.iterdir()} == {f"{name}.safetensors" for name in SHIPPED}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_record_is_of_the_recipe_as_it_is(name):
    run = zoo.pretrained(name)
    assert {"recipe", "recipe_hash", "seed", "data", "device", "seconds", "versions"} <= set(run.record)
    assert (run.record["recipe"], run.record["recipe_hash"]) == (name, recipes.by_name(name).hash)
    assert run.record["data"] == "mnist/train"
    assert run.history.column("epoch") == list(range(1, recipes.by_name(name).epochs + 1))
    assert (run.metrics["n"], run.metrics["mnist5k_n"]) == (10_000, 500)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_parameters_are_half_and_buffers_as_they_were(name):
    recipe = recipes.by_name(name)
    networks = {key: network for key, network in networks_of(recipe.build()).items() if recipe.keeps(key)}
    parameters = {f"{key}.{part}" for key, network in networks.items() for part, _ in network.named_parameters()}
    whole = {
        f"{key}.{part}": value for key, network in networks.items() for part, value in network.state_dict().items()
    }
    _, found = read_run(zoo.WEIGHTS / f"{name}.safetensors")
    assert found.keys() == whole.keys()
    for key, value in found.items():
        assert value.shape == whole[key].shape
        assert value.dtype == (torch.float16 if key in parameters else whole[key].dtype), key
        assert value.isfinite().all(), key


def agree(found: dict[str, float], record: dict[str, float]) -> None:
    """To a hundredth; FID and KID, which grow to hundreds, to 0.2 %."""
    far = {
        name: (value, record[name])
        for name, value in found.items()
        if abs(value - record[name]) > max(0.01, 0.002 * abs(record[name]) * name.endswith(("fid", "kid")))
    }
    assert far == {}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_elbo_and_fid_of_a_shipped_run_come_out_again(name, monkeypatch):
    """On the embedded digits; of pixel models the ELBO alone. `make test-release` measures everything."""
    run = zoo.pretrained(name)
    if name == "classifier":
        agree(evaluate_digits(run.recipe, run.model), run.metrics)
        return
    monkeypatch.setattr("gmlib.metrics.models.measure_samples", lambda x, real, *_, **__: {"fid": fid(x, real)})
    monkeypatch.setattr("gmlib.metrics.models._measure_likelihood", lambda *_: {})
    monkeypatch.setattr("gmlib.metrics.models.STACKS", 500)
    if isinstance(getattr(run.model, "decoder", None), PixelDecoder):  # drawing 500 images takes 40 s
        monkeypatch.setattr(
            "gmlib.metrics.models.draw_and_measure", lambda *_, **__: {"fid": run.metrics["mnist5k_fid"]}
        )
    found = evaluate_digits(run.recipe, run.model)
    if getattr(run.recipe, "stack", 1) > 1:  # 500 stacks show a part of the modes that 26,000 do
        modes = run.metrics["mnist5k_modes"]
        assert modes / 5 <= found["mnist5k_modes"] <= modes
        return
    assert "mnist5k_fid" in found
    assert ("mnist5k_test_elbo" in found) == isinstance(run.model, VAE)
    agree(found, run.metrics)


def test_the_shipped_models_are_as_good_as_they_have_to_be():
    metrics = {name: zoo.pretrained(name).metrics for name in ("vae", "vae_no_bn", "pixel_vae", "pixel_cnn")}
    assert metrics["vae"]["test_elbo"] > -152.5
    assert metrics["vae_no_bn"]["test_elbo"] > -152.5
    assert metrics["pixel_vae"]["test_log_likelihood_1000"] > -79.5
    assert metrics["pixel_vae"]["kl"] > 5  # the latent is in use
    assert metrics["pixel_cnn"]["test_log_likelihood"] > -83


def test_runs_in_a_folder_are_its_files_without_checkpoints(tmp_path):
    for name in ("vae.safetensors", "cvae.safetensors", "checkpoint-000000001.pt", "history.csv"):
        (tmp_path / name).touch()
    assert zoo.runs_in(tmp_path) == ["cvae", "vae"]


def test_a_recipe_that_is_not_shipped(tmp_path, monkeypatch, refused):
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    with refused("no full run of vae is shipped", "gmlib train vae --profile full"):
        zoo.pretrained("vae")
    with refused("'vea'", "did you mean 'vae'"):
        zoo.pretrained("vea")
