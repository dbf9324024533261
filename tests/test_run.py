"""A run: what it draws, and that it comes back from disk as it went there."""

import hashlib
import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from gmlib import InputError, Run, mnist, pretrained, recipes
from gmlib.evaluate import count_modes
from gmlib.experiment import GANRecipe
from gmlib.recipes import load_run
from gmlib.seeds import stream

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
    checksum = hashlib.sha256((tmp_path / "run" / "vae.safetensors").read_bytes()).hexdigest()
    for found in (saved, loaded):
        assert found.history == run.history
        assert found.about == run.about | {"sha256": checksum}
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


@pytest.mark.parametrize("damage", ["half", "empty", "missing", "another recipe's", "a bit"])
@pytest.mark.parametrize("checksum", [True, False])
def test_damaged_weights(run, tmp_path, refused, damage, checksum):
    run.save(tmp_path)
    path = tmp_path / "vae.safetensors"
    content = path.read_bytes()
    if not checksum:  # as in records of before there was one
        record = json.loads((tmp_path / "vae.json").read_text())
        del record["sha256"]
        (tmp_path / "vae.json").write_text(json.dumps(record))
    if damage == "missing":
        path.unlink()
    elif damage == "another recipe's":
        replace(run, recipe=recipes.VAE_NO_BN, networks=recipes.VAE_NO_BN.build()).save(tmp_path)
        os.replace(tmp_path / "vae_no_bn.safetensors", path)
    elif damage == "a bit":
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
        if not checksum:  # nothing else can tell
            load_run(tmp_path, "vae")
            return
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "half" else b"")
    command = f"gmlib train vae --out {tmp_path}"
    with refused(f"cannot read the weights {path}", "expected a whole file of recipe vae", command):
        load_run(tmp_path, "vae")


@pytest.mark.parametrize(
    "record",
    [
        *(None, "", '{"recipe": "vae", "metr', "{}", '{"metrics": {}}', "[]", "null", "3", '"vae"'),
        *('{"metrics": [1], "history": []}', '{"metrics": {"fid": "low"}, "history": [], "profile": "quick"}'),
    ],
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


def test_a_full_run_of_another_length_comes_back(few_digits, tmp_path, monkeypatch, refused):
    monkeypatch.setitem(recipes.ALL, "vae", SHORT)
    longer = replace(SHORT, epochs=3)
    assert longer.hash != SHORT.hash
    longer.fit("full", seed=1).save(tmp_path)
    loaded = load_run(tmp_path, "vae")
    assert loaded.recipe == longer
    assert len(loaded.history) == 3
    replace(longer, lr=2e-3).fit("full", seed=1).save(tmp_path)
    with refused("is of an earlier recipe vae"):
        load_run(tmp_path, "vae")


def all_files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("fails", ["data", "seed", "ctrl-c", "disk", "weight", "metric"])
def test_a_save_that_fails_leaves_the_earlier_run_as_it_was(run, tmp_path, monkeypatch, fails):
    """Whatever fails, and whenever it does: the old record still stands beside its own weights, and nothing else."""
    run.save(tmp_path)
    before = all_files(tmp_path)
    later = load_run(tmp_path, "vae")
    with monkeypatch.context() as patch:
        error = InputError
        if fails == "data":
            later.about["profile"] = "full"
            patch.setattr("gmlib.experiment.mnist", mnist)
            patch.delenv("GMLIB_DATA", raising=False)
            patch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        elif fails == "seed":
            later.about["seed"] = np.int64(3)
        elif fails == "ctrl-c":
            error = KeyboardInterrupt
            patch.setattr("gmlib.experiment.mean_elbo", interrupted)
        elif fails == "disk":
            patch.setattr("gmlib.files.os.fsync", full_disk_at(2))
        elif fails == "metric":
            patch.setattr("gmlib.experiment.measure_samples", lambda *_, **__: {"fid": float("nan")})
        else:
            patch.setattr("gmlib.experiment.mean_elbo", lambda *_, **__: pytest.fail("measured first"))
            with torch.no_grad():
                next(later.vae.parameters())[0] = 1e5  # float16 ends at 65,504
        with pytest.raises(error):
            later.save(tmp_path)
    assert all_files(tmp_path) == before
    assert load_run(tmp_path, "vae").metrics == run.save(tmp_path / "again").metrics


def interrupted(*_, **__):
    raise KeyboardInterrupt


def full_disk_at(number: int):
    """Return what stands in for `os.fsync` on a disk that is full at that file."""
    count = []

    def sync(descriptor: int) -> None:
        count.append(descriptor)
        if len(count) == number:
            raise OSError(28, "No space left on device")

    return sync


def test_one_label_or_a_list_of_labels(run):
    conditional = replace(SHORT, num_classes=10)
    of_digits = replace(run, recipe=conditional, networks=conditional.build())
    of_digits.vae.eval()
    expected = of_digits.sample(3, torch.tensor([7, 7, 7]), generator=generator(1))
    assert torch.equal(of_digits.sample(3, 7, generator=generator(1)), expected)
    assert torch.equal(of_digits.sample(3, [7, 7, 7], generator=generator(1)), expected)


def test_a_folder_that_cannot_be_written(run, tmp_path, refused):
    (tmp_path / "file").write_text("here")
    with refused(f"cannot write {tmp_path / 'file' / 'vae.safetensors'}", "writable"):
        run.save(tmp_path / "file")


# runs of GANs

SHORT_GAN = GANRecipe(name="gan", latent_dim=3, batch_norm=True, lr=1e-3, batch_size=16, epochs=2, quick_epochs=2)


@pytest.fixture(params=[0, 10])
def gan(request, few_digits, monkeypatch):
    recipe = replace(SHORT_GAN, num_classes=request.param)
    monkeypatch.setitem(recipes.ALL, "gan", recipe)
    return recipe.fit(seed=5)


def asked(run, n: int) -> torch.Tensor | None:
    return torch.arange(n) % 10 if run.num_classes else None


def test_samples_of_a_gan_are_what_its_generator_makes_of_noise(gan):
    assert gan.latent_dim == 3
    before = {name: value.clone() for name, value in gan.generator.state_dict().items()}
    labels = asked(gan, 20)
    samples = gan.sample(20, labels, generator=generator(1))
    z = torch.randn(20, 3, generator=generator(1))
    with torch.no_grad():
        assert torch.equal(samples, gan.generator(z, labels))
    assert torch.equal(gan.decode(z, labels), samples)
    assert samples.shape == (20, 1, 28, 28)
    assert not samples.requires_grad
    assert 0 <= samples.min() < samples.max() <= 1
    assert len(samples.unique()) > 1000  # grey
    assert all(torch.equal(value, before[name]) for name, value in gan.generator.state_dict().items())


def test_many_samples_of_a_gan_are_made_in_parts(gan):
    """As in one pass, and no more than a thousand at once."""
    sizes, z, labels = [], torch.randn(2300, 3, generator=generator(2)), asked(gan, 2300)
    with torch.no_grad():
        whole = gan.generator(z, labels)
    gan.generator.register_forward_pre_hook(lambda module, given: sizes.append(len(given[0])))
    parts = gan.sample(2300, labels, generator=generator(2))
    assert sizes == [1000, 1000, 300]
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)


def test_what_a_gan_cannot_draw(gan, refused, unchecked):
    with refused("got n = 0", "expected 1 or more"):
        gan.sample(0)
    with refused("got mean for a GAN", "no probabilities"):
        gan.sample(4, asked(gan, 4), mean=True)
    if gan.num_classes:
        with refused("got no labels for a conditional model (num_classes = 10)"):
            gan.sample(4)
        for n in (3, 5):
            with refused(f"got {n} labels for 4 latents"):
                gan.sample(4, asked(gan, n))
    else:
        with refused("got labels for an unconditional model"):
            gan.sample(4, torch.arange(4))


@pytest.mark.parametrize("ships", [True, False])
def test_a_gan_is_saved_with_its_critic_where_the_recipe_says_so(few_digits, tmp_path, monkeypatch, refused, ships):
    recipe = replace(SHORT_GAN, ships_critic=ships)
    monkeypatch.setitem(recipes.ALL, "gan", recipe)
    run = recipe.fit(seed=5)
    assert set(run.networks) == {"generator", "critic"}  # fresh from training both are there
    saved = run.save(tmp_path)
    loaded = load_run(tmp_path, "gan")
    with safe_open(tmp_path / "gan.safetensors", "pt") as file:
        assert {name.split(".")[0] for name in file.keys()} == recipe.kept()  # noqa: SIM118
    for found in (saved, loaded):
        assert set(found.networks) == recipe.kept() == ({"generator", "critic"} if ships else {"generator"})
        for name, network in found.networks.items():
            assert not any(module.training for module in network.modules())
            parameters = {key for key, _ in network.named_parameters()}
            for key, value in run.networks[name].state_dict().items():
                expected = value.half().to(value.dtype) if key in parameters else value
                assert torch.equal(network.state_dict()[key], expected), key
        assert torch.isfinite(found.sample(3, generator=generator())).all()
        if ships:
            assert found.critic(few_digits.grey()).shape == (64,)
        else:
            with refused("got a run of gan without its critic", "recipes.GAN.fit()"):
                found.critic  # noqa: B018
    assert loaded.metrics == saved.metrics == recipe.measure({"generator": loaded.generator})


# stacks of digits


@pytest.fixture
def stacked(few_digits, monkeypatch):
    recipe = replace(SHORT_GAN, name="stacked", stack=3, pack=2, batch_size=4, ema=0.9)
    monkeypatch.setitem(recipes.ALL, "stacked", recipe)
    monkeypatch.setattr("gmlib.experiment.STACKS", 40)
    monkeypatch.setattr("gmlib.train.gan.JUDGED", 40)
    return recipe


def test_stacks_are_trained_counted_and_kept(stacked, made_up, tmp_path):
    run = stacked.fit(seed=5)
    assert run.history.column("generator_steps") == [len(made_up) // 12] * 2
    assert all(1 <= modes <= 40 for modes in run.history.column("validation_modes"))
    assert "validation_fid" not in run.history.rows[0]
    saved = run.save(tmp_path)
    names = {"stacks", "modes", "modes_kl", "modes_floor", "modes_kl_floor"}
    assert set(saved.metrics) == {f"mnist5k_{name}" for name in {*names, "n"}}
    assert saved.metrics["mnist5k_stacks"] == 40
    assert 1 <= saved.metrics["mnist5k_modes"] <= 40
    loaded = load_run(tmp_path, "stacked")
    assert loaded.metrics == saved.metrics == stacked.measure(loaded.networks)
    samples = loaded.sample(40, generator=stream(0, "samples"))
    assert samples.shape == (40, 3, 28, 28)
    found = {f"mnist5k_{name}": value for name, value in count_modes(samples).items()}
    assert found.items() <= saved.metrics.items()
    assert loaded.critic(torch.zeros(2, 6, 28, 28)).shape == (2,)  # packs of two stacks


def test_stacks_and_packs_change_the_hash():
    hashes = [replace(SHORT_GAN, **change).hash for change in ({}, {"stack": 3}, {"pack": 2}, {"stack": 2})]
    assert len(set(hashes)) == 4


def test_stacks_have_no_label(refused):
    with refused("got stacks of 3 digits and 10 classes", "no one label"):
        replace(SHORT_GAN, stack=3, num_classes=10).build()


@pytest.mark.parametrize("name", ["vae", "cvae", "dcgan", "pixel_vae"])
def test_a_run_in_train_mode_samples_in_eval_mode_and_is_left_as_it_was(name):
    """Batch norm would use the statistics of the batch, and move its own."""
    expected, run = pretrained(name), pretrained(name)
    network = run.vae if "vae" in run.networks else run.generator
    before = {key: value.clone() for key, value in network.train().state_dict().items()}
    n = 3
    labels = torch.arange(n) if run.num_classes else None
    digits = mnist("test")[:n]

    def results(run: Run) -> list[torch.Tensor]:
        found = [run.sample(n, labels, generator=torch.Generator().manual_seed(0))]
        if name != "pixel_vae":
            found.append(run.decode(torch.ones(n, run.latent_dim), labels))
        return found + ([run.latents(digits)] if "vae" in run.networks else [])

    assert all(torch.equal(a, b) for a, b in zip(results(run), results(expected), strict=True))
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("n", [2.5, 0, True, None])
def test_a_number_of_samples_that_is_none(unchecked, refused, n):
    with refused(f"got n = {n} samples"):
        pretrained("vae").sample(n)
