"""A run: what it draws, and that it comes back from disk as it went there."""

import json
import os
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from gmlib import recipes
from gmlib.recipes import load_run

SHORT = replace(recipes.VAE, batch_size=16, quick_epochs=2)


@pytest.fixture
def run(few_digits, monkeypatch):
    monkeypatch.setitem(recipes.ALL, "vae", SHORT)
    return SHORT.fit(seed=5)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_samples_are_draws_or_probabilities(run):
    before = {name: value.clone() for name, value in run.vae.state_dict().items()}
    draws, means = run.sample(200, generator=generator()), run.sample(200, generator=generator(), mean=True)
    assert draws.shape == means.shape == (200, 1, 28, 28)
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    assert means.min() > 0
    assert means.max() < 1
    # the same z: each draw is a coin with the mean's probability, so their difference averages to 0
    error = (draws - means).double()
    sigma = (means * (1 - means)).double().sum().sqrt() / means.numel()
    assert error.mean().abs() < 5 * sigma
    assert all(torch.equal(value, before[name]) for name, value in run.vae.state_dict().items())


def test_the_same_generator_gives_the_same_samples(run):
    assert torch.equal(run.sample(5, generator=generator(1)), run.sample(5, generator=generator(1)))
    assert not torch.equal(run.sample(5, generator=generator(1)), run.sample(5, generator=generator(2)))
    torch.manual_seed(3)
    first = run.sample(5)
    torch.manual_seed(3)
    assert torch.equal(run.sample(5), first)


@pytest.mark.parametrize("n", [0, -3])
def test_too_few_samples(run, refused, n):
    with refused(f"got n = {n}", "expected 1 or more"):
        run.sample(n)


def test_labels_that_do_not_fit_the_model(run, refused):
    with refused("got labels for an unconditional model"):
        run.sample(2, torch.tensor([1, 2]))
    conditional = replace(SHORT, num_classes=10)
    of_digits = replace(run, recipe=conditional, networks=conditional.build())
    of_digits.vae.eval()
    assert of_digits.sample(2, torch.tensor([1, 2])).shape == (2, 1, 28, 28)
    with refused("got no labels for a conditional model (num_classes = 10)"):
        of_digits.sample(2)


def test_latents_and_decode_are_the_two_halves_of_the_model(run, made_up):
    mu, _ = run.vae.encoder(made_up.binarised())
    assert torch.equal(run.latents(made_up), mu)
    assert torch.equal(run.decode(mu), run.vae.decoder.mean(mu))


def test_a_run_comes_back_as_it_was_written(run, tmp_path):
    saved = run.save(tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["vae.json", "vae.safetensors"]
    loaded = load_run(tmp_path / "run", "vae")
    parameters = {name for name, _ in run.vae.named_parameters()}
    original = run.vae.state_dict()
    for found in (saved, loaded):
        assert found.history == run.history
        assert found.about == run.about
        assert not any(module.training for module in found.vae.modules())
        for name, value in found.vae.state_dict().items():
            # parameters are rounded to 11 bits, buffers (running variances among them) are untouched
            expected = original[name].half().to(original[name].dtype) if name in parameters else original[name]
            assert value.dtype == original[name].dtype
            assert torch.equal(value, expected), name
    assert loaded.metrics == saved.metrics == SHORT.measure(loaded.networks)
    assert loaded.metrics != SHORT.measure(run.networks)  # measured after rounding
    assert len(original) > len(parameters)


def test_the_record_holds_what_makes_a_run_citable(run, tmp_path):
    saved = run.save(tmp_path)
    record = json.loads((tmp_path / "vae.json").read_text())
    keys = {"recipe", "recipe_hash", "seed", "data", "device", "seconds", "versions", "history", "metrics"}
    assert keys <= set(record)
    assert record["metrics"] == saved.metrics
    assert record["history"] == run.history.rows
    with safe_open(tmp_path / "vae.safetensors", "pt") as file:
        kinds = {name.rsplit(".", 1)[-1]: file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
    assert kinds["weight"] == kinds["bias"] == torch.float16
    assert kinds["running_var"] == kinds["running_mean"] == torch.float32
    assert kinds["num_batches_tracked"] == torch.int64


@pytest.mark.parametrize("damage", ["half", "empty", "missing", "another recipe's"])
def test_damaged_weights(run, tmp_path, refused, damage):
    run.save(tmp_path)
    path = tmp_path / "vae.safetensors"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "another recipe's":
        replace(run, recipe=recipes.VAE_NO_BN, networks=recipes.VAE_NO_BN.build()).save(tmp_path)
        os.replace(tmp_path / "vae_no_bn.safetensors", path)
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "half" else b"")
    with refused(f"cannot read the weights {path}", "expected a whole file of recipe vae", "gmlib train vae"):
        load_run(tmp_path, "vae")


@pytest.mark.parametrize(
    "record", [None, "", '{"recipe": "vae", "metr', "{}", '{"metrics": {}}', "[]", '{"metrics": [1], "history": []}']
)
def test_a_damaged_record(run, tmp_path, refused, record):
    run.save(tmp_path)
    path = tmp_path / "vae.json"
    path.unlink() if record is None else path.write_text(record)
    with refused(f"cannot read {path}", "expected the record of a finished run", "gmlib train vae"):
        load_run(tmp_path, "vae")


def test_a_run_of_an_earlier_recipe(run, tmp_path, refused):
    run.about["recipe_hash"] = "0" * 64
    run.save(tmp_path)
    with refused(f"{tmp_path / 'vae.json'} is of an earlier recipe vae", "hash 000000000000", "train it again"):
        load_run(tmp_path, "vae")


def test_a_folder_that_cannot_be_written(run, tmp_path, refused):
    (tmp_path / "file").write_text("here")
    with refused(f"cannot write {tmp_path / 'file' / 'vae.safetensors'}", "writable"):
        run.save(tmp_path / "file")
