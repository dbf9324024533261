"""The command line: what it writes, and that a mistake costs one sentence and status 2."""

import hashlib
import io
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from gmlib import recipes, zoo
from gmlib.cli import has_mnist, main
from gmlib.data import ImageDataset, load
from gmlib.data.known import MNIST_MD5
from gmlib.errors import InputError
from gmlib.experiments.evaluate import save
from gmlib.experiments.fit import fit_profile
from gmlib.experiments.tables import expected, spell
from gmlib.figures import image_grid
from gmlib.figures.grids import tile
from gmlib.figures.style import png
from gmlib.progress import Progress

EMPTY = bytes([0, 0, 8, 1, 0, 0, 0, 0])  # an IDX file of no numbers
SHORT = replace(recipes.VAE, batch_size=16, quick_epochs=3)


@pytest.fixture
def gmlib(capsys):
    """Run a command; give its status, output and error output."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        return left.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture
def mistake(gmlib):
    """Run a command that has to end with status 2, nothing on stdout and one line, with these parts, on stderr."""

    def check(arguments: list[object], *parts: object) -> None:
        status, out, err = gmlib(*arguments)
        assert status == 2
        assert out == ""
        assert re.fullmatch(r"gmlib: [^\n]+\n", err), err
        assert [part for part in parts if str(part) not in err] == [], err

    return check


@pytest.fixture
def short(few_digits, monkeypatch):
    """A `vae` that trains in a moment."""
    monkeypatch.setitem(recipes.ALL, "vae", SHORT)
    return SHORT


@pytest.fixture
def trained(short, tmp_path) -> Path:
    folder = tmp_path / "trained"
    save(fit_profile(short, seed=1, out=folder), folder)
    return folder


def test_list_names_every_recipe_and_what_is_shipped(gmlib, tmp_path, monkeypatch):
    shutil.copytree(zoo.WEIGHTS, tmp_path / "weights")
    (tmp_path / "weights" / "vae_no_bn.json").unlink()
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "weights")
    status, out, err = gmlib("list")
    assert (status, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert list(lines) == list(recipes.ALL)
    assert " shipped " in lines["vae"]
    assert " not shipped " not in lines["vae"]
    assert " not shipped " in lines["vae_no_bn"]
    assert all(recipes.ALL[name].about in line for name, line in lines.items())


def test_show_prints_settings_departures_and_layers(gmlib):
    status, out, err = gmlib("show", "vae")
    assert (status, err) == (0, "")
    for text in ("batch_norm", "latent_dim", "Adam", "learning rate", "encoder.net.0", "158,588"):
        assert text in out


def test_train_leaves_a_run_and_tells_its_metrics(gmlib, short, tmp_path):
    out_folder = tmp_path / "deep" / "run"
    status, out, err = gmlib("train", "vae", "--seed", 4, "--out", out_folder, "--device", "cpu")
    assert status == 0, err
    names = {path.name for path in out_folder.iterdir() if "checkpoint" not in path.name}
    assert names == {".gmlib.lock", "history.csv", "vae.safetensors", "vae.json"}
    row = r"^epoch +\d/3  train_elbo -\d+\.\d  validation_elbo .*  [\d,]+ images/s  00:00 left$"
    assert len(re.findall(row, out, re.M)) == 3
    run = zoo.load_run(out_folder, "vae")
    assert run.about["seed"] == 4
    assert f"{run.metrics['mnist5k_test_elbo']:.2f}" in out
    assert f"gmlib sample {out_folder}" in out


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_train_takes_another_length(gmlib, short, tmp_path, profile):
    command = ["train", "vae", "--profile", profile, "--epochs", 2, "--out", tmp_path, "--device", "cpu"]
    status, out, err = gmlib(*command)
    assert status == 0, err
    assert re.findall(r"^epoch +(\d)/2", out, re.M) == ["1", "2"]
    assert gmlib(*command, "--resume")[0] == 0
    assert gmlib("sample", tmp_path, "--out", tmp_path / "sheet.png")[0] == 0


def test_a_run_of_no_epochs(mistake):
    mistake(["train", "vae", "--epochs", 0], "got --epochs 0", "1 or more")


def test_train_names_the_folder_after_recipe_profile_and_seed(gmlib, short, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert gmlib("train", "vae", "--seed", 2, "--device", "cpu")[0] == 0
    assert (tmp_path / "runs" / "vae-quick-2" / "vae.json").is_file()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert gmlib("train", "vae", "--out", ".", "--device", "cpu")[0] == 0
    assert (tmp_path / "here" / "vae.json").is_file()


# pictures


def ink(path: Path) -> np.ndarray:
    """Read a picture: 1 where it is black, 0 where it is white."""
    return 1 - np.asarray(Image.open(path).convert("L"), dtype=float) / 255


def box(sheet: np.ndarray) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero((sheet > 0.5).any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


@pytest.mark.parametrize("options", [["--seed", "3"], ["--seed", "3", "--mean"]])
def test_sample_writes_the_pixels_that_the_run_draws(gmlib, trained, tmp_path, options):
    path = tmp_path / "pictures" / "samples.png"
    status, out, err = gmlib("sample", trained, "-n", 7, "--out", path, *options)
    assert (status, err) == (0, "")
    assert out.startswith(f"wrote {path}: 7 {'probability maps' if '--mean' in options else 'draws'} from vae, seed 3")

    run = zoo.load_run(trained, "vae")
    images = run.model.sample(7, generator=torch.Generator().manual_seed(3), mean="--mean" in options)
    sheet = tile(images, 3).numpy()
    # ink is cut out of both; then the middle of each pixel of the sheet is looked up in the picture
    picture, expected = ink(path), sheet[box(sheet)]
    found = picture[box(picture)]
    rows = ((np.arange(expected.shape[0]) + 0.5) * found.shape[0] / expected.shape[0]).astype(int)
    columns = ((np.arange(expected.shape[1]) + 0.5) * found.shape[1] / expected.shape[1]).astype(int)
    assert np.abs(found[np.ix_(rows, columns)] - expected).max() < 0.01
    assert expected.std() > 0.1


def test_sample_from_a_shipped_recipe(gmlib, tmp_path):
    first, again, other = (tmp_path / name for name in ("a.png", "b.png", "c.PNG"))
    for path, seed in ((first, 0), (again, 0), (other, 1)):
        assert gmlib("sample", "vae", "-n", 2, "--seed", seed, "--out", path)[0] == 0
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() != other.read_bytes()


# evaluation


@pytest.fixture
def quick_measures(few_digits, monkeypatch):
    """No network over the samples."""
    monkeypatch.setattr(
        "gmlib.metrics.models.measure_samples", lambda *_, **__: {"fid": 20.25, "fid_real": 1.5, "digits": 9}
    )


@pytest.fixture
def without_mnist(monkeypatch, tmp_path):
    """A machine where the full set is not at hand."""
    monkeypatch.delenv("GMLIB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_evaluate_reproduces_what_is_stored(gmlib, short, quick_measures, without_mnist, tmp_path, monkeypatch):
    run = save(fit_profile(short, out=tmp_path / "run"), tmp_path / "run")
    out_file = tmp_path / "deep" / "found.json"
    status, out, err = gmlib("evaluate", tmp_path / "run", "--out", out_file)
    assert (status, err) == (0, "")
    assert re.search(r"^fid +20\.250 +1\.500$", out, re.M)
    assert re.search(r"^digits +9$", out, re.M)
    assert re.search(rf"^test_elbo +{run.metrics['mnist5k_test_elbo']:.2f}$", out, re.M)
    assert f"all {len(run.metrics)} as stored with the run" in out
    assert "the official test digits are not at hand" in out
    record = json.loads(out_file.read_text())
    assert record["metrics"] == run.metrics
    assert record["recipe_hash"] == short.hash

    record = json.loads((tmp_path / "run" / "vae.json").read_text())
    record["metrics"]["mnist5k_fid"] = 20.3
    (tmp_path / "run" / "vae.json").write_text(json.dumps(record))
    monkeypatch.chdir(tmp_path)
    status, out, err = gmlib("evaluate", tmp_path / "run")
    assert (status, err) == (0, "")
    assert "not as stored: mnist5k_fid was 20.300" in out
    assert (tmp_path / "run" / "evaluation.json").is_file()


def test_evaluate_measures_on_official_digits_where_they_are_at_hand(
    gmlib, short, trained, quick_measures, tmp_path, monkeypatch
):
    monkeypatch.setattr("gmlib.cli.mnist_folder", lambda root: root)
    monkeypatch.setattr("gmlib.cli.of_mnist", lambda chosen: chosen == str(tmp_path))  # as the files would say
    status, out, err = gmlib("evaluate", trained, "--data", tmp_path, "--out", tmp_path / "found.json")
    assert (status, err) == (0, "")
    assert re.search(r"^fid +20\.250 +1\.500 +20\.250 +1\.500$", out, re.M)
    assert "not at hand" not in out


def test_an_empty_variable_is_not_set(without_mnist, monkeypatch):
    monkeypatch.setenv("GMLIB_DATA", "")
    assert has_mnist(None) is False
    monkeypatch.setenv("GMLIB_DATA", "nowhere")
    with pytest.raises(InputError):
        has_mnist(None)


def test_evaluations_that_cannot_be_made(mistake, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("gmlib.cli.load", load)
    (tmp_path / "empty").mkdir()
    mistake(["evaluate", trained, "--data", tmp_path / "empty"], f"got {tmp_path / 'empty'} without pictures", "IDX")
    mistake(["evaluate", trained, "--out", tmp_path / "x.txt"], "x.txt", "ends in .json")
    mistake(["evaluate", "vea"], "got 'vea'", "did you mean 'vae'?")
    (trained / "vae.json").unlink()
    mistake(["evaluate", trained], f"no finished run in {trained}", "--resume")


@pytest.mark.parametrize("name", ["vae.json", "mine.json"])
def test_an_evaluation_replaces_no_record_and_no_file_of_ones_own(mistake, trained, monkeypatch, name):
    """Before anything is measured."""
    (trained / "mine.json").write_text('{"metrics": "none"}')
    before = {path: path.read_bytes() for path in trained.iterdir()}
    monkeypatch.setattr("gmlib.metrics.models.mean_elbo", lambda *_, **__: pytest.fail("measured first"))
    mistake(["evaluate", trained, "--out", trained / name], trained / name, "no evaluation", "another --out")
    assert {path: path.read_bytes() for path in trained.iterdir()} == before


def test_two_runs_of_one_recipe_are_evaluated_into_two_files(gmlib, short, quick_measures, without_mnist, tmp_path):
    for seed in (1, 2):
        save(fit_profile(short, seed=seed), tmp_path / str(seed))
    for _ in range(2):  # the second time in place of the first
        for seed in (1, 2):
            status, out, err = gmlib("evaluate", tmp_path / str(seed))
            assert (status, err) == (0, "")
            assert f"wrote {tmp_path / str(seed) / 'evaluation.json'}" in out
    for seed in (1, 2):
        assert json.loads((tmp_path / str(seed) / "evaluation.json").read_text())["seed"] == seed


@pytest.fixture
def shipped_pair(short, quick_measures, without_mnist, tmp_path, monkeypatch) -> Path:
    """The folder of all that ships: two runs that trained for a moment."""
    other = replace(SHORT, name="vae_no_bn", batch_norm=False)
    monkeypatch.setattr(recipes, "ALL", {"vae": SHORT, "vae_no_bn": other})
    folder = tmp_path / "weights"
    for recipe in recipes.ALL.values():
        save(fit_profile(recipe, "full"), folder)
    monkeypatch.setattr(zoo, "WEIGHTS", folder)
    return folder


def stored(path: Path, **metrics: float) -> None:
    """Write other metrics into a record."""
    record = json.loads(path.read_text())
    record["metrics"] |= metrics
    path.write_text(json.dumps(record))


def test_evaluate_all_holds_each_shipped_metric_to_its_printed_digits(gmlib, shipped_pair, tmp_path, monkeypatch):
    record = json.loads((shipped_pair / "vae.json").read_text())["metrics"]
    embedded = [name for name in record if name.startswith("mnist5k_")]
    assert 2 * len(embedded) == len(record)
    stored(
        shipped_pair / "vae.json", mnist5k_fid=20.2504, fid=999.0
    )  # the one prints alike, the other cannot be measured
    status, out, err = gmlib("evaluate", "--all")
    assert (status, err) == (0, "")
    assert re.search(r"^vae +mnist5k_fid +20\.250 +20\.250 +yes$", out, re.M)
    assert re.findall(r"^(vae|vae_no_bn) +(\w+) ", out, re.M) == [
        (n, m) for n in ("vae", "vae_no_bn") for m in embedded
    ]
    assert "the official test digits are not at hand" in out
    assert f"all {2 * len(embedded)} metrics of 2 runs are as stored" in out

    monkeypatch.setattr("gmlib.cli.mnist_folder", lambda root: root)
    status, out, err = gmlib("evaluate", "--all", "--data", tmp_path)
    assert (status, err) == (1, "")
    assert re.search(r"^vae +fid +999\.000 +20\.250 +no$", out, re.M)
    assert re.findall(r"^(\w+) .* no$", out, re.M) == ["vae"]
    assert f"not as stored in {shipped_pair}: 1 of vae\n" in out
    assert "gmlib train NAME --profile full --out runs/full/NAME" in out


@pytest.mark.parametrize(("metric", "value"), [("mnist5k_fid", 20.251), ("mnist5k_digits", 8), ("mnist5k_lost", 1.0)])
def test_evaluate_all_ends_with_status_1_where_a_metric_is_not_as_stored(gmlib, shipped_pair, metric, value):
    stored(shipped_pair / "vae_no_bn.json", **{metric: value})
    status, out, _ = gmlib("evaluate", "--all")
    assert status == 1
    assert re.findall(r"^(\w+) +(\w+) .* no$", out, re.M) == [("vae_no_bn", metric)]
    assert "1 of vae_no_bn" in out


def test_evaluate_wants_a_run_or_all(mistake, tmp_path):
    mistake(["evaluate"], "got no run", "--all")
    mistake(["evaluate", "vae", "--all"], "got --all with a run")
    mistake(["evaluate", "--all", "--out", tmp_path / "x.json"], "got --all with a run or --out")
    mistake(["evaluate", "--all", "--data", tmp_path], f"got the data folder {tmp_path}", "four MNIST files")


@pytest.mark.parametrize("kind", ["json", "safetensors"])
@pytest.mark.parametrize("damage", ["missing", "half", "a bit"])
def test_a_damaged_shipped_run_is_named_with_the_command_that_makes_it(
    mistake, shipped_pair, tmp_path, monkeypatch, kind, damage
):
    """Before anything is measured."""
    path = shipped_pair / f"vae_no_bn.{kind}"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "half" else content[:40] + b"\x01" + content[41:])
    if damage == "missing":
        path.unlink()
    monkeypatch.setattr("gmlib.metrics.models.mean_elbo", lambda *_: pytest.fail("measured first"))
    for command in (["evaluate", "--all"], ["sample", "vae_no_bn", "--out", tmp_path / "x.png"]):
        mistake(command, path, "gmlib train vae_no_bn --profile full --out runs/full/vae_no_bn")


def test_retrain_says_what_it_will_take_and_goes_on(gmlib, few_digits, quick_measures, tmp_path, monkeypatch):
    monkeypatch.setattr("gmlib.cli.mnist_folder", lambda root: root)
    monkeypatch.setattr(recipes, "ALL", {"vae": replace(SHORT, epochs=2)})
    monkeypatch.setattr(recipes, "CLASSIFIER", replace(recipes.CLASSIFIER, batch_size=16, epochs=1))
    monkeypatch.setattr("gmlib.cli.expected", lambda names: f"expected {names}")
    command = ["retrain", "--out", tmp_path, "--device", "cpu"]
    status, out, err = gmlib(*command)
    assert (status, err) == (0, "")
    assert out.startswith("expected ['classifier', 'vae']\ntraining classifier\nepoch    1/1  loss")
    assert out.index("wrote") < out.index("training vae")
    record = json.loads((tmp_path / "vae" / "vae.json").read_text())
    (tmp_path / "vae" / "vae.json").write_text(json.dumps(record | {"data": "mnist5k/train"}))  # no full run
    status, out, _ = gmlib(*command)
    assert status == 0
    assert f"classifier is done: {tmp_path / 'classifier'}\ntraining vae\n" in out
    assert (tmp_path / "vae" / "vae.json").is_file()


def test_what_full_runs_take_is_read_from_those_that_ship():
    seconds = {name: zoo.pretrained(name).about["seconds"] for name in ("classifier", "vae")}
    text = expected(["classifier", "vae"])
    for name, value in seconds.items():
        assert re.search(rf"^{name} +{re.escape(spell(value))} on cpu$", text, re.M)
    assert re.search(rf"^in all +{re.escape(spell(sum(seconds.values())))}", text, re.M)
    assert [spell(value) for value in (40, 754, 12600)] == ["40 s", "13 min", "3.5 h"]


# mistakes


def test_unknown_names(mistake, tmp_path):
    mistake(["train", "vea"], "got recipe 'vea'", "did you mean 'vae'?")
    mistake(["show", "vae_nobn"], "got recipe 'vae_nobn'", "did you mean 'vae_no_bn'?")
    mistake(["sample", "vea", "--out", tmp_path / "x.png"], "got 'vea'", "did you mean 'vae'?")
    mistake(["train", "vae", "--profile", "ful"], "got profile 'ful'", "quick or full", "did you mean 'full'?")
    mistake(["train", "vae", "--device", "gpu", "--out", tmp_path / "r"], "got device 'gpu'", "expected auto", "cpu")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has the device that is asked for")
def test_a_device_that_is_not_there(mistake, tmp_path):
    mistake(["train", "vae", "--device", "cuda", "--out", tmp_path / "r"], "got device 'cuda'", "cpu")


def test_a_data_folder_without_the_files(mistake, tmp_path, monkeypatch):
    command = ["train", "vae", "--profile", "full", "--device", "cpu", "--out", tmp_path / "run"]
    mistake([*command, "--data", tmp_path], f"got {tmp_path} without pictures", "IDX format")
    mistake(["retrain", "--data", tmp_path], f"got the data folder {tmp_path}", "--data", "GMLIB_DATA", "--download")
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "elsewhere"))
    mistake(command, f"got the data folder {tmp_path / 'elsewhere'}", "expected the four MNIST files")
    assert not (tmp_path / "run").exists()


def test_what_was_downloaded_is_what_is_trained_on(gmlib, short, made_up, tmp_path, monkeypatch):
    """Also where --data or GMLIB_DATA name a folder without the files: that is when a reader asks for the download."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "empty"))
    raw, asked = tmp_path / "cache" / "gmlib" / "MNIST" / "raw", []
    for name in MNIST_MD5:
        monkeypatch.setitem(MNIST_MD5, name, hashlib.md5(EMPTY).hexdigest())

    def fetch(root: str, download: bool) -> None:
        fetched = Path(root) / "MNIST" / "raw"
        fetched.mkdir(parents=True)
        for name in MNIST_MD5:
            (fetched / name).write_bytes(EMPTY)

    def note(source, split, root=None, **_):
        if source == "mnist":
            asked.append(root)
        return ImageDataset(made_up.images, made_up.labels, name=f"{source}/{split}")

    monkeypatch.setattr("torchvision.datasets.MNIST", fetch)
    for place in ("cli", "experiments.evaluate"):
        monkeypatch.setattr(f"gmlib.{place}.load", note)
    monkeypatch.setitem(recipes.ALL, "vae", replace(short, epochs=1))
    command = ["train", "vae", "--profile", "full", "--download", "--device", "cpu", "--out", tmp_path / "run"]
    status, _, err = gmlib(*command)
    assert status == 0, err
    assert asked == [raw] * 5  # three splits to train, and two to measure


def test_a_folder_that_cannot_be_written(gmlib, short, tmp_path, monkeypatch):
    """It is found out before an epoch is spent."""
    (tmp_path / "file").write_text("here")
    monkeypatch.setattr("gmlib.experiments.fit.fit_vae", lambda *args, **kwargs: pytest.fail("trained first"))
    status, _, err = gmlib("train", "vae", "--device", "cpu", "--out", tmp_path / "file" / "run")
    assert status == 2
    assert re.fullmatch(r"gmlib: cannot write [^\n]*file/run[^\n]*writable[^\n]*\n", err)
    assert (tmp_path / "file").read_text() == "here"


def test_a_folder_that_holds_a_run(mistake, trained):
    before = {path: path.read_bytes() for path in trained.iterdir()}
    mistake(["train", "vae", "--out", trained, "--device", "cpu"], f"{trained} holds a run already", "--resume")
    assert {path: path.read_bytes() for path in trained.iterdir()} == before


def test_damaged_checkpoints_and_those_of_another_run(mistake, trained):
    command = ["train", "vae", "--resume", "--out", trained, "--device", "cpu", "--seed"]
    mistake([*command, 2], "is of seed 1", "this run is of 2", "another --out")
    for path in trained.glob("checkpoint-*"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    logging.getLogger("gmlib").disabled = True  # what it reports is tested with the folder
    try:
        mistake([*command, 1], f"cannot read any checkpoint in {trained}", "train again")
    finally:
        logging.getLogger("gmlib").disabled = False


def test_a_run_that_diverges(gmlib, short, tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.ALL, "vae", replace(short, lr=1e30))
    status, _, err = gmlib("train", "vae", "--device", "cpu", "--out", tmp_path / "run")
    assert status == 2
    assert "Traceback" not in err
    assert re.fullmatch(
        r"gmlib: training has diverged: [^\n]* epoch 1[^\n]*last good checkpoint[^\n]*lower[^\n]*\n", err
    )


def test_curves_for_tensorboard(gmlib, short, tmp_path, monkeypatch, mistake):
    command = ["train", "vae", "--tensorboard", "--device", "cpu", "--out"]
    status, _, err = gmlib(*command, tmp_path / "run")
    assert status == 0, err
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    found = [(event.step, event.value) for event in events.Scalars("validation_elbo")]
    history = zoo.load_run(tmp_path / "run", "vae").history
    assert found == [(row["epoch"], pytest.approx(row["validation_elbo"], rel=1e-6)) for row in history.rows]

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    mistake([*command, tmp_path / "other"], "TensorBoard is not installed", "pip install 'gmlib[tensorboard]'")
    assert not (tmp_path / "other").exists()


def test_a_bar_where_there_is_a_terminal(few_digits, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    rows = []
    progress = Progress(3, rows.append)
    fit_profile(SHORT, on_step=progress.step, on_epoch=progress.epoch)
    progress.close()
    last = sys.stderr.getvalue().split("\r")[-1]
    assert rows == []
    assert re.search(r"epoch 3/3: 100%.*192/192 \[.*img/s, train_elbo -\d+\.\d  validation_elbo -\d+\.\d", last), last


def test_the_classifier_draws_nothing(mistake, tmp_path):
    mistake(["sample", "classifier", "--out", tmp_path / "x.png"], "got the classifier", "vae, vae_no_bn")


def test_samples_that_cannot_be_drawn(mistake, trained, tmp_path):
    out = ["--out", tmp_path / "x.png"]
    mistake(["sample", trained, "-n", 0, *out], "got n = 0", "expected 1 or more")
    mistake(["sample", trained, "-n", -1, "--label", 3, *out], "got n = -1", "expected 1 or more")
    mistake(["sample", trained, "-n", 10**12, *out], "got n = 1000000000000", "at most 10,000")
    for seed in (-1, 10**20):
        mistake(["sample", trained, "--seed", seed, *out], f"got seed {seed}", "from 0 to 2,147,483,647")
    for label in (3, 12, -1, 10**20, "three"):
        mistake(
            ["sample", trained, "--label", label, *out], f"got --label {label}", "unconditional", "conditional recipe"
        )
    mistake(["sample", trained, "--out", tmp_path / "x.jpg"], "x.jpg", "ends in .png")
    mistake(["sample", trained, "--out", trained / "vae.json" / "x.png"], "cannot write", "writable")
    (trained / "vae.json").unlink()
    mistake(["sample", trained, *out], f"no finished run in {trained}", "--resume")
    assert not (tmp_path / "x.png").exists()


def test_a_folder_of_several_runs(mistake, trained, tmp_path):
    for name in ("vae", "vae_no_bn"):
        shutil.copy(zoo.WEIGHTS / f"{name}.json", trained)
    mistake(["sample", trained, "--out", tmp_path / "x.png"], "several runs", "vae, vae_no_bn", "its own folder")


@pytest.mark.parametrize("path", ["x" * 300, Path("y" * 300, "run")])
def test_a_path_that_the_file_system_does_not_take(mistake, short, tmp_path, path):
    mistake(
        ["train", "vae", "--device", "cpu", "--out", tmp_path / path],
        "cannot",
        "x" * 9 if path == "x" * 300 else "y" * 9,
    )
    mistake(["sample", tmp_path / path, "--out", tmp_path / "x.png"], "xxx" if path == "x" * 300 else "yyy")


def test_what_would_stop_a_run_at_its_end_stops_it_at_its_beginning(mistake, short, few_digits, tmp_path, monkeypatch):
    monkeypatch.setattr("gmlib.training.state.State.note", lambda *args, **kwargs: pytest.fail("trained first"))
    command = ["train", "vae", "--device", "cpu", "--out"]
    (tmp_path / "taken" / "vae.safetensors").mkdir(parents=True)
    mistake([*command, tmp_path / "taken"], "vae.safetensors", "no checkpoint")
    (tmp_path / "fixed").mkdir()
    (tmp_path / "fixed" / "vae.safetensors").write_text("")
    (tmp_path / "fixed" / "vae.safetensors").chmod(0o444)
    mistake([*command, tmp_path / "fixed"], "vae.safetensors", "no checkpoint")

    def only_test_is_damaged(source, split, root=None, **_):
        if split == "test":
            raise InputError("the test digits are damaged")
        return few_digits

    with monkeypatch.context() as patch:
        patch.setattr("gmlib.cli.load", only_test_is_damaged)
        mistake([*command, tmp_path / "run", "--profile", "full"], "the test digits are damaged")
    monkeypatch.setattr("gmlib.scorers.shipped_scorer", lambda: only_test_is_damaged("mnist", "test"))
    mistake([*command, tmp_path / "run"], "damaged")
    assert not (tmp_path / "run").exists()


def test_where_nothing_can_be_written_nothing_is_drawn_or_measured(mistake, trained, tmp_path, monkeypatch):
    (tmp_path / "x.png").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("gmlib.cli.find_run", lambda source: pytest.fail("read first"))
        mistake(["sample", trained, "--out", tmp_path / "x.png"], "is a folder")
        mistake(["sample", trained, "--out", trained / "vae.json" / "x.png"], "Not a directory")
    monkeypatch.setattr("gmlib.metrics.models.mean_elbo", lambda *_, **__: pytest.fail("measured first"))
    mistake(["evaluate", trained, "--out", trained / "vae.json" / "x.json"], "Not a directory")


def test_a_folder_that_was_meant(mistake, trained, tmp_path, monkeypatch):
    out = ["--out", tmp_path / "x.png"]
    mistake(["sample", tmp_path / "traned", *out], "found no folder", f"did you mean '{trained}'")
    mistake(["sample", tmp_path / "no" / "folder", *out], "found no folder", "no/folder")
    mistake(["evaluate", trained / "vae.json"], "got the file", f"give {trained}")
    monkeypatch.chdir(tmp_path)
    mistake(["sample", "traned", *out], "got 'traned'", "did you mean 'trained'")
    mistake(["sample", "", *out], "got an empty name")


def test_a_folder_with_the_name_of_a_recipe_says_that_it_hides_the_shipped_run(gmlib, trained, tmp_path, monkeypatch):
    trained.rename(tmp_path / "vae")
    monkeypatch.chdir(tmp_path)
    status, _, err = gmlib("sample", "vae", "-n", 1)
    assert status == 0
    assert re.fullmatch(r"gmlib: reading the folder vae; the shipped run vae [^\n]*\n", err)
    status, _, err = gmlib("sample", "./vae", "-n", 1)
    assert (status, err) == (0, "")
    (tmp_path / "vae" / "vae.json").unlink()
    status, _, err = gmlib("sample", "vae", "-n", 1)
    assert status == 2
    assert "no finished run in vae" in err
    assert "the shipped run vae is read where" in err


# an environment that is not as usual


@pytest.mark.parametrize("record", ["null", "[]", "3", "[" * 100_000])
def test_a_record_that_is_no_record(mistake, trained, tmp_path, record):
    (trained / "vae.json").write_text(record)
    mistake(["sample", trained, "--out", tmp_path / "x.png"], trained / "vae.json", "gmlib train vae")


def test_a_terminal_with_fewer_letters(monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="cp1251")
    monkeypatch.setattr(sys, "stdout", narrow)
    with pytest.raises(SystemExit) as left:
        main(["show", "dcgan"])
    narrow.flush()
    assert not left.value.code
    assert b"batch_norm" in narrow.buffer.getvalue()


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_closed_output(short, tmp_path, monkeypatch, closed):
    monkeypatch.setattr(sys, closed, None)
    with pytest.raises(SystemExit) as left:
        main(["train", "vae", "--device", "cpu", "--out", str(tmp_path / "run")])
    assert not left.value.code
    assert (tmp_path / "run" / "vae.json").is_file()


def test_the_command_in_a_shell_with_odd_settings(tmp_path):
    """In a process of its own: no matplotlib backend of that name, few letters, stderr closed, a finished job's numbers."""
    job = {"RANK": "1", "WORLD_SIZE": "1", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}
    odd = {"MPLBACKEND": "nonsense", "PYTHONIOENCODING": "cp1251", "OMP_NUM_THREADS": "1"}
    found = subprocess.run(
        f"{sys.executable} -c 'import gmlib_cli; gmlib_cli.main()' sample dcgan -n 1 --out x.png 2>&-",
        shell=True,
        cwd=tmp_path,
        env=os.environ | job | odd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0
    assert "wrote x.png" in found.stdout
    assert ink(tmp_path / "x.png").std() > 0.1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_while_gmlib_is_imported(tmp_path):
    program = """
import signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent in the background has it ignored

class Announce:
    def find_spec(name, path=None, target=None):
        if name == "torch":
            print("begun", flush=True)

sys.meta_path.insert(0, Announce)
import gmlib_cli

gmlib_cli.main()
"""
    command = [sys.executable, "-c", program, "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (-signal.SIGINT, "", "")


def test_options_of_train_that_make_no_sense(mistake, short, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gmlib.experiments.fit.fit_vae", lambda *args, **kwargs: pytest.fail("trained first"))
    mistake(["train", "vae", "--download"], "--download with mnist5k", "expected one of mnist", "--data")
    mistake(["train", "vae", "--download", "--data", tmp_path], f"--download with {tmp_path}", "expected one of mnist")
    for command in (["train", "vae"], ["sample", "vae"], ["evaluate", "vae"], ["retrain"]):
        mistake([*command, "--out", ""], "empty --out", "name one")
    for command in (["train", "vae", "--profile", "full"], ["evaluate", "vae"], ["evaluate", "--all"], ["retrain"]):
        mistake([*command, "--data", ""], "empty --data")
    mistake(["evaluate", "", "--all"], "got --all with a run")
    assert list(tmp_path.iterdir()) == []


def test_a_label_that_the_model_does_not_know(mistake, short, tmp_path, monkeypatch):
    conditional = replace(short, conditional=True)
    monkeypatch.setitem(recipes.ALL, "vae", conditional)
    save(fit_profile(conditional), tmp_path)
    for label in (12, -1, 10**20, "three"):
        mistake(
            ["sample", tmp_path, "--label", label, "--out", tmp_path / "x.png"], f"got --label {label}", "from 0 to 9"
        )


@pytest.mark.parametrize("n", [20, 7])
def test_a_conditional_model_without_a_label_draws_all_ten_and_says_so(gmlib, tmp_path, n):
    out = tmp_path / "x.png"
    status, text, err = gmlib("sample", "cvae", "-n", n, "--seed", 2, "--out", out, "--mean")
    assert (status, err) == (0, "")
    assert (
        f"{n} probability maps from cvae, seed 2; no --label was given, so each column is a class, from 0 to {min(n, 10) - 1}"
        in text
    )
    images = zoo.pretrained("cvae").model.sample(
        n, torch.arange(n) % 10, generator=torch.Generator().manual_seed(2), mean=True
    )
    expected = tmp_path / "expected.png"
    expected.write_bytes(png(image_grid(images, columns=min(n, 10))))
    assert out.read_bytes() == expected.read_bytes()


def test_a_conditional_model_draws_the_digit_asked_for(gmlib, tmp_path):
    status, text, _ = gmlib("sample", "cvae", "-n", 5, "--label", 3, "--out", tmp_path / "x.png")
    assert status == 0
    assert "5 draws" in text
    assert "no --label" not in text


@pytest.fixture
def short_cgan(few_digits, monkeypatch, tmp_path) -> Path:
    """The folder of a conditional GAN that trained for a moment, and kept no critic."""
    recipe = replace(recipes.CGAN, latent_dim=3, batch_size=16, quick_epochs=1, ships_critic=False)
    monkeypatch.setitem(recipes.ALL, "cgan", recipe)
    save(fit_profile(recipe, seed=1), tmp_path / "cgan")
    return tmp_path / "cgan"


@pytest.mark.parametrize(("options", "labels"), [(["--label", "4"], [4] * 12), ([], [*range(10), 0, 1])])
def test_a_conditional_gan_draws_the_digit_asked_for_or_all_ten(gmlib, short_cgan, tmp_path, options, labels):
    out = tmp_path / "x.png"
    status, text, err = gmlib("sample", short_cgan, "-n", 12, "--seed", 2, "--out", out, *options)
    assert (status, err) == (0, "")
    assert text.startswith(f"wrote {out}: 12 draws from cgan, seed 2")
    assert ("no --label was given, so each column is a class, from 0 to 9" in text) is not bool(options)
    run = zoo.load_run(short_cgan, "cgan")
    images = run.model.sample(12, torch.tensor(labels), generator=torch.Generator().manual_seed(2))
    expected = tmp_path / "expected.png"
    expected.write_bytes(png(image_grid(images, columns=4 if options else 10)))
    assert out.read_bytes() == expected.read_bytes()


def test_what_a_gan_cannot_draw(mistake, short_cgan, tmp_path):
    mistake(["sample", short_cgan, "--mean", "--out", tmp_path / "x.png"], "got --mean for a GAN", "not probabilities")
    mistake(["sample", short_cgan, "--label", 12, "--out", tmp_path / "x.png"], "12", "0 to 9")
    assert not (tmp_path / "x.png").exists()


def test_train_and_evaluate_a_gan(gmlib, short_cgan, without_mnist, tmp_path):
    folder = tmp_path / "again"
    status, out, err = gmlib("train", "cgan", "--seed", 1, "--device", "cpu", "--out", folder)
    assert status == 0, err
    assert re.search(r"^epoch +1/1  critic_loss .* generator_loss ", out, re.M)
    names = {path.name for path in folder.iterdir() if "checkpoint" not in path.name}
    assert names == {".gmlib.lock", "history.csv", "cgan.safetensors", "cgan.json"}
    first, again = (load_file(path / "cgan.safetensors") for path in (short_cgan, folder))
    assert first.keys() == again.keys()
    assert all(name.startswith("generator.") and torch.equal(value, again[name]) for name, value in first.items())
    status, out, err = gmlib("evaluate", folder, "--out", tmp_path / "cgan.json")
    assert (status, err) == (0, "")
    assert re.search(r"all \d+ as stored with the run", out)


def test_damaged_weights(mistake, trained, tmp_path):
    path = trained / "vae.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    mistake(["sample", trained, "--out", tmp_path / "x.png"], f"cannot read the weights {path}", "gmlib train vae")


def test_a_misspelt_option_leaves_with_status_2(gmlib):
    status, _, err = gmlib("train", "vae", "--sed", 3)
    assert status == 2
    assert "--sed" in err
    assert "Traceback" not in err


# Ctrl-C


def test_stopped_at_once_by_ctrl_c(gmlib, short, tmp_path, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    command = ["train", "vae", "--device", "cpu", "--out", tmp_path / "run"]
    with monkeypatch.context() as patch:
        patch.setattr("gmlib.cli.Progress.step", stop)
        status, _, err = gmlib(*command)
    assert status == 2
    assert re.fullmatch(rf"gmlib: stopped; {tmp_path / 'run'} keeps the run[^\n]*--resume\n", err), err
    assert gmlib(*command, "--resume")[0] == 0


def test_stopped_while_the_data_is_read(gmlib, short, tmp_path, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("gmlib.cli.load", stop)
    status, _, err = gmlib("train", "vae", "--device", "cpu", "--out", tmp_path / "run")
    assert status == 2
    assert re.fullmatch(r"gmlib: stopped before the first step[^\n]*nothing was kept[^\n]*\n", err)
    assert not (tmp_path / "run").exists()


def test_stopped_again_before_the_first_new_epoch(gmlib, short, trained, monkeypatch):
    """The checkpoint of the earlier start is still there, and the message must not deny it."""

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    before = {path: path.read_bytes() for path in trained.glob("checkpoint-*")}
    monkeypatch.setattr("gmlib.experiments.fit.fit_vae", stop)
    status, _, err = gmlib("train", "vae", "--seed", 1, "--device", "cpu", "--resume", "--out", trained)
    assert status == 2
    assert re.fullmatch(rf"gmlib: stopped[^\n]*{trained} keeps the run[^\n]*--resume\n", err), err
    assert {path: path.read_bytes() for path in trained.glob("checkpoint-*")} == before


def test_ctrl_c_in_retrain_names_the_command_that_goes_on(gmlib, few_digits, tmp_path, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("gmlib.cli.mnist_folder", lambda root: root)
    monkeypatch.setattr(recipes, "ALL", {"vae": replace(SHORT, epochs=2)})
    monkeypatch.setattr(recipes, "CLASSIFIER", replace(recipes.CLASSIFIER, batch_size=16, epochs=1))
    monkeypatch.setattr("gmlib.cli.expected", lambda names: "")
    monkeypatch.setattr("gmlib.cli.Progress.step", stop)
    status, _, err = gmlib("retrain", "--out", tmp_path, "--device", "cpu")
    assert status == 2
    assert re.fullmatch(r"gmlib: stopped; [^\n]* gmlib retrain\n", err), err
    assert "--resume" not in err


def test_stopped_while_the_trained_run_is_measured(gmlib, short, tmp_path, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    command = ["train", "vae", "--device", "cpu", "--out", tmp_path / "run"]
    with monkeypatch.context() as patch:
        patch.setattr("gmlib.metrics.models.mean_elbo", stop)
        status, _, err = gmlib(*command)
    assert status == 2
    assert re.fullmatch(rf"gmlib: stopped; {tmp_path / 'run'} keeps the run[^\n]*--resume\n", err), err
    assert gmlib(*command, "--resume")[0] == 0
    assert (tmp_path / "run" / "vae.json").is_file()


def test_the_installed_command_speaks(tmp_path):
    command = Path(sys.executable).with_name("gmlib")
    if not command.is_file():
        pytest.skip("the gmlib command is not beside this Python: install the package with pip install -e .")
    found = subprocess.run([command, "show", "vea"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert found.returncode == 2
    assert found.stdout == ""
    assert re.fullmatch(r"gmlib: got recipe 'vea'[^\n]*did you mean 'vae'\?\n", found.stderr)
