"""A run: what it draws, and that it comes back from disk as it went there."""

import hashlib
import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from gmlib import InputError, Run, load, mnist, pretrained, recipes
from gmlib.experiments.evaluate import evaluate_digits, save
from gmlib.experiments.fit import fit_profile
from gmlib.experiments.recipe import GANRecipe
from gmlib.experiments.run import networks_of
from gmlib.metrics import count_modes
from gmlib.metrics.latents import posterior_means
from gmlib.models import VAE
from gmlib.seeds import stream
from gmlib.zoo import load_run

SHORT = replace(recipes.VAE, batch_size=16, quick_epochs=2)


@pytest.fixture
def run(few_digits, monkeypatch):
    monkeypatch.setitem(recipes.ALL, "vae", SHORT)
    return fit_profile(SHORT, seed=5)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_samples_are_draws_or_probabilities(run):
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    draws, means = run.model.sample(200, generator=generator()), run.model.sample(200, generator=generator(), mean=True)
    assert draws.shape == means.shape == (200, 1, 28, 28)
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    assert means.min() > 0
    assert means.max() < 1
    # the same z: each draw is a coin with the mean's probability, so their difference averages to 0
    error = (draws - means).double()
    sigma = (means * (1 - means)).double().sum().sqrt() / means.numel()
    assert error.mean().abs() < 5 * sigma
    assert all(torch.equal(value, before[name]) for name, value in run.model.state_dict().items())


def test_the_same_generator_gives_the_same_samples(run):
    assert torch.equal(run.model.sample(5, generator=generator(1)), run.model.sample(5, generator=generator(1)))
    assert not torch.equal(run.model.sample(5, generator=generator(1)), run.model.sample(5, generator=generator(2)))
    torch.manual_seed(3)
    first = run.model.sample(5)
    torch.manual_seed(3)
    assert torch.equal(run.model.sample(5), first)


@pytest.mark.parametrize("n", [0, -3])
def test_too_few_samples(run, refused, n):
    with refused(f"got n = {n}", "expected 1 or more"):
        run.model.sample(n)


def test_labels_that_do_not_fit_the_model(run, refused):
    with refused("got labels for an unconditional model"):
        run.model.sample(2, torch.tensor([1, 2]))
    conditional = replace(SHORT, conditional=True)
    of_digits = replace(run, recipe=conditional, model=conditional.build())
    of_digits.model.eval()
    assert of_digits.model.sample(2, torch.tensor([1, 2])).shape == (2, 1, 28, 28)
    with refused("got no labels for a conditional model (num_classes = 10)"):
        of_digits.model.sample(2)


def test_latents_and_decode_are_the_two_halves_of_the_model(run, made_up):
    mu, _ = run.model.encoder(made_up.binarised())
    assert torch.equal(posterior_means(run.model, made_up), mu)
    assert torch.equal(run.model.decode(mu), run.model.decoder.mean(mu))


def test_a_run_comes_back_as_it_was_written(run, tmp_path):
    saved = save(run, tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["vae.json", "vae.safetensors"]
    loaded = load_run(tmp_path / "run", "vae")
    parameters = {name for name, _ in run.model.named_parameters()}
    original = run.model.state_dict()
    checksum = hashlib.sha256((tmp_path / "run" / "vae.safetensors").read_bytes()).hexdigest()
    for found in (saved, loaded):
        assert found.history == run.history
        assert found.about == run.about | {"sha256": checksum}
        assert not any(module.training for module in found.model.modules())
        for name, value in found.model.state_dict().items():
            # parameters are rounded to 11 bits, buffers (running variances among them) are untouched
            expected = original[name].half().to(original[name].dtype) if name in parameters else original[name]
            assert value.dtype == original[name].dtype
            assert torch.equal(value, expected), name
    assert loaded.metrics == saved.metrics == evaluate_digits(SHORT, loaded.model)
    assert loaded.metrics != evaluate_digits(SHORT, run.model)  # measured after rounding
    assert len(original) > len(parameters)


def test_the_record_holds_what_makes_a_run_citable(run, tmp_path):
    saved = save(run, tmp_path)
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
    save(run, tmp_path)
    path = tmp_path / "vae.safetensors"
    content = path.read_bytes()
    if not checksum:  # as in records of before there was one
        record = json.loads((tmp_path / "vae.json").read_text())
        del record["sha256"]
        (tmp_path / "vae.json").write_text(json.dumps(record))
    if damage == "missing":
        path.unlink()
    elif damage == "another recipe's":
        save(replace(run, recipe=recipes.VAE_NO_BN, model=recipes.VAE_NO_BN.build()), tmp_path)
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
    save(run, tmp_path)
    path = tmp_path / "vae.json"
    path.unlink() if record is None else path.write_text(record)
    with refused(f"cannot read {path}", "expected the record of a finished run", "gmlib train vae"):
        load_run(tmp_path, "vae")


def test_a_run_of_an_earlier_recipe(run, tmp_path, refused):
    run.about["recipe_hash"] = "0" * 64
    save(run, tmp_path)
    with refused(f"{tmp_path / 'vae.json'} is of an earlier recipe vae", "hash 000000000000", "train it again"):
        load_run(tmp_path, "vae")


def test_a_full_run_of_another_length_comes_back(few_digits, tmp_path, monkeypatch, refused):
    monkeypatch.setitem(recipes.ALL, "vae", SHORT)
    longer = replace(SHORT, epochs=3)
    assert longer.hash == SHORT.hash
    assert longer.epochs != SHORT.epochs
    save(fit_profile(longer, "full", seed=1), tmp_path)
    loaded = load_run(tmp_path, "vae")
    assert loaded.recipe == SHORT
    assert loaded.about["epochs"] == len(loaded.history) == 3
    save(fit_profile(replace(longer, lr=2e-3), "full", seed=1), tmp_path)
    with refused("is of an earlier recipe vae"):
        load_run(tmp_path, "vae")


def all_files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("fails", ["data", "seed", "ctrl-c", "disk", "weight", "metric"])
def test_a_save_that_fails_leaves_the_earlier_run_as_it_was(run, tmp_path, monkeypatch, fails):
    """Whatever fails, and whenever it does: the old record still stands beside its own weights, and nothing else."""
    save(run, tmp_path)
    before = all_files(tmp_path)
    later = load_run(tmp_path, "vae")
    with monkeypatch.context() as patch:
        error = InputError
        if fails == "data":
            later.about["data"] = "mnist/train"
            patch.setattr("gmlib.experiments.evaluate.load", load)
            patch.delenv("GMLIB_DATA", raising=False)
            patch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        elif fails == "seed":
            later.about["seed"] = np.int64(3)
        elif fails == "ctrl-c":
            error = KeyboardInterrupt
            patch.setattr("gmlib.metrics.models.mean_elbo", interrupted)
        elif fails == "disk":
            patch.setattr("gmlib.files.os.fsync", full_disk_at(2))
        elif fails == "metric":
            patch.setattr("gmlib.metrics.models.measure_samples", lambda *_, **__: {"fid": float("nan")})
        else:
            patch.setattr("gmlib.metrics.models.mean_elbo", lambda *_, **__: pytest.fail("measured first"))
            with torch.no_grad():
                next(later.model.parameters())[0] = 1e5  # float16 ends at 65,504
        with pytest.raises(error):
            save(later, tmp_path)
    assert all_files(tmp_path) == before
    assert load_run(tmp_path, "vae").metrics == save(run, tmp_path / "again").metrics


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
    conditional = replace(SHORT, conditional=True)
    of_digits = replace(run, recipe=conditional, model=conditional.build())
    of_digits.model.eval()
    expected = of_digits.model.sample(3, torch.tensor([7, 7, 7]), generator=generator(1))
    assert torch.equal(of_digits.model.sample(3, 7, generator=generator(1)), expected)
    assert torch.equal(of_digits.model.sample(3, [7, 7, 7], generator=generator(1)), expected)


def test_a_folder_that_cannot_be_written(run, tmp_path, refused):
    (tmp_path / "file").write_text("here")
    with refused(f"cannot write {tmp_path / 'file' / 'vae.safetensors'}", "writable"):
        save(run, tmp_path / "file")


# runs of GANs

SHORT_GAN = GANRecipe(name="gan", latent_dim=3, batch_norm=True, lr=1e-3, batch_size=16, epochs=2, quick_epochs=2)


@pytest.fixture(params=[False, True])
def gan(request, few_digits, monkeypatch):
    recipe = replace(SHORT_GAN, conditional=request.param)
    monkeypatch.setitem(recipes.ALL, "gan", recipe)
    return fit_profile(recipe, seed=5)


def asked(run, n: int) -> torch.Tensor | None:
    return torch.arange(n) % 10 if run.model.num_classes else None


def test_samples_of_a_gan_are_what_its_generator_makes_of_noise(gan):
    assert gan.model.latent_dim == 3
    before = {name: value.clone() for name, value in gan.model.generator.state_dict().items()}
    labels = asked(gan, 20)
    samples = gan.model.sample(20, labels, generator=generator(1))
    z = torch.randn(20, 3, generator=generator(1))
    with torch.no_grad():
        assert torch.equal(samples, gan.model.generator(z, labels))
    assert torch.equal(gan.model.decode(z, labels), samples)
    assert samples.shape == (20, 1, 28, 28)
    assert not samples.requires_grad
    assert 0 <= samples.min() < samples.max() <= 1
    assert len(samples.unique()) > 1000  # grey
    assert all(torch.equal(value, before[name]) for name, value in gan.model.generator.state_dict().items())


def test_many_samples_of_a_gan_are_made_in_parts(gan):
    """As in one pass, and no more than five hundred at once."""
    sizes, z, labels = [], torch.randn(2300, 3, generator=generator(2)), asked(gan, 2300)
    with torch.no_grad():
        whole = gan.model.generator(z, labels)
    gan.model.generator.register_forward_pre_hook(lambda module, given: sizes.append(len(given[0])))
    parts = gan.model.sample(2300, labels, generator=generator(2))
    assert sizes == [500, 500, 500, 500, 300]
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)


def test_what_a_gan_cannot_draw(gan, refused, unchecked):
    with refused("got n = 0", "expected 1 or more"):
        gan.model.sample(0)
    with pytest.raises(TypeError, match="mean"):  # its images are no probabilities
        gan.model.sample(4, asked(gan, 4), mean=True)
    if gan.model.num_classes:
        with refused("got no labels for a conditional model (num_classes = 10)"):
            gan.model.sample(4)
        for n in (3, 5):
            with refused(f"got labels of shape ({n},) for 4 samples"):
                gan.model.sample(4, asked(gan, n))
    else:
        with refused("got labels for an unconditional model"):
            gan.model.sample(4, torch.arange(4))


@pytest.mark.parametrize("ships", [True, False])
def test_a_gan_is_saved_with_its_critic_where_the_recipe_says_so(few_digits, tmp_path, monkeypatch, refused, ships):
    recipe = replace(SHORT_GAN, ships_critic=ships)
    monkeypatch.setitem(recipes.ALL, "gan", recipe)
    run = fit_profile(recipe, seed=5)
    assert set(networks_of(run.model)) == {"generator", "critic"}  # fresh from training both are there
    saved = save(run, tmp_path)
    loaded = load_run(tmp_path, "gan")
    with safe_open(tmp_path / "gan.safetensors", "pt") as file:
        kept = {name.split(".")[0] for name in file.keys()}  # noqa: SIM118
    assert kept == {name for name in ("generator", "critic") if recipe.keeps(name)}
    for found in (saved, loaded):
        assert set(networks_of(found.model)) == kept == ({"generator", "critic"} if ships else {"generator"})
        for name, network in networks_of(found.model).items():
            assert not any(module.training for module in network.modules())
            parameters = {key for key, _ in network.named_parameters()}
            for key, value in networks_of(run.model)[name].state_dict().items():
                expected = value.half().to(value.dtype) if key in parameters else value
                assert torch.equal(network.state_dict()[key], expected), key
        assert torch.isfinite(found.model.sample(3, generator=generator())).all()
        if ships:
            assert found.model.critic(few_digits.grey()).shape == (64,)
        else:
            with pytest.raises(AttributeError, match="kept without its critic"):
                found.model.critic  # noqa: B018
    assert loaded.metrics == saved.metrics == evaluate_digits(recipe, loaded.model)


# stacks of digits


@pytest.fixture
def stacked(few_digits, monkeypatch):
    recipe = replace(SHORT_GAN, name="stacked", stack=3, pack=2, batch_size=4, ema=0.9)
    monkeypatch.setitem(recipes.ALL, "stacked", recipe)
    monkeypatch.setattr("gmlib.metrics.models.STACKS", 40)
    monkeypatch.setattr("gmlib.metrics.validation.COMPARED", 40)
    return recipe


def test_stacks_are_trained_counted_and_kept(stacked, made_up, tmp_path):
    run = fit_profile(stacked, seed=5)
    assert run.history.column("generator_steps") == [len(made_up) // 12] * 2
    assert all(1 <= modes <= 40 for modes in run.history.column("validation_modes"))
    assert "validation_fid" not in run.history.rows[0]
    saved = save(run, tmp_path)
    names = {"stacks", "modes", "modes_kl", "modes_real", "modes_kl_real"}
    assert set(saved.metrics) == {f"mnist5k_{name}" for name in {*names, "n"}}
    assert saved.metrics["mnist5k_stacks"] == 40
    assert 1 <= saved.metrics["mnist5k_modes"] <= 40
    loaded = load_run(tmp_path, "stacked")
    assert loaded.metrics == saved.metrics == evaluate_digits(stacked, loaded.model)
    samples = loaded.model.sample(40, generator=stream(0, "samples"))
    assert samples.shape == (40, 3, 28, 28)
    found = {f"mnist5k_{name}": value for name, value in count_modes(samples).items()}
    assert found.items() <= saved.metrics.items()
    assert loaded.model.critic(torch.zeros(2, 6, 28, 28)).shape == (2,)  # packs of two stacks


def test_stacks_and_packs_change_the_hash():
    hashes = [replace(SHORT_GAN, **change).hash for change in ({}, {"stack": 3}, {"pack": 2}, {"stack": 2})]
    assert len(set(hashes)) == 4


def test_stacks_have_no_label(refused):
    with refused("got stacks of 3 images and 10 classes", "no one label"):
        replace(SHORT_GAN, stack=3, conditional=True).build()


@pytest.mark.parametrize("name", ["vae", "cvae", "dcgan", "pixel_vae"])
def test_a_run_in_train_mode_samples_in_eval_mode_and_is_left_as_it_was(name):
    """Batch norm would use the statistics of the batch, and move its own."""
    expected, run = pretrained(name), pretrained(name)
    network = run.model if isinstance(run.model, VAE) else run.model.generator
    before = {key: value.clone() for key, value in network.train().state_dict().items()}
    n = 3
    labels = torch.arange(n) if run.model.num_classes else None
    digits = mnist("test")[:n]

    def results(run: Run) -> list[torch.Tensor]:
        found = [run.model.sample(n, labels, generator=torch.Generator().manual_seed(0))]
        if name != "pixel_vae":
            found.append(run.model.decode(torch.ones(n, run.model.latent_dim), labels))
        return found + ([posterior_means(run.model, digits)] if isinstance(run.model, VAE) else [])

    assert all(torch.equal(a, b) for a, b in zip(results(run), results(expected), strict=True))
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("n", [2.5, 0, True, None])
def test_a_number_of_samples_that_is_none(unchecked, refused, n):
    with refused(f"got n = {n} samples"):
        pretrained("vae").model.sample(n)
