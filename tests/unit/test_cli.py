"""The command line: the files that it writes, and one sentence with status 2 for a mistake."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook
from safetensors.torch import load_file

from gmlib import grading, recipes, zoo
from gmlib.cli import main
from gmlib.data import ImageDataset
from gmlib.errors import InputError
from gmlib.experiments.evaluate import save
from gmlib.experiments.fit import fit_profile
from gmlib.experiments.run import read_run, write_run
from gmlib.figures import image_grid
from gmlib.figures.style import png
from gmlib.measuring import has_mnist
from gmlib.progress import Progress

SHORT = replace(recipes.VAE, batch_size=16, quick_epochs=3)
LEFT = {".gmlib.lock", "history.csv"}  # by a run, beside its checkpoints and its file


@pytest.fixture
def gmlib(capsys):
    """Run a command; return its status, output and error output."""

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
        assert (status, out) == (2, "")
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


@pytest.fixture
def untrained(monkeypatch):
    """No step of training may be made."""
    monkeypatch.setattr("gmlib.training.checkpoint.Folder.save_if_due", lambda *_: pytest.fail("trained first"))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.iterdir()}


def test_list_names_every_recipe_and_what_is_shipped(gmlib, tmp_path, monkeypatch):
    shutil.copy(zoo.WEIGHTS / "vae.safetensors", tmp_path)
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    status, out, err = gmlib("list")
    assert (status, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert list(lines) == list(recipes.ALL)
    assert [name for name, line in lines.items() if " not shipped " not in line] == ["vae"]
    assert all(recipes.ALL[name].about in line for name, line in lines.items())


def test_show_prints_settings_and_layers(gmlib):
    status, out, err = gmlib("show", "vae")
    assert (status, err) == (0, "")
    for text in ("batch_norm", "latent_dim", "Adam", "encoder.net.0", "158,588"):
        assert text in out


# train


def test_train_writes_a_run_and_prints_its_metrics(gmlib, short, tmp_path):
    folder = tmp_path / "deep" / "run"
    status, out, err = gmlib("train", "vae", "--seed", 4, "--out", folder, "--device", "cpu")
    assert status == 0, err
    names = {path.name for path in folder.iterdir() if "checkpoint" not in path.name}
    assert names == {*LEFT, "vae.safetensors"}
    row = r"^epoch +\d/3  train_elbo -\d+\.\d  validation_elbo .*  [\d,]+ images/s  00:00 left$"
    assert len(re.findall(row, out, re.M)) == 3
    run = zoo.load_run(folder, "vae")
    assert run.record["seed"] == 4
    assert f"{run.metrics['mnist5k_test_elbo']:.2f}" in out
    assert f"gmlib sample {folder}" in out


def test_train_takes_another_length_and_resumes(gmlib, short, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["train", "vae", "--profile", "full", "--epochs", 2, "--seed", 3, "--device", "cpu"]
    status, out, err = gmlib(*command)
    assert status == 0, err
    assert re.findall(r"^epoch +(\d)/2", out, re.M) == ["1", "2"]
    assert gmlib(*command, "--resume")[0] == 0
    assert zoo.load_run(tmp_path / "runs" / "vae-full-3", "vae").record["epochs"] == 2


def test_train_and_evaluate_a_gan_that_keeps_no_critic(gmlib, few_digits, without_mnist, monkeypatch, tmp_path):
    recipe = replace(recipes.CGAN, latent_dim=3, batch_size=16, quick_epochs=1, ships_critic=False)
    monkeypatch.setitem(recipes.ALL, "cgan", recipe)
    save(fit_profile(recipe, seed=1), tmp_path / "expected")
    status, out, err = gmlib("train", "cgan", "--seed", 1, "--device", "cpu", "--out", tmp_path / "cgan")
    assert status == 0, err
    assert re.search(r"^epoch +1/1  critic_loss .* generator_loss ", out, re.M)
    first, again = (load_file(tmp_path / name / "cgan.safetensors") for name in ("expected", "cgan"))
    assert first.keys() == again.keys()
    assert all(name.startswith("generator.") and torch.equal(value, again[name]) for name, value in first.items())
    status, out, err = gmlib("evaluate", tmp_path / "cgan")
    assert (status, err) == (0, "")
    assert re.search(r"all \d+ as stored with the run", out)


def test_downloaded_files_are_trained_on(gmlib, short, few_digits, tmp_path, monkeypatch):
    """Also where GMLIB_DATA names another folder, as when it lacks the files."""
    roots = []

    def load(source, split, root=None, **_):
        roots.append(root)
        return ImageDataset(few_digits.images, few_digits.labels, name=f"{source}/{split}")

    monkeypatch.setattr("gmlib.measuring.known_folder", lambda name, download: tmp_path / name)
    for place in ("measuring", "experiments.evaluate"):
        monkeypatch.setattr(f"gmlib.{place}.load", load)
    command = ["train", "vae", "--profile", "full", "--epochs", 1, "--download", "--device", "cpu"]
    status, _, err = gmlib(*command, "--out", tmp_path / "run")
    assert status == 0, err
    assert [root for root in roots if root] == [tmp_path / "mnist"] * 5  # three splits to train, and two to measure


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
    mistake([*command, tmp_path / "other"], "TensorBoard is not installed")
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


# sample


@pytest.mark.parametrize("options", [[], ["--mean"]])
def test_sample_writes_the_images_that_the_model_draws(gmlib, trained, tmp_path, options):
    path = tmp_path / "pictures" / "samples.png"
    status, out, err = gmlib("sample", trained, "-n", 7, "--seed", 3, "--out", path, *options)
    assert (status, err) == (0, "")
    assert out.startswith(f"wrote {path}: 7 {'probability maps' if options else 'draws'} from vae, seed 3")
    run = zoo.load_run(trained, "vae")
    images = run.model.sample(7, generator=torch.Generator().manual_seed(3), mean=bool(options))
    assert path.read_bytes() == png(image_grid(images, columns=3))


@pytest.mark.parametrize(
    ("options", "labels", "columns"),
    [([], [*range(10), 0, 1], 10), (["--label", "4"], [4] * 12, 4), (["-n", "7"], [*range(7)], 7)],
)
def test_a_conditional_model_draws_one_class_or_all(gmlib, tmp_path, options, labels, columns):
    out = tmp_path / "x.PNG"
    status, text, err = gmlib("sample", "cgan", "-n", 12, "--seed", 2, "--out", out, *options)
    assert (status, err) == (0, "")
    assert (f"each column is a class, from 0 to {columns - 1}" in text) == ("--label" not in options)
    labels = torch.tensor(labels)
    images = zoo.pretrained("cgan").model.sample(len(labels), labels, generator=torch.Generator().manual_seed(2))
    assert out.read_bytes() == png(image_grid(images, columns=columns))


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        ("vae", ["-n", 0], ["got n = 0"]),
        ("vae", ["-n", 10_001], ["at most 10,000"]),
        ("vae", ["--seed", -1], ["got seed -1"]),
        ("vae", ["--label", 3], ["got --label 3", "unconditional"]),
        *(("cgan", ["--label", label], [f"got --label {label}", "from 0 to 9"]) for label in (10, -1, "three")),
        ("cgan", ["--mean"], ["--mean for a GAN"]),
        ("classifier", [], ["got the classifier"]),
        ("vae", ["--out", "x.jpg"], ["ends in .png"]),
        ("vae", ["--out", "folder.png"], ["is a folder"]),
        ("vea", [], ["got 'vea'", "did you mean 'vae'?"]),
    ],
)
def test_samples_that_cannot_be_drawn(mistake, tmp_path, monkeypatch, source, options, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    mistake(["sample", source, *options], *words)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


# evaluate


@pytest.fixture
def without_mnist(monkeypatch, tmp_path):
    """A machine where the full set is not found."""
    monkeypatch.delenv("GMLIB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_evaluate_reproduces_what_is_stored(gmlib, trained, without_mnist, tmp_path):
    run = zoo.load_run(trained, "vae")
    status, out, err = gmlib("evaluate", trained)
    assert (status, err) == (0, "")
    assert re.search(rf"^test_elbo +{run.metrics['mnist5k_test_elbo']:.2f}$", out, re.M)
    fid, real = (f"{run.metrics[f'mnist5k_{name}']:.3f}" for name in ("fid", "fid_real"))
    assert re.search(rf"^fid +{re.escape(fid)} +{re.escape(real)}$", out, re.M)
    assert f"all {len(run.metrics)} as stored with the run" in out
    assert "the official test digits were not found" in out
    found = json.loads((trained / "evaluation.json").read_text())
    assert (found["metrics"], found["recipe_hash"], found["seed"]) == (run.metrics, SHORT.hash, 1)

    record, tensors = read_run(trained / "vae.safetensors")
    del record["sha256"]
    record["metrics"]["mnist5k_fid"] += 1
    write_run(trained / "vae.safetensors", record, tensors)
    status, out, err = gmlib("evaluate", trained)  # an earlier evaluation is replaced
    assert (status, err) == (0, "")
    assert "not as stored: mnist5k_fid was " in out


def test_evaluate_measures_on_official_digits_where_they_are_found(gmlib, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("gmlib.measuring.known_folder", lambda name, root: root)
    status, out, err = gmlib("evaluate", trained, "--data", "mnist", "--out", tmp_path / "deep" / "found.json")
    assert (status, err) == (0, "")
    assert re.search(r"^fid( +\d+\.\d{3}){4}$", out, re.M)
    assert "were not found" not in out
    metrics = json.loads((tmp_path / "deep" / "found.json").read_text())["metrics"]
    assert metrics["n"] == metrics["mnist5k_n"] == 64


def test_what_ships_is_evaluated_below_runs(gmlib, trained, without_mnist, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "WEIGHTS", trained)
    monkeypatch.chdir(tmp_path)
    assert gmlib("evaluate", "vae")[0] == 0
    assert (tmp_path / "runs" / "evaluate" / "vae.json").is_file()


def test_an_empty_variable_is_not_set(without_mnist, monkeypatch):
    monkeypatch.setenv("GMLIB_DATA", "")
    assert has_mnist(None) is False
    monkeypatch.setenv("GMLIB_DATA", "nowhere")
    with pytest.raises(InputError):
        has_mnist(None)


def test_an_evaluation_replaces_no_other_file(mistake, trained, monkeypatch):
    """Before anything is measured."""
    (trained / "mine.json").write_text('{"metrics": "none"}')
    before = contents(trained)
    monkeypatch.setattr("gmlib.metrics.models.mean_elbo", lambda *_, **__: pytest.fail("measured first"))
    mistake(["evaluate", trained, "--out", trained / "mine.json"], trained / "mine.json", "no evaluation")
    mistake(["evaluate", trained, "--out", trained / "x.txt"], "ends in .json")
    mistake(["evaluate", trained, "--out", trained / "mine.json" / "x.json"], "Not a directory")
    assert contents(trained) == before


# grade


class Terminal(io.StringIO):
    """Standard input from a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def handed_in(tmp_path, monkeypatch) -> list[str]:
    """Two notebooks, which are graded without a kernel: both have one right answer."""
    monkeypatch.chdir(tmp_path)
    for name in ("ada.ipynb", "bob.ipynb"):
        nbformat.write(new_notebook(cells=[new_code_cell("check('kl', 1, 1)")]), name)
    monkeypatch.setattr(grading, "grade", lambda notebook, timeout: ([grading.Result("kl", "right")], f"{timeout} s"))
    return ["ada.ipynb", "bob.ipynb"]


@pytest.fixture
def not_run(monkeypatch):
    """No notebook may be executed."""
    monkeypatch.setattr(grading, "grade", lambda *_: pytest.fail("was executed"))


def test_grade_names_the_notebooks_that_it_executes_first(gmlib, handed_in):
    status, out, err = gmlib("grade", *handed_in, "--yes", "--timeout", 7)
    assert (status, err) == (0, "")
    first, *table = out.splitlines()
    assert "executes the code" in first
    assert "7 s: ada.ipynb, bob.ipynb" in first
    assert table[1:3] == ["ada.ipynb  kl        right", "ada.ipynb: 1 of 1 right; 7.0 s"]
    assert table[4] == "bob.ipynb: 1 of 1 right; 7.0 s"


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_grade_asks_once_in_a_terminal(gmlib, handed_in, monkeypatch, answer, status):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    found, out, _ = gmlib("grade", *handed_in)
    assert found == status
    assert out.count("Execute them?") == 1
    assert out.count("1 of 1 right") == (2 if status == 0 else 0)


def test_grade_executes_nothing_where_nobody_can_answer(gmlib, handed_in, not_run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    status, out, err = gmlib("grade", *handed_in)
    assert status == 2
    assert "ada.ipynb, bob.ipynb" in out
    assert re.fullmatch(r"gmlib: got no --yes[^\n]+\n", err)


def test_grade_goes_on_after_what_is_no_notebook_and_leaves_with_status_2(gmlib, handed_in, tmp_path):
    (tmp_path / "text.ipynb").write_text("hello")
    status, out, err = gmlib("grade", "text.ipynb", "bob.ipynb", "missing.ipynb", "--yes")
    assert status == 2
    assert "bob.ipynb: 1 of 1 right" in out
    assert re.fullmatch(r"gmlib: text.ipynb is no notebook[^\n]+\ngmlib: cannot read missing.ipynb[^\n]+\n", err)


def test_grade_executes_nothing_if_there_is_nothing_to_grade(mistake, not_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mistake(["grade", "missing.ipynb", "--yes"], "missing.ipynb")
    mistake(["grade", "missing.ipynb", "--timeout", 0], "--timeout 0", "above 0")


# mistakes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "vae_nobn"], ["did you mean 'vae_no_bn'?"]),
        (["evaluate", ""], ["empty name"]),
        (["train", "vae", "--profile", "ful"], ["got profile 'ful'", "did you mean 'full'?"]),
        (["train", "vae", "--device", "gpu"], ["got device 'gpu'"]),
        (["train", "vae", "--epochs", 0], ["got --epochs 0"]),
        (["train", "vae", "--download"], ["--download with mnist5k"]),
        (["train", "vae", "--download", "--data", "folder"], ["--download with folder"]),
        *(([command, "vae", "--out", ""], ["empty --out"]) for command in ("train", "sample", "evaluate")),
        *(([command, "vae", "--data", ""], ["empty --data"]) for command in ("train", "evaluate")),
        (["train", "vae", "--out", "x" * 300], ["cannot", "xxx"]),
        (["sample", f"{'x' * 300}/run"], ["xxx"]),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense(mistake, short, untrained, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    mistake(arguments, *words)
    assert list(tmp_path.iterdir()) == []


def test_only_recipes_and_runs_are_suggested_for_a_run(mistake, gmlib, trained, tmp_path, monkeypatch):
    (tmp_path / "trainee").mkdir()  # no run
    mistake(["sample", tmp_path / "traned"], f"did you mean '{trained}'?")
    monkeypatch.chdir(tmp_path)
    mistake(["sample", "traned"], "did you mean 'trained'?")
    for unrelated in (tmp_path / "elsewhere", "trainee2", "/nonexist"):
        _, _, err = gmlib("sample", unrelated)
        assert f"got '{unrelated}'" in err
        assert ("did you mean" in err) == (unrelated == "trainee2"), err
    mistake(["evaluate", trained / "vae.safetensors"], "got the file", f"give {trained}")


def test_a_misspelt_option_leaves_with_status_2(gmlib):
    status, _, err = gmlib("train", "vae", "--sed", 3)
    assert status == 2
    assert "--sed" in err
    assert "Traceback" not in err


def test_a_data_folder_without_the_files(mistake, tmp_path, monkeypatch):
    command = ["train", "vae", "--profile", "full", "--device", "cpu", "--out", tmp_path / "run"]
    mistake([*command, "--data", tmp_path], f"got {tmp_path} without pictures")
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "elsewhere"))
    mistake(command, f"got the data folder {tmp_path / 'elsewhere'}")


def test_what_would_stop_a_run_at_its_end_stops_it_at_its_beginning(
    mistake, short, few_digits, untrained, tmp_path, monkeypatch
):
    command = ["train", "vae", "--device", "cpu", "--out"]
    (tmp_path / "file").write_text("here")
    mistake([*command, tmp_path / "file" / "run"], "cannot use", "file/run")
    (tmp_path / "taken" / "vae.safetensors").mkdir(parents=True)
    mistake([*command, tmp_path / "taken"], "no checkpoint")

    def only_test_is_damaged(source, split, root=None, **_):
        if split == "test":
            raise InputError("the test digits are damaged")
        return few_digits

    with monkeypatch.context() as patch:
        patch.setattr("gmlib.measuring.load", only_test_is_damaged)
        mistake([*command, tmp_path / "run", "--profile", "full"], "the test digits are damaged")
    monkeypatch.setattr("gmlib.measuring.shipped_scorer", lambda: only_test_is_damaged("mnist", "test"))
    mistake([*command, tmp_path / "run"], "damaged")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_a_run_or_another_one(mistake, trained):
    before = contents(trained)
    command = ["train", "vae", "--out", trained, "--device", "cpu"]
    mistake(command, f"{trained} holds a run already", "--resume")
    mistake([*command, "--resume", "--seed", 2], "is of seed 1", "this run is of 2")
    assert contents(trained) == before


def test_a_folder_without_a_run_or_with_several(mistake, trained, tmp_path):
    shutil.copy(zoo.WEIGHTS / "cvae.safetensors", trained)
    mistake(["evaluate", trained], "several runs", "cvae, vae")
    for name in ("vae", "cvae"):
        (trained / f"{name}.safetensors").unlink()
    mistake(["evaluate", trained], f"no finished run in {trained}", "--resume")
    (trained / "vae.safetensors").write_bytes(b"\x00" * 40)
    mistake(["sample", trained, "--out", tmp_path / "x.png"], f"cannot read {trained / 'vae.safetensors'}")


def test_a_folder_that_hides_a_shipped_run_is_reported(gmlib, trained, tmp_path, monkeypatch):
    trained.rename(tmp_path / "vae")
    monkeypatch.chdir(tmp_path)
    status, _, err = gmlib("sample", "vae", "-n", 1)
    assert status == 0
    assert re.fullmatch(r"gmlib: reading the folder vae[^\n]* shipped run [^\n]*\n", err)
    assert gmlib("sample", "./vae", "-n", 1)[2] == ""


def test_a_run_that_diverges(mistake, gmlib, short, tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.ALL, "vae", replace(short, lr=1e30))
    status, _, err = gmlib("train", "vae", "--device", "cpu", "--out", tmp_path / "run")
    assert status == 2
    assert re.fullmatch(r"gmlib: [^\n]*diverged[^\n]*checkpoint[^\n]*\n", err)


# Ctrl-C


def interrupt(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize("place", ["cli.Progress.step", "metrics.models.mean_elbo"])
def test_stopped_in_training_or_in_measuring(gmlib, short, tmp_path, monkeypatch, place):
    command = ["train", "vae", "--device", "cpu", "--out", tmp_path / "run"]
    with monkeypatch.context() as patch:
        patch.setattr(f"gmlib.{place}", interrupt)
        status, _, err = gmlib(*command)
    assert status == 2
    assert re.fullmatch(rf"gmlib: stopped; {tmp_path / 'run'} keeps the run[^\n]*--resume\n", err), err
    assert gmlib(*command, "--resume")[0] == 0
    assert (tmp_path / "run" / "vae.safetensors").is_file()


def test_stopped_while_the_data_is_read(mistake, short, tmp_path, monkeypatch):
    monkeypatch.setattr("gmlib.measuring.load", interrupt)
    mistake(["train", "vae", "--device", "cpu", "--out", tmp_path / "run"], "stopped", "nothing was kept")
    assert not (tmp_path / "run").exists()


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


# an environment that is not as usual


def test_a_terminal_with_fewer_letters(monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="cp1251")
    monkeypatch.setattr(sys, "stdout", narrow)
    with pytest.raises(SystemExit) as left:
        main(["show", "dcgan"])
    narrow.flush()
    assert not left.value.code
    assert b"batch_norm" in narrow.buffer.getvalue()


def test_closed_output(gmlib, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert gmlib("list")[0] == 0


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
    assert (tmp_path / "x.png").is_file()


def test_the_installed_command_runs(tmp_path):
    command = Path(sys.executable).with_name("gmlib")
    if not command.is_file():
        pytest.skip("the gmlib command is not beside this Python: install the package with pip install -e .")
    found = subprocess.run([command, "show", "vea"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (found.returncode, found.stdout) == (2, "")
    assert re.fullmatch(r"gmlib: got recipe 'vea'[^\n]*did you mean 'vae'\?\n", found.stderr)
