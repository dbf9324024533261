"""The dataset of a command: a set of one's own is trained on, sampled by class, and measured with a scorer of its own."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gmlib import recipes
from gmlib.data.known import MNIST_MD5
from gmlib.experiments.run import read_run
from tests.unit import test_cli
from tests.unit.data.made import OFFICIAL, idx

gmlib, mistake = test_cli.gmlib, test_cli.mistake  # the fixtures that run a command
NAMES = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
CPU = ["--device", "cpu"]


def drawn(n: int, classes: int, seed: int, size: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """Bars at a place that depends on the class, over weak noise."""
    labels = np.arange(n) % classes
    images = np.random.default_rng(seed).integers(0, 40, (n, size, size))
    for image, label in zip(images, labels, strict=True):
        image[label % 7 * 2 : label % 7 * 2 + 6, label // 7 * 3 : label // 7 * 3 + 5] = 230
    return images, labels


def write(folder: Path, *arrays: np.ndarray) -> Path:
    """Write arrays as the files of a set: images and labels for training, images and labels for testing."""
    folder.mkdir()
    for name, array in zip(OFFICIAL, arrays, strict=True):
        (folder / name).write_bytes(idx(array))
    return folder


@pytest.fixture
def letters(tmp_path, monkeypatch) -> str:
    """A set of 26 classes, in the folder in which the commands run; every recipe trains for one short epoch."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gmlib.metrics.models.IWAE_SAMPLES", 5)
    for name in ("vae", "cvae", "gan"):
        monkeypatch.setitem(recipes.ALL, name, replace(recipes.ALL[name], batch_size=32, quick_epochs=1, epochs=2))
    monkeypatch.setattr(recipes, "CLASSIFIER", replace(recipes.CLASSIFIER, batch_size=32, quick_epochs=1))
    write(tmp_path / "letters", *drawn(936, 26, 0), *drawn(156, 26, 1))
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    return "letters"


@pytest.fixture
def untrained(monkeypatch):
    """Nothing may be trained."""
    for name in ("vae", "gan", "classifier"):
        monkeypatch.setattr(f"gmlib.experiments.fit.fit_{name}", lambda *_, **__: pytest.fail("trained first"))


def record(name: str) -> dict:
    (path,) = Path("runs").glob(f"{name}-*/{name}.safetensors")
    return read_run(path)[0]


def test_from_the_files_of_a_set_to_its_fid(gmlib, letters):
    """In the order of a reader: train, draw by class, evaluate, make the scorer, evaluate again."""
    status, out, err = gmlib("train", "cvae", "--data", letters, "--classes", "names.txt", *CPU)
    assert status == 0, err
    assert "data: letters, 780 train, 156 validation, 156 test, 26 classes; 1 epochs" in out
    sentence = "there is no scorer for letters that was trained on these images, so samples are not measured"
    assert out.count(sentence) == 1
    assert re.search(r"^ +test +real$", out, re.M)
    about = record("cvae")
    assert about["classes"] == list(NAMES)
    assert (about["data"], about["data_from"], about["epochs"]) == ("letters/train", "letters", 1)
    assert {"test_log_likelihood", "bayes_accuracy", "n"} <= set(about["metrics"])
    assert not [name for name in about["metrics"] if "fid" in name or name.startswith("mnist5k_")]

    for label in ("C", "2", "D"):
        assert gmlib("sample", "runs/cvae-letters-0", "-n", 4, "--label", label, "--out", f"{label}.png")[0] == 0
    pictures = [Path(f"{label}.png").read_bytes() for label in ("C", "2", "D")]
    assert pictures[0] == pictures[1] != pictures[2]

    status, out, err = gmlib("evaluate", "runs/cvae-letters-0")
    assert status == 0, err
    assert f"all {len(about['metrics'])} as stored with the run" in out
    assert out.count(sentence) == 1
    assert "fid" not in out

    status, out, err = gmlib("train", "classifier", "--data", letters, *CPU)
    assert status == 0, err
    assert "scorer" not in out
    assert 0 <= record("classifier")["metrics"]["test_accuracy"] <= 1
    status, out, err = gmlib("evaluate", "runs/cvae-letters-0")
    assert status == 0, err
    assert "scorer" not in out
    assert re.search(r"^fid +[\d,]+\.\d{3} +[\d,]+\.\d{3}$", out, re.M)
    assert json.loads(Path("runs/cvae-letters-0/evaluation.json").read_text())["metrics"]["label_accuracy"] >= 0

    status, out, err = gmlib("train", "gan", "--data", letters, *CPU)
    assert status == 0, err
    assert re.search(r"^epoch .* validation_fid \d", out, re.M)
    assert record("gan")["metrics"]["fid"] > 0


def test_a_scorer_of_other_images_is_not_used(gmlib, mistake, letters, tmp_path):
    write(tmp_path / "figures", *drawn(936, 26, 2), *drawn(156, 26, 3))
    assert gmlib("train", "vae", "--data", letters, *CPU)[0] == 0
    assert gmlib("train", "classifier", "--data", "figures", *CPU)[0] == 0
    figures = tmp_path / "runs" / "classifier-figures-0"
    command = ["evaluate", "runs/vae-letters-0"]
    mistake([*command, "--scorer", figures], "got a scorer for figures and samples of letters")
    figures.rename(figures.with_name("classifier-letters-0"))  # as after a change of the images in one folder
    status, out, err = gmlib(*command)
    assert status == 0, err
    assert "there is no scorer for letters" in out
    assert "gmlib train classifier --data letters" in out
    mistake([*command, "--scorer", ""], "empty --scorer")


def test_a_set_without_labels(gmlib, mistake, letters):
    images, test_images = (drawn(n, 26, seed)[0].astype(np.uint8) for n, seed in ((936, 0), (156, 1)))
    np.savez("letters.npz", x_train=images, x_test=test_images)
    for name in ("cvae", "classifier"):
        mistake(["train", name, "--data", "letters.npz", *CPU], "got letters/train without labels")
    assert not Path("runs").exists()
    status, out, err = gmlib("train", "vae", "--data", "letters.npz", "--profile", "full", "--seed", 3, *CPU)
    assert status == 0, err
    assert "156 test, no labels; 2 epochs\nsamples are not measured: letters has no labels" in out
    assert "classifier --data" not in out
    assert record("vae")["metrics"]["test_elbo"] < 0
    assert record("vae")["epochs"] == 2  # with --data, a profile sets the length only
    assert gmlib("evaluate", "runs/vae-letters-3")[0] == 0


def test_a_class_without_test_images_is_refused_before_training(mistake, letters, tmp_path, untrained):
    images, labels = drawn(52, 26, 1)
    write(tmp_path / "lacking", *drawn(312, 26, 0), images, np.where(labels == 25, 0, labels))
    mistake(["train", "vae", "--data", "lacking", *CPU], "without an image of class '25'")
    assert not Path("runs").exists()


def test_a_set_that_is_too_small_for_fid_is_trained_on_without_it(gmlib, mistake, letters, tmp_path):
    write(tmp_path / "few", *drawn(624, 26, 0), *drawn(128, 26, 1))
    assert gmlib("train", "classifier", "--data", "few", *CPU)[0] == 0
    status, out, err = gmlib("train", "gan", "--data", "few", *CPU)
    assert status == 0, err
    assert "FID needs at least 129 images" in out
    assert "128 in few/test" in out
    assert record("gan")["metrics"] == {"n": 128}
    mistake(["evaluate", "runs/gan-few-0", "--scorer", "runs/classifier-few-0"], "got --scorer", "at least 129 images")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--data", "fashon_mnist"], "did you mean 'fashion_mnist'?"),
        (["--data", "small"], "(312, 16, 16)"),
        (["--data", "letters", "--classes", "two.txt"], "labels from 0 to 25"),
        (["--data", "letters", "--classes", "none.txt"], "none.txt"),
        (["--data", "letters", "--classes", ""], "empty --classes"),
    ],
)
def test_data_that_cannot_be_read(mistake, letters, tmp_path, untrained, options, word):
    write(tmp_path / "small", *drawn(312, 26, 0, 16), *drawn(52, 26, 1, 16))
    (tmp_path / "two.txt").write_text("a\nb\n")
    mistake(["train", "vae", *options, *CPU], word)
    assert not Path("runs").exists()


def test_a_run_is_evaluated_on_the_classes_that_it_knows(gmlib, mistake, letters, tmp_path):
    assert gmlib("train", "cvae", "--data", letters, "--classes", "names.txt", *CPU)[0] == 0
    write(tmp_path / "ten", *drawn(120, 10, 0), *drawn(20, 10, 1))
    command = ["evaluate", "runs/cvae-letters-0"]
    mistake([*command, "--data", "ten"], "ten with 10 classes", "the 26 classes")
    mistake(["sample", "runs/cvae-letters-0", "--label", "CC"], "got --label CC", "0 to 25 or one of A, B", "mean 'C'?")
    (tmp_path / "letters").rename(tmp_path / "moved")
    mistake(command, "letters", "name its folder with --data")
    status, out, err = gmlib(*command, "--data", "moved")
    assert status == 0, err
    assert "as stored with the run" in out  # the same images, wherever they are


def test_a_folder_with_the_files_of_mnist_is_mnist(gmlib, letters, tmp_path, monkeypatch):
    """By their checksums: samples are measured with the scorer that ships, on these digits and on the embedded ones."""
    monkeypatch.setattr("gmlib.metrics.models.log_likelihood", lambda vae, x, **_: x.flatten(1).sum(1))
    write(tmp_path / "digits", *drawn(10_000 + 160, 10, 0), *drawn(150, 10, 1))
    for name in OFFICIAL:
        content = (tmp_path / "digits" / name).read_bytes()
        monkeypatch.setitem(MNIST_MD5, name, hashlib.md5(content).hexdigest())
    status, out, err = gmlib("train", "vae", "--data", "digits", *CPU)
    assert status == 0, err
    assert "data: mnist, 160 train, 10,000 validation, 150 test, 10 classes; 1 epochs" in out
    assert "scorer" not in out
    about = record("vae")
    assert about["data"] == "mnist/train"
    assert {"fid", "mnist5k_fid", "n"} <= set(about["metrics"])
    assert (about["metrics"]["n"], about["metrics"]["mnist5k_n"]) == (150, 500)
    status, out, err = gmlib("evaluate", "runs/vae-mnist-0")
    assert status == 0, err
    assert f"all {len(about['metrics'])} as stored with the run" in out
