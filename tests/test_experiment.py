"""Fitting a recipe: the same seed gives the same run, and a folder lets it go on where it stopped."""

import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from gmlib import mnist, recipes
from gmlib.evaluate import log_likelihood
from gmlib.models import VAE
from gmlib.seeds import stream
from gmlib.train import State
from gmlib.train.folder import Folder

SHORT = replace(recipes.VAE, batch_size=16, quick_epochs=4)


def weights(run) -> dict[str, torch.Tensor]:
    return run.vae.state_dict()


def equal(a, b) -> bool:
    left, right = weights(a), weights(b)
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def test_a_seed_fixes_the_run_and_the_global_generator_is_left_alone(few_digits):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = SHORT.fit(seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again = SHORT.fit(seed=3)
    assert equal(first, again)
    assert first.history == again.history
    assert not equal(first, SHORT.fit(seed=4))


def test_a_run_knows_what_it_is(few_digits):
    run = SHORT.fit(seed=3)
    assert isinstance(run.vae, VAE)
    assert run.about["recipe"] == "vae"
    assert run.about["recipe_hash"] == SHORT.hash
    facts = {"profile": "quick", "epochs": 4, "seed": 3, "data": "made-up/train", "device": "cpu"}
    assert {key: run.about[key] for key in facts} == facts
    assert run.about["versions"]["torch"] == torch.__version__
    assert run.metrics == {}


def test_full_trains_longer_than_quick(few_digits):
    assert len(replace(SHORT, epochs=5).fit("full").history) == 5


def stop_after(epochs: int):
    def stop(state: State) -> None:
        if state.epoch == epochs:
            raise KeyboardInterrupt

    return stop


@pytest.fixture
def always(monkeypatch):
    """A checkpoint after each step."""
    monkeypatch.setattr(Folder, "keep", Folder.save)


@pytest.mark.parametrize("optimiser", [torch.optim.Adam, torch.optim.SGD])
def test_stopped_and_resumed_is_never_stopped(few_digits, always, tmp_path, optimiser):
    recipe = replace(SHORT, optimiser=optimiser, lr=1e-2 if optimiser is torch.optim.Adam else 1e-4)
    whole = recipe.fit(seed=3, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        recipe.fit(seed=3, out=tmp_path / "parts", on_epoch=stop_after(2))
    epochs = []
    resumed = recipe.fit(seed=3, out=tmp_path / "parts", resume=True, on_epoch=lambda state: epochs.append(state.epoch))
    assert epochs == [2, 3, 4]  # the last step of epoch 2 was kept, its row was not yet
    assert equal(whole, resumed)
    assert whole.history == resumed.history
    for name in ("history.csv", "history.json"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    parts, never = (load_file(tmp_path / folder / "checkpoint-000000016.safetensors") for folder in ("parts", "whole"))
    assert parts.keys() == never.keys()
    assert all(torch.equal(parts[key], never[key]) for key in parts)
    assert equal(whole, recipe.fit(seed=3, out=tmp_path / "parts", resume=True))  # nothing is left to do


@pytest.mark.parametrize("seed", [-1, 2**31, 10**20])
def test_a_seed_out_of_range(few_digits, refused, seed):
    with refused(f"got seed {seed}", "from 0 to 2,147,483,647"):
        SHORT.fit(seed=seed)


def test_a_folder_that_holds_a_run(few_digits, tmp_path, refused):
    SHORT.fit(out=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with refused(f"{tmp_path} holds a run already", "--resume", "another --out"):
        SHORT.fit(out=tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("other", "seed", "key"),
    [
        (replace(recipes.VAE_NO_BN, batch_size=16, quick_epochs=4), 0, "recipe"),
        (replace(SHORT, lr=0.02), 0, "recipe_hash"),
        (replace(SHORT, quick_epochs=6), 0, "epochs"),
        (SHORT, 1, "seed"),
    ],
)
def test_a_checkpoint_of_another_run(few_digits, tmp_path, refused, other, seed, key):
    SHORT.fit(out=tmp_path)
    with refused(f"is of {key} ", "resume with what it was started with"):
        other.fit(seed=seed, out=tmp_path, resume=True)


def test_an_unknown_profile(refused):
    with refused("got profile 'quikc'", "expected quick or full", "did you mean 'quick'"):
        SHORT.fit("quikc")


def test_the_full_profile_needs_the_full_data(tmp_path, refused):
    with refused(f"got the data folder {tmp_path}", "four MNIST files"):
        SHORT.fit("full", root=tmp_path)


def test_quick_trains_on_the_embedded_digits_and_full_on_all(monkeypatch, made_up):
    asked = []

    def note(split, source, root=None):
        asked.append((split, source, root))
        return made_up

    monkeypatch.setattr("gmlib.experiment.mnist", note)
    short = replace(SHORT, epochs=1, quick_epochs=1)
    short.fit("quick", root="folder")
    short.fit("full", root="folder")
    assert {(split, source) for split, source, _ in asked[:2]} == {("train", "mnist5k"), ("validation", "mnist5k")}
    assert {(split, source) for split, source, _ in asked[2:]} == {("train", "mnist"), ("validation", "mnist")}
    assert {root for _, _, root in asked} == {"folder"}


@pytest.mark.parametrize("classes", [0, 10])
def test_measure_names_the_metrics_after_their_data(monkeypatch, made_up, classes):
    """With draws and means against binarised and grey test digits, as many as there are of them."""
    asked, measured = [], []

    def note(split, source, root=None):
        asked.append((split, source))
        return made_up if source == "mnist" else made_up[:32]

    def measure_samples(samples, reference, floor, frequencies, labels=None, floor_labels=None):
        measured.append((samples, reference, floor, labels, floor_labels))
        assert frequencies.sum() == pytest.approx(1)
        return {"fid": 1.0, "fid_floor": 0.5}

    monkeypatch.setattr("gmlib.experiment.mnist", note)
    monkeypatch.setattr("gmlib.experiment.measure_samples", measure_samples)
    monkeypatch.setattr("gmlib.experiment.IWAE_SAMPLES", 3)
    recipe = replace(SHORT, num_classes=classes, finer_samples=7)
    networks = recipe.build()
    metrics = recipe.measure(networks, full=True)
    names = ["test_elbo", "test_log_px", "kl", "n", "test_log_likelihood", "log_likelihood_samples"]
    names += ["fid", "fid_floor", "mean_fid", "mean_fid_floor", "test_log_likelihood_7"]
    names += ["test_log_likelihood_given_label", "bayes_accuracy"] if classes else []
    assert sorted(metrics) == sorted(names + [f"mnist5k_{name}" for name in names])
    assert set(asked) == {(split, source) for split in ("test", "train") for source in ("mnist", "mnist5k")}
    assert (metrics["n"], metrics["mnist5k_n"]) == (64, 32)
    for prefix in ("", "mnist5k_"):
        elbo = metrics[f"{prefix}test_log_px"] - metrics[f"{prefix}kl"]
        assert metrics[f"{prefix}test_elbo"] == pytest.approx(elbo, abs=2e-4)
    for (samples, reference, floor, labels, floor_labels), (test, binary) in zip(
        measured, [(made_up, True), (made_up, False), (made_up[:32], True), (made_up[:32], False)], strict=True
    ):
        assert torch.equal(reference, test.binarised() if binary else test.grey())
        assert len(samples) == len(floor) == len(test)
        assert all(bool(((x == 0) | (x == 1)).all()) is binary for x in (samples, floor))
        assert (labels is None) == (floor_labels is None) == (classes == 0)
    assert sorted(recipe.measure(networks)) == sorted(f"mnist5k_{name}" for name in names)


def test_a_checkpoint_of_another_device_or_precision(few_digits, tmp_path, refused, monkeypatch):
    """A generator's state cannot move between devices, so the run cannot either."""
    SHORT.fit(out=tmp_path)
    with refused("is of precision 'float32'", "this run is of 'bfloat16'", "another --out"):
        SHORT.fit(out=tmp_path, resume=True, precision="bfloat16")
    folder = Folder(tmp_path, {"device": "cuda"})
    with folder, refused("is of device 'cpu'", "this run is of 'cuda'", "another --out"):
        folder.open(SHORT.start(SHORT.build(), few_digits, 0), resume=True)


def test_bfloat16_computes_otherwise_but_sums_in_float32(few_digits):
    exact, rough = SHORT.fit(), SHORT.fit(precision="bfloat16")
    assert rough.about["precision"] == "bfloat16"
    assert all(parameter.dtype == torch.float32 for parameter in rough.vae.parameters())
    assert not equal(exact, rough)
    # eight bits of mantissa in the networks move the bound by less than a percent; sums of 784 in them would not
    for a, b in zip(exact.history.column("train_elbo"), rough.history.column("train_elbo"), strict=True):
        assert a == pytest.approx(b, rel=0.01)


def test_the_classifier_goes_on_bit_for_bit(few_digits, always, tmp_path):
    """Its weights do not lie in memory in the order of their dimensions, and fused optimisers mind that."""
    short = replace(recipes.CLASSIFIER, batch_size=16, quick_epochs=3)
    whole = short.fit(seed=3)

    def stop(state: State) -> None:
        if state.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        short.fit(seed=3, out=tmp_path, on_step=stop)
    resumed = short.fit(seed=3, out=tmp_path, resume=True)
    assert resumed.history == whole.history
    found, expected = (run.networks["classifier"].state_dict() for run in (resumed, whole))
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_an_unknown_precision(refused):
    with refused("got precision 'float16'", "float32 or bfloat16"):
        SHORT.fit(precision="float16")


def test_no_two_streams_of_a_run_draw_the_same_numbers(few_digits):
    """Order, binarisation, latents, weights and dropout once began with the same seed."""
    state = SHORT.start(SHORT.build(), few_digits, 3)
    generators = [state.generator, state.batches.generator, *(stream(3, name) for name in ("weights", "dropout"))]
    first = [torch.rand(4, generator=generator).tolist() for generator in generators]
    assert len({tuple(numbers) for numbers in first}) == len(generators)
    again = SHORT.start(SHORT.build(), few_digits, 4)
    assert torch.rand(4, generator=again.generator).tolist() not in first


def test_the_classifier_learns_made_up_digits(few_digits):
    short = replace(recipes.CLASSIFIER, batch_size=16, quick_epochs=12)
    run = short.fit(seed=1)
    assert run.history.column("validation_accuracy")[-1] > 0.8
    metrics = short.measure(run.networks)
    assert sorted(metrics) == ["mnist5k_n", "mnist5k_test_accuracy", "mnist5k_test_accuracy_binarised"]
    assert metrics["mnist5k_test_accuracy"] > 0.8


def test_the_likelihood_of_a_conditional_model_is_that_of_its_labels(monkeypatch):
    monkeypatch.setattr("gmlib.experiment.IWAE_SAMPLES", 20)
    test = mnist("test")[:60]
    monkeypatch.setattr("gmlib.experiment.mnist", lambda split, source, root=None: test)
    monkeypatch.setattr("gmlib.experiment.measure_samples", lambda *_, **__: {})
    run = recipes.pretrained("cvae")
    found = recipes.CVAE.measure(run.networks)
    given = log_likelihood(run.vae, test.binarised(), test.labels, samples=20).mean().item()
    assert found["mnist5k_test_log_likelihood_given_label"] == pytest.approx(given, abs=1)  # other draws
    worth = found["mnist5k_test_log_likelihood_given_label"] - found["mnist5k_test_log_likelihood"]
    assert 0 < worth <= math.log(10)
    assert found["mnist5k_bayes_accuracy"] > 0.8


def test_a_finer_estimate_takes_the_draws_that_the_recipe_asks_for(few_digits, monkeypatch):
    asked = []

    def note(vae, images, samples, watch):
        asked.append(samples)
        return torch.full((len(images),), float(-samples))

    monkeypatch.setattr("gmlib.experiment.log_likelihood", note)
    found = replace(SHORT, finer_samples=7).measure(SHORT.build())
    assert asked == [5, 7]
    assert (found["mnist5k_test_log_likelihood"], found["mnist5k_test_log_likelihood_7"]) == (-5, -7)
