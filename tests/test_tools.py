"""The tools that make what ships: train everything, measure everything, convert runs of gmlib 1.0."""

import hashlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from gmlib import ImageDataset, recipes, zoo
from gmlib.experiments.evaluate import save
from gmlib.experiments.fit import fit_profile
from gmlib.experiments.run import Run, read_run, write_run
from gmlib.training import History
from tools import convert, evaluate, mutants, retrain

SHORT = replace(recipes.VAE, batch_size=16, quick_epochs=2, epochs=2)


@pytest.fixture
def shipped_pair(few_digits, tmp_path, monkeypatch) -> Path:
    """The folder of all that ships: two runs that trained for a moment."""
    other = replace(SHORT, name="vae_no_bn", batch_norm=False)
    monkeypatch.setattr(recipes, "ALL", {"vae": SHORT, "vae_no_bn": other})
    monkeypatch.setattr(zoo, "ALL", recipes.ALL)
    for recipe in recipes.ALL.values():
        save(fit_profile(recipe, "full"), tmp_path / "weights")
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path / "weights")
    return tmp_path / "weights"


@pytest.fixture
def without_mnist(monkeypatch, tmp_path):
    monkeypatch.delenv("GMLIB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def store(path: Path, **metrics: float) -> dict[str, float]:
    """Write other metrics into the file of a run, and return all of them."""
    record, tensors = read_run(path)
    del record["sha256"]
    record["metrics"] |= metrics
    write_run(path, record, tensors)
    return record["metrics"]


def test_evaluate_compares_each_shipped_metric_to_its_printed_digits(
    shipped_pair, without_mnist, tmp_path, monkeypatch, capsys
):
    path = shipped_pair / "vae.safetensors"
    fid = read_run(path)[0]["metrics"]["mnist5k_fid"]
    names = store(path, mnist5k_fid=fid + 1e-4, fid=999.0)  # the one prints alike, the other cannot be measured
    embedded = [name for name in names if name.startswith("mnist5k_")]
    assert 2 * len(embedded) == len(names)
    assert evaluate.main([]) == 0
    out = capsys.readouterr().out
    assert re.findall(r"^(vae|vae_no_bn) +(\w+) .* yes$", out, re.M) == [
        (run, name) for run in ("vae", "vae_no_bn") for name in embedded
    ]
    assert f"all {2 * len(embedded)} metrics of 2 runs are as stored" in out
    assert "were not found" in out

    monkeypatch.setattr("gmlib.measuring.known_folder", lambda name, root: root)
    assert evaluate.main(["--data", str(tmp_path)]) == 1
    assert re.findall(r"^(\w+) +(\w+) .* no$", capsys.readouterr().out, re.M) == [("vae", "fid")]


@pytest.mark.parametrize(("metric", "change"), [("mnist5k_fid", 0.01), ("mnist5k_lost", 1.0)])
def test_evaluate_ends_with_status_1_where_a_metric_is_not_as_stored(
    shipped_pair, without_mnist, capsys, metric, change
):
    path = shipped_pair / "vae_no_bn.safetensors"
    store(path, **{metric: read_run(path)[0]["metrics"].get(metric, 0.0) + change})
    assert evaluate.main([]) == 1
    out = capsys.readouterr().out
    assert re.findall(r"^(\w+) +(\w+) .* no$", out, re.M) == [("vae_no_bn", metric)]
    assert "1 of vae_no_bn" in out


def test_evaluate_refuses_a_damaged_run_and_a_folder_without_mnist(shipped_pair, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("gmlib.metrics.models.mean_elbo", lambda *_: pytest.fail("measured first"))
    assert evaluate.main(["--data", str(tmp_path)]) == 2
    assert f"got the data folder {tmp_path}" in capsys.readouterr().err
    (shipped_pair / "vae.safetensors").write_bytes(b"")
    monkeypatch.setattr("gmlib.measuring.known_folder", lambda name, root: root)
    assert evaluate.main([]) == 2
    assert "vae.safetensors" in capsys.readouterr().err


@pytest.fixture
def short_recipes(few_digits, tmp_path, monkeypatch):
    digits = ImageDataset(few_digits.images, few_digits.labels, name="mnist/train")
    monkeypatch.setattr("tools.retrain.load", lambda source, split, root: digits)
    monkeypatch.setattr(recipes, "ALL", {"vae": SHORT})
    monkeypatch.setattr(recipes, "CLASSIFIER", replace(recipes.CLASSIFIER, batch_size=16, epochs=1))
    monkeypatch.setattr("tools.retrain.expected", lambda names, done: f"expected {names}, done {sorted(done)}")
    monkeypatch.setattr("tools.retrain.Splits.metrics_of", lambda *_: {"n": 64})


def test_retrain_goes_on_where_it_stopped(short_recipes, tmp_path, capsys):
    command = ["--out", str(tmp_path), "--device", "cpu"]
    assert retrain.main(command) == 0
    out = capsys.readouterr().out
    assert out.startswith("expected ['classifier', 'vae'], done []\ntraining classifier\nepoch    1/1  loss")
    assert out.index("wrote") < out.index("training vae")
    path = tmp_path / "vae" / "vae.safetensors"
    record, tensors = read_run(path)
    del record["sha256"]
    write_run(path, record | {"data": "mnist5k/train"}, tensors)  # no full run
    assert retrain.main(command) == 0
    out = capsys.readouterr().out
    assert out.startswith("expected ['classifier', 'vae'], done ['classifier']\ntraining vae\n")
    assert "training classifier" not in out
    assert read_run(path)[0]["data"] == "mnist/train"


def test_ctrl_c_in_retrain_names_the_command_that_goes_on(short_recipes, tmp_path, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("gmlib.cli.Progress.step", stop)
    assert retrain.main(["--out", str(tmp_path), "--device", "cpu"]) == 2
    assert re.fullmatch(r"retrain: stopped; [^\n]*the same command\n", capsys.readouterr().err)


def test_the_time_of_full_runs_is_that_of_the_shipped_ones():
    seconds = {name: zoo.pretrained(name).record["seconds"] for name in ("classifier", "vae")}
    text = retrain.expected(["classifier", "vae", "cvae"], {"cvae"})
    assert re.search(r"^cvae +done$", text, re.M)
    for name, value in seconds.items():
        assert re.search(rf"^{name} +{re.escape(retrain.spell(value))} on cpu$", text, re.M)
    assert re.search(rf"^what is left +{re.escape(retrain.spell(sum(seconds.values())))} ", text, re.M)
    assert [retrain.spell(value) for value in (40, 754, 12600)] == ["40 s", "13 min", "3.5 h"]


@pytest.mark.parametrize(
    ("fids", "word"),
    [
        ([90, 50, 40, 40, 39.5, 39.4, 38.8, 41, 20, 10], "had reached a plateau before the cooldown: it fell by 1.5%"),
        ([90, 50, 40, 40, 40, 40, 39, 41, 20, 10], "was falling before the cooldown, by 2.5%"),
        ([90, 50, 40, 40, 40, 40, 41, 42, 20, 10], "had reached a plateau before the cooldown: it fell by 0.0%"),
    ],
)
def test_a_plateau_is_a_quarter_without_a_fall_of_2_percent(fids, word):
    recipe = replace(
        recipes.GAN, cooldown=0.2
    )  # 8 of 10 epochs before it; their last quarter is the seventh and eighth
    history = History([{"epoch": epoch, "validation_fid": fid} for epoch, fid in enumerate(fids, 1)])
    assert word in retrain.plateau(Run(recipe, None, history, {}, {}))
    assert retrain.plateau(Run(replace(recipe, decay=True), None, history, {}, {})) == ""
    assert retrain.plateau(Run(recipe, None, History([{"epoch": 1}] * 10), {}, {})) == ""


# runs of two files


@pytest.fixture
def of_1_0(tmp_path) -> tuple[Path, dict]:
    """A run as gmlib 1.0 wrote it: weights, and a json file with the checksum of the weights and the hash of 1.0."""
    record, tensors = read_run(zoo.WEIGHTS / "vae.safetensors")
    save_file(tensors, tmp_path / "vae.safetensors")
    record["sha256"] = hashlib.sha256((tmp_path / "vae.safetensors").read_bytes()).hexdigest()
    record["recipe_hash"] = json.loads(convert.HASHES.read_text())["vae"]
    record["metrics"] = {name.replace("_real", "_floor"): value for name, value in record["metrics"].items()}
    (tmp_path / "vae.json").write_text(json.dumps(record))
    return tmp_path, record


def test_a_run_of_1_0_is_converted(of_1_0):
    folder, record = of_1_0
    assert record["recipe_hash"] != recipes.VAE.hash
    convert.main([str(folder)])
    assert [path.name for path in folder.iterdir()] == ["vae.safetensors"]
    ours, theirs = zoo.load_run(folder, "vae"), zoo.pretrained("vae")
    assert (ours.metrics, ours.history, ours.record) == (theirs.metrics, theirs.history, theirs.record)
    assert convert.same(ours.model.state_dict(), theirs.model.state_dict())


@pytest.mark.parametrize("fault", ["changed before", "written otherwise"])
def test_a_run_that_would_change_is_not_converted(of_1_0, monkeypatch, fault):
    folder, _ = of_1_0
    weights = folder / "vae.safetensors"
    if fault == "changed before":
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    else:
        other = {name: tensor + 1 for name, tensor in load_file(weights).items()}
        monkeypatch.setattr(convert, "write_run", lambda path, record, tensors: write_run(path, record, other))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(SystemExit, match="convert: "):
        convert.main([str(folder)])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", ["vae", "conv_vae", "cvae", "gan", "cgan", "cdcgan", "stacked_pacgan"])
def test_a_recipe_that_is_as_it_was_in_1_0_has_a_hash_of_then(name):
    assert recipes.ALL[name].hash in convert.hashes().values()


# mutants


@pytest.fixture
def outcomes(monkeypatch):
    """Replace test runs by outcomes: "unchanged", "mirrored" and "whole" to what the tests of that name do; count the runs."""
    found, runs = {"unchanged": "passes", "mirrored": "fails", "whole": "passes"}, []

    def run_tests(folder, tests, seconds, mutant=None):
        name = "unchanged" if mutant is None else "whole" if tests == mutants.WHOLE_SUITE else "mirrored"
        runs.append(name)
        return found[name]

    monkeypatch.setattr(mutants, "run_tests", run_tests)
    monkeypatch.setattr(mutants, "copy_repository", lambda folder: None)
    monkeypatch.setattr(mutants, "draw", lambda count, seed: mutants.mutants_of(mutants.ROOT / "gmlib/seeds.py")[:3])
    return found, runs


@pytest.mark.parametrize(
    ("mirrored", "whole", "counts"),
    [
        ("fails", "passes", "3 of 3 mutants are killed, 0 survive, 0 time out"),
        ("times out", "passes", "3 of 3 mutants are killed, 0 survive, 0 time out"),
        ("passes", "fails", "3 of 3 mutants are killed, 0 survive, 0 time out"),
        ("passes", "passes", "0 of 3 mutants are killed, 3 survive, 0 time out"),
        ("passes", "times out", "0 of 3 mutants are killed, 0 survive, 3 time out"),
    ],
)
def test_a_mutant_that_times_out_in_the_whole_suite_is_not_killed(outcomes, capsys, mirrored, whole, counts):
    found, runs = outcomes
    found |= {"mirrored": mirrored, "whole": whole}
    assert mutants.main([]) == 0
    assert counts in capsys.readouterr().out
    assert (runs.count("unchanged"), runs.count("mirrored")) == (1, 3)  # timed once
    assert runs.count("whole") == (3 if mirrored == "passes" else 0)


def test_mutants_are_not_run_if_unchanged_tests_fail(outcomes):
    outcomes[0]["unchanged"] = "fails"
    with pytest.raises(SystemExit, match="repair"):
        mutants.main([])


def test_results_are_stored_and_only_missing_ones_are_run_again(outcomes, tmp_path):
    found, runs = outcomes
    path = tmp_path / "results.txt"
    found["mirrored"] = "passes"
    mutants.main(["--out", str(path), "--mirrored"])
    lines = path.read_text().splitlines()
    assert len({line.rpartition(": ")[0] for line in lines}) == 3
    assert all(line.endswith(": survives the mirrored tests") for line in lines)
    lines[1] = lines[1].replace(": survives the", ": killed by the")
    path.write_text("\n".join(lines[:2]) + "\n")
    mutants.main(["--out", str(path), "--resume"])
    assert runs.count("whole") == 2  # the killed one is not run again
    assert sorted(line.rpartition(": ")[2] for line in path.read_text().splitlines()) == [
        "killed by the mirrored tests",
        "survives",
        "survives",
    ]


def test_a_mutant_is_written_and_removed_again(tmp_path, monkeypatch):
    """With a script in place of pytest; the module is unchanged afterwards, also if the script takes too long."""
    module, script = tmp_path / "gmlib" / "seeds.py", tmp_path / "script.py"
    module.parent.mkdir()
    (tmp_path / "gmlib" / "__init__.py").touch()
    module.write_text("x = 1 < 2\n")
    script.write_text("import sys, time\nprint('>' in open('gmlib/seeds.py').read())\ntime.sleep(float(sys.argv[1]))\n")
    script.write_text(script.read_text() + "sys.exit('>' in open('gmlib/seeds.py').read())\n")
    monkeypatch.setattr(mutants, "PYTEST", [sys.executable, "script.py"])
    mutant = mutants.Mutant(mutants.ROOT / "gmlib" / "seeds.py", 1, 6, 7, ">", "<")
    assert mutants.run_tests(tmp_path, ["0"], 60) == "passes"
    assert mutants.run_tests(tmp_path, ["0"], 60, mutant) == "fails"
    assert mutants.run_tests(tmp_path, ["60"], 1, mutant) == "times out"
    assert module.read_text() == "x = 1 < 2\n"
