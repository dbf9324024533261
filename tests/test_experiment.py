"""Fitting a recipe: the same seed gives the same run, and a folder lets it go on where it stopped."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from gmlib import recipes
from gmlib.models import VAE
from gmlib.train import State

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


@pytest.mark.parametrize("optimiser", [torch.optim.Adam, torch.optim.SGD])
def test_stopped_and_resumed_is_never_stopped(few_digits, tmp_path, optimiser):
    recipe = replace(SHORT, optimiser=optimiser, lr=1e-2 if optimiser is torch.optim.Adam else 1e-4)
    whole = recipe.fit(seed=3, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        recipe.fit(seed=3, out=tmp_path / "parts", on_epoch=stop_after(2))
    epochs = []
    resumed = recipe.fit(seed=3, out=tmp_path / "parts", resume=True, on_epoch=lambda state: epochs.append(state.epoch))
    assert epochs == [3, 4]
    assert equal(whole, resumed)
    assert whole.history == resumed.history
    for name in ("history.csv",):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    parts, never = (load_file(tmp_path / folder / "checkpoint.safetensors") for folder in ("parts", "whole"))
    assert parts.keys() == never.keys()
    assert all(torch.equal(parts[key], never[key]) for key in parts)
    assert equal(whole, recipe.fit(seed=3, out=tmp_path / "parts", resume=True))  # nothing is left to do


def test_a_folder_gets_a_checkpoint_and_the_history_after_each_epoch(few_digits, tmp_path):
    lines = []

    def look(state: State) -> None:
        assert (tmp_path / "run" / "checkpoint.safetensors").is_file()
        lines.append(len((tmp_path / "run" / "history.csv").read_text().splitlines()))

    SHORT.fit(out=tmp_path / "run", on_epoch=look)
    assert lines == [2, 3, 4, 5]  # a header and a row an epoch
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["checkpoint.safetensors", "history.csv"]


@pytest.mark.parametrize("seed", [-1, 2**31, 10**20])
def test_a_seed_out_of_range(few_digits, refused, seed):
    with refused(f"got seed {seed}", "from 0 to 2,147,483,647"):
        SHORT.fit(seed=seed)


def test_a_folder_that_holds_a_run(few_digits, tmp_path, refused):
    SHORT.fit(out=tmp_path)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with refused(f"{tmp_path} holds a run already", "--resume", "another --out"):
        SHORT.fit(out=tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


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


def test_measure_names_the_metrics_after_their_data(monkeypatch, made_up):
    sources = []

    def note(split, source, root=None):
        sources.append((split, source))
        return made_up if source == "mnist" else made_up[:32]

    monkeypatch.setattr("gmlib.experiment.mnist", note)
    metrics = SHORT.measure(SHORT.build(), full=True)
    names = ["test_elbo", "test_log_px", "kl", "n"]
    assert sorted(metrics) == sorted(names + [f"mnist5k_{name}" for name in names])
    assert sources == [("test", "mnist"), ("test", "mnist5k")]
    assert (metrics["n"], metrics["mnist5k_n"]) == (64, 32)
    for prefix in ("", "mnist5k_"):
        elbo = metrics[f"{prefix}test_log_px"] - metrics[f"{prefix}kl"]
        assert metrics[f"{prefix}test_elbo"] == pytest.approx(elbo, abs=2e-4)
    assert sorted(SHORT.measure(SHORT.build())) == sorted(f"mnist5k_{name}" for name in names)


def test_a_checkpoint_of_another_device(few_digits, tmp_path, refused, monkeypatch):
    """A generator's state cannot move between devices, so the run cannot either."""
    SHORT.fit(out=tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes().replace(b'\\"device\\": \\"cpu\\"', b'\\"device\\": \\"gpu\\"'))
    with refused("is of device 'gpu'", "this run is of 'cpu'", "another --out"):
        SHORT.fit(out=tmp_path, resume=True)
