"""A run: what it draws, and that it comes back from disk as it went there."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from gmlib import InputError, load, recipes
from gmlib.experiments.evaluate import evaluate_digits, save
from gmlib.experiments.fit import fit_profile
from gmlib.experiments.recipe import GANRecipe
from gmlib.experiments.run import networks_of, read_run
from gmlib.metrics import count_modes
from gmlib.seeds import stream
from gmlib.zoo import load_run

SHORT = replace(recipes.VAE, batch_size=16, quick_epochs=2)
SHORT_GAN = GANRecipe(name="gan", latent_dim=3, batch_norm=True, lr=1e-3, batch_size=16, epochs=2, quick_epochs=2)


@pytest.fixture
def run(few_digits, monkeypatch):
    monkeypatch.setitem(recipes.ALL, "vae", SHORT)
    return fit_profile(SHORT, seed=5)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rounded(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The tensors of a network as a run keeps them: parameters with 11 bits, buffers (running variances) in full."""
    parameters = {name for name, _ in network.named_parameters()}
    return {key: value.half().float() if key in parameters else value for key, value in network.state_dict().items()}


def same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_samples_are_draws_or_probabilities(run):
    draws, means = run.model.sample(200, generator=generator()), run.model.sample(200, generator=generator(), mean=True)
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    assert 0 < means.min() < means.max() < 1
    # the same z: each draw is Bernoulli with the mean's probability, so their difference averages to 0
    sigma = (means * (1 - means)).double().sum().sqrt() / means.numel()
    assert (draws - means).double().mean().abs() < 5 * sigma


@pytest.mark.parametrize("conditional", [False, True])
def test_samples_of_a_gan_are_its_generator_at_noise(few_digits, conditional):
    model = fit_profile(replace(SHORT_GAN, conditional=conditional), seed=5).model
    labels = torch.arange(20) % 10 if conditional else None
    samples, z = model.sample(20, labels, generator=generator(1)), torch.randn(20, 3, generator=generator(1))
    assert torch.equal(samples, model.generator(z, labels))
    assert torch.equal(model.decode(z, labels), samples)
    assert len(samples.unique()) > 1000  # grey


# on disk


def test_a_run_comes_back_as_it_was_written(run, tmp_path):
    saved = save(run, tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["vae.safetensors"]
    loaded, digest = load_run(tmp_path / "run", "vae"), saved.record["sha256"]
    for each in (saved, loaded):
        assert each.history == run.history
        assert each.record == run.record | {"sha256": digest}
        assert not any(module.training for module in each.model.modules())
        assert same(each.model.state_dict(), rounded(run.model))
    assert loaded.metrics == saved.metrics == evaluate_digits(SHORT, loaded.model)
    assert loaded.metrics != evaluate_digits(SHORT, run.model)  # measured after rounding


def test_the_file_holds_weights_and_a_record(run, tmp_path):
    saved = save(run, tmp_path)
    record, tensors = read_run(tmp_path / "vae.safetensors")
    assert record == saved.record | {"metrics": saved.metrics, "history": run.history.rows}
    kinds = {name.rsplit(".", 1)[-1]: tensor.dtype for name, tensor in tensors.items()}
    assert kinds["weight"] == kinds["bias"] == torch.float16
    assert kinds["running_var"] == kinds["running_mean"] == torch.float32
    assert kinds["num_batches_tracked"] == torch.int64


@pytest.mark.parametrize("damage", ["half", "empty", "missing", "no record", "a weight", "a metric"])
def test_a_damaged_file(run, tmp_path, refused, damage):
    save(run, tmp_path)
    path = tmp_path / "vae.safetensors"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "no record":
        save_file(load_file(path), path)
    elif damage == "a weight":
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    elif damage == "a metric":
        path.write_bytes(content.replace(b'mnist5k_n\\": 64', b'mnist5k_n\\": 65'))
        assert path.read_bytes() != content
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "half" else b"")
    with refused(f"cannot read {path}", f"gmlib train vae --out {tmp_path}"):
        load_run(tmp_path, "vae")


def test_a_run_of_an_earlier_recipe(run, tmp_path, refused):
    run.record["recipe_hash"] = "0" * 64
    save(run, tmp_path)
    with refused("is of an earlier recipe vae", "hash 000000000000", "train it again"):
        load_run(tmp_path, "vae")


def test_a_run_of_another_length_is_of_the_same_recipe(few_digits, tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.ALL, "vae", SHORT)
    save(fit_profile(replace(SHORT, epochs=3), "full", seed=1), tmp_path)
    loaded = load_run(tmp_path, "vae")
    assert loaded.recipe == SHORT
    assert loaded.record["epochs"] == len(loaded.history) == 3


def interrupted(*_, **__):
    raise KeyboardInterrupt


def full_disk(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("fails", ["data", "ctrl-c", "disk", "weight", "metric"])
def test_a_save_that_fails_leaves_the_earlier_run_as_it_was(run, tmp_path, monkeypatch, fails):
    save(run, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    later, error = load_run(tmp_path, "vae"), InputError
    if fails == "data":
        later.record["data"] = "mnist/train"
        monkeypatch.setattr("gmlib.experiments.evaluate.load", load)
        monkeypatch.delenv("GMLIB_DATA", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    elif fails == "ctrl-c":
        error = KeyboardInterrupt
        monkeypatch.setattr("gmlib.metrics.models.mean_elbo", interrupted)
    elif fails == "disk":
        monkeypatch.setattr("gmlib.files.os.fsync", full_disk)
    elif fails == "metric":
        monkeypatch.setattr("gmlib.metrics.models.measure_samples", lambda *_, **__: {"fid": float("nan")})
    else:  # refused before anything is measured
        monkeypatch.setattr("gmlib.metrics.models.mean_elbo", lambda *_, **__: pytest.fail("measured first"))
        next(later.model.parameters()).data[0] = 1e5  # float16 ends at 65,504
    with pytest.raises(error):
        save(later, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("ships", [True, False])
def test_a_gan_is_saved_with_its_critic_where_the_recipe_says_so(few_digits, tmp_path, monkeypatch, ships):
    recipe = replace(SHORT_GAN, ships_critic=ships)
    monkeypatch.setitem(recipes.ALL, "gan", recipe)
    run = fit_profile(recipe, seed=5)
    assert set(networks_of(run.model)) == {"generator", "critic"}  # fresh from training both are there
    saved, loaded = save(run, tmp_path), load_run(tmp_path, "gan")
    for each in (saved, loaded):
        assert set(networks_of(each.model)) == ({"generator", "critic"} if ships else {"generator"})
        for name, network in networks_of(each.model).items():
            assert same(network.state_dict(), rounded(networks_of(run.model)[name]))
        if not ships:
            with pytest.raises(AttributeError, match="critic"):
                each.model.critic  # noqa: B018
    assert loaded.metrics == saved.metrics == evaluate_digits(recipe, loaded.model)


# stacks of digits


def test_stacks_are_trained_counted_and_kept(few_digits, monkeypatch, tmp_path):
    recipe = replace(SHORT_GAN, name="stacked", stack=3, pack=2, batch_size=4, ema=0.9)
    monkeypatch.setitem(recipes.ALL, "stacked", recipe)
    monkeypatch.setattr("gmlib.metrics.models.STACKS", 40)
    monkeypatch.setattr("gmlib.metrics.validation.MOST_SAMPLES", 40)
    run = fit_profile(recipe, seed=5)
    assert run.history.column("generator_steps") == [len(few_digits) // 12] * 2
    assert all(1 <= modes <= 40 for modes in run.history.column("validation_modes"))
    assert "validation_fid" not in run.history.rows[0]
    saved, loaded = save(run, tmp_path), load_run(tmp_path, "stacked")
    names = {"stacks", "modes", "modes_kl", "modes_real", "modes_kl_real", "n"}
    assert set(saved.metrics) == {f"mnist5k_{name}" for name in names}
    assert loaded.metrics == saved.metrics == evaluate_digits(recipe, loaded.model)
    samples = loaded.model.sample(40, generator=stream(0, "samples"))
    assert samples.shape == (40, 3, 28, 28)
    assert {f"mnist5k_{name}": value for name, value in count_modes(samples).items()}.items() <= saved.metrics.items()
    assert loaded.model.critic(torch.zeros(2, 6, 28, 28)).shape == (2,)  # packs of two stacks
