"""A run's folder: damaged, full, taken or of another run, it says so and loses nothing."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, load_file

from gmlib.data import Batches
from gmlib.errors import DivergedError
from gmlib.models import VAE, BernoulliDecoder, MLPDecoder, MLPEncoder
from gmlib.training import State, fit_vae
from gmlib.training.checkpoint import Folder, checkpoints, train_in
from tests.unit.training.going_on import go_on

ABOUT = {"recipe": "vae", "recipe_hash": "0123", "seed": 0, "data": "made-up/train"}


def start(digits) -> State:
    torch.manual_seed(0)
    vae = VAE(MLPEncoder(2, hidden=20), BernoulliDecoder(MLPDecoder(2, hidden=20)))
    optimiser = torch.optim.Adam(vae.parameters(), lr=1e-2)
    batches = Batches(digits, 16, binarised=True)
    return State({"vae": vae}, {"vae": optimiser}, batches, torch.Generator().manual_seed(0))


def train(folder: Folder | None, state: State, loop=None, **options) -> None:
    def going_on(**callbacks) -> State:
        go_on(fit_vae, state.networks["vae"], state, epochs=3, lr=1e-2, **callbacks)
        return state

    train_in(folder, loop or going_on, **options)


@pytest.fixture
def run(made_up, tmp_path, always) -> Path:
    train(Folder(tmp_path / "run", ABOUT), start(made_up))
    return tmp_path / "run"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".gmlib.lock")


def weights(state: State) -> dict[str, torch.Tensor]:
    return state.networks["vae"].state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_the_last_two_checkpoints_and_the_history_are_kept(run):
    two = ["checkpoint-000000011.safetensors", "checkpoint-000000012.safetensors"]
    assert names(run) == [*two, "history.csv", "history.json"]
    assert len((run / "history.csv").read_text().splitlines()) == 4


def test_checkpoints_come_seldom_enough(made_up, tmp_path, monkeypatch):
    """At most one part in fifty of the time goes into them, and they are a second apart at least, ten minutes at most."""
    clock, saved, cost = [0.0], [], 0.1
    monkeypatch.setattr("gmlib.training.checkpoint.time.perf_counter", lambda: clock[0])

    def save(folder, state):
        saved.append(clock[0])
        folder.cost, folder.written = cost, clock[0]

    monkeypatch.setattr(Folder, "save", save)
    folder = Folder(tmp_path, ABOUT)
    for tenths in range(101):
        clock[0] = tenths / 10
        folder.keep(start(made_up))
    assert saved == pytest.approx([1.1, 6.2])  # the first after a second, then after 50 times its cost
    cost = 90.0  # the disk stalls once
    for clock[0] in range(12, 1300, 10):
        folder.keep(start(made_up))
    assert saved[2:] == [12, 622, 1232]


def test_an_interrupted_run_goes_on(made_up, tmp_path, always):
    whole = start(made_up)
    train(None, whole)
    for stop in (1, 4, 7):  # the middle, the end and the start of an epoch

        def interrupt(state, stop=stop):
            if state.step == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(Folder(tmp_path / "run", ABOUT), start(made_up), resume=True, on_step=interrupt)
    steps, resumed = [], start(made_up)
    train(Folder(tmp_path / "run", ABOUT), resumed, resume=True, on_step=lambda state: steps.append(state.step))
    assert steps == [8, 9, 10, 11, 12]
    assert same(weights(resumed), weights(whole))
    assert resumed.history == whole.history


def test_a_run_cut_off_after_its_last_step_gets_its_last_row(run, made_up, tmp_path):
    """The checkpoint was written, and the epoch not yet ended."""

    def interrupt(state):
        if state.step == 12:
            raise KeyboardInterrupt

    cut = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        train(Folder(cut, ABOUT), start(made_up), on_step=interrupt)
    assert (cut / "history.csv").read_bytes() != (run / "history.csv").read_bytes()
    train(Folder(cut, ABOUT), start(made_up), resume=True)
    for name in ("history.csv", "history.json"):
        assert (cut / name).read_bytes() == (run / name).read_bytes()
    assert names(cut) == names(run)


def test_resume_where_nothing_is_begins(made_up, tmp_path):
    """So that a run killed before its first checkpoint goes on by the same command as any other."""
    state = start(made_up)
    train(Folder(tmp_path / "run", ABOUT), state, resume=True)
    assert state.step == 12


def test_a_folder_that_holds_a_run_is_not_begun_again(run, made_up, refused):
    before = {name: (run / name).read_bytes() for name in names(run)}
    with refused(f"{run} holds a run already", "--resume", "another --out"):
        train(Folder(run, ABOUT), start(made_up))
    assert {name: (run / name).read_bytes() for name in names(run)} == before


@pytest.mark.parametrize(("key", "value"), [("recipe", "gan"), ("seed", 1), ("data", "mnist/train")])
def test_a_folder_of_another_run(run, made_up, refused, key, value):
    before = names(run)
    with refused(f"cannot go on from the checkpoint {run}", f"is of {key} ", repr(value), "another --out"):
        train(Folder(run, ABOUT | {key: value}), start(made_up), resume=True)
    assert names(run) == before


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-50] ^= 1  # one bit
    path.write_bytes(content)


def test_a_damaged_checkpoint_is_reported_and_the_one_before_is_used(run, made_up, caplog):
    newest = run / "checkpoint-000000012.safetensors"
    expected = load(newest.read_bytes())
    damage(newest)
    steps, state = [], start(made_up)
    with caplog.at_level(logging.WARNING, "gmlib"):
        train(Folder(run, ABOUT), state, resume=True, on_step=lambda state: steps.append(state.step))
    assert f"{newest} is damaged" in caplog.text
    assert "trying the one before" in caplog.text
    assert steps == [12]
    found = load_file(newest)
    assert same(found, expected)
    assert "checkpoint-000000012.damaged" in names(run)


def test_when_all_checkpoints_are_damaged_nothing_is_begun(run, made_up, refused, caplog):
    for path in checkpoints(run):
        damage(path)
    before = names(run)
    with refused(f"cannot read any checkpoint in {run}", "expected whole files", "remove the folder"):
        train(Folder(run, ABOUT), start(made_up), resume=True)
    assert names(run) == before


def test_a_checkpoint_of_a_newer_gmlib_is_not_taken_for_damaged(run, made_up, refused, monkeypatch):
    monkeypatch.setattr("gmlib.training.state.FORMAT", 0)
    with refused("written by a newer gmlib (format 1, this one reads up to 0)", "update gmlib"):
        train(Folder(run, ABOUT), start(made_up), resume=True)


def test_a_folder_in_use_is_refused(run, made_up, refused):
    program = (
        "import sys; from pathlib import Path; from gmlib.training.checkpoint import Folder\n"
        "with Folder(Path(sys.argv[1]), {}): print('taken', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "taken\n"
        with refused(f"another process is training in {run}", "choose another --out"):
            train(Folder(run, ABOUT), start(made_up), resume=True)
        other.kill()  # and not let go of properly
        other.communicate()
        train(Folder(run, ABOUT), start(made_up), resume=True)
    finally:
        other.kill()
        other.communicate()


def test_what_a_killed_process_left_half_written_is_cleared_away(run, made_up):
    (run / ".checkpoint-000000013.safetensors.4711.tmp").write_bytes(b"half")
    train(Folder(run, ABOUT), start(made_up), resume=True)
    assert not list(run.glob(".*.tmp"))


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", ["vae.json", "vae.safetensors", "history.csv", "history.json", "gan.safetensors"])
def test_results_without_a_checkpoint_are_not_replaced(made_up, tmp_path, refused, resume, name):
    """A finished run whose checkpoints were removed, or a file of somebody's own."""
    (tmp_path / name).write_text("mine")
    if name == "gan.safetensors":  # a run of another recipe
        (tmp_path / "gan.json").write_text("mine")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with refused(name, "no checkpoint", "another --out"):
        train(Folder(tmp_path, ABOUT), start(made_up), lambda *_, **__: pytest.fail("trained"), resume=resume)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_only_files_that_gmlib_wrote_are_removed(made_up, tmp_path, always):
    mine = [
        *(".notes.tmp", ".vae.json.tmp", ".notes.json.12.tmp", ".lock", "notes.txt"),
        *("checkpoint-best.safetensors", "checkpoint-000000001.safetensors.bak", "checkpoint-12.safetensors"),
    ]
    for name in mine:
        (tmp_path / name).write_text("mine")
    train(Folder(tmp_path, ABOUT), start(made_up))
    train(Folder(tmp_path, ABOUT), start(made_up), resume=True)
    assert {name: (tmp_path / name).read_text() for name in mine} == dict.fromkeys(mine, "mine")


@pytest.mark.parametrize("name", ["vae.json", "vae.safetensors", "history.csv", ".gmlib.lock"])
def test_a_name_of_the_run_that_is_taken_by_a_folder_costs_no_step(made_up, tmp_path, refused, name):
    (tmp_path / name).mkdir()
    with refused(name, "is a folder"):
        train(Folder(tmp_path, ABOUT), start(made_up), lambda *_, **__: pytest.fail("trained"))
    assert names(tmp_path) == [] if name == ".gmlib.lock" else [name]


def test_a_checkpoint_that_may_not_be_read_is_not_called_damaged(run, made_up, refused, monkeypatch):
    newest, read = checkpoints(run)[-1], Path.read_bytes

    def forbidden(path: Path) -> bytes:
        if path == newest:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    before = names(run)
    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with refused(str(newest), "Permission denied", "allow"):
        train(Folder(run, ABOUT), start(made_up), resume=True)
    assert names(run) == before


def test_a_longer_run_is_another_run(run, made_up, refused):
    for path in checkpoints(run):
        path.unlink()
    for path in run.iterdir():
        path.unlink()
    train(Folder(run, ABOUT | {"epochs": 2}), start(made_up))
    with refused("of epochs 2", "this run is of 4", "cannot be made longer", "train anew"):
        train(Folder(run, ABOUT | {"epochs": 4}), start(made_up), resume=True)


@pytest.mark.parametrize("error", [OSError(38, "Function not implemented"), NotImplementedError("no flock")])
def test_a_file_system_without_locks_is_not_called_unwritable(made_up, tmp_path, refused, monkeypatch, error):
    def without(*_: object) -> None:
        raise error

    monkeypatch.setattr("gmlib.training.checkpoint.FileLock.acquire", without)
    with refused("no locks", "another disk"):
        train(Folder(tmp_path, ABOUT), start(made_up))


def test_a_finished_run_is_left_as_it_is(run, made_up):
    before = {name: (run / name).read_bytes() for name in names(run)}
    train(Folder(run, ABOUT), start(made_up), resume=True)
    assert {name: (run / name).read_bytes() for name in names(run)} == before


def test_a_disk_that_is_full_stops_the_run_and_keeps_what_was_written(made_up, tmp_path, always, monkeypatch, refused):
    import gmlib.files

    sync, count = os.fsync, []

    def fill_up(descriptor):
        count.append(descriptor)
        if len(count) == 6:
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(gmlib.files.os, "fsync", fill_up)
    with refused("cannot write", "No space left on device", "free some space"):
        train(Folder(tmp_path, ABOUT), start(made_up))
    assert [name for name in names(tmp_path) if name.startswith("checkpoint")] == [
        "checkpoint-000000003.safetensors",
        "checkpoint-000000004.safetensors",
    ]
    whole, resumed = start(made_up), start(made_up)
    train(None, whole)
    train(Folder(tmp_path, ABOUT), resumed, resume=True)
    assert same(weights(resumed), weights(whole))


def test_a_place_that_cannot_be_written_costs_no_step(made_up, tmp_path, refused):
    (tmp_path / "file").write_text("here")
    with refused(f"cannot write {tmp_path / 'file'}", "writable"):
        train(Folder(tmp_path / "file" / "run", ABOUT), start(made_up), lambda *_, **__: pytest.fail("trained"))


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_that_diverges_stops_and_says_what_to_try(made_up, tmp_path, always, kept):
    def poison(state: State) -> None:
        if state.step == 6:
            with torch.no_grad():
                next(state.networks["vae"].parameters()).fill_(torch.nan)

    folder = Folder(tmp_path / "run", ABOUT) if kept else None
    with pytest.raises(DivergedError) as caught:
        train(folder, start(made_up), on_step=poison)
    text = str(caught.value)
    assert text.startswith("training has diverged: ")
    assert "epoch 2" in text
    assert "lower learning rate" in text
    if kept:
        assert str(tmp_path / "run" / "checkpoint-000000006.safetensors") in text
        last = load_file(tmp_path / "run" / "checkpoint-000000006.safetensors")
        assert all(tensor.isfinite().all() for tensor in last.values() if tensor.is_floating_point())
