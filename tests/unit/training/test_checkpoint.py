"""The folder of a run: what is damaged, in use or of another run is refused, and nothing is lost."""

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
from gmlib.training import State, StopTraining, fit_vae
from gmlib.training.checkpoint import Folder, checkpoints, train_in
from tests.unit.training.going_on import go_on

ABOUT = {"recipe": "vae", "recipe_hash": "0123", "seed": 0, "data": "made-up/train"}
LAST = "checkpoint-000000012.safetensors"


def start(digits) -> State:
    torch.manual_seed(0)
    vae = VAE(MLPEncoder(2, hidden=20), BernoulliDecoder(MLPDecoder(2, hidden=20)))
    optimiser = torch.optim.Adam(vae.parameters(), lr=1e-2)
    batches = Batches(digits, 16, binarised=True)
    return State({"vae": vae}, {"vae": optimiser}, batches, torch.Generator().manual_seed(0))


def train(folder: Folder | None, state: State, **options) -> None:
    def loop(**callbacks) -> State:
        go_on(fit_vae, state.networks["vae"], state, epochs=3, lr=1e-2, **callbacks)
        return state

    assert train_in(folder, loop, **options).step == state.step


@pytest.fixture
def run(made_up, tmp_path, always) -> Path:
    train(Folder(tmp_path / "run", ABOUT), start(made_up))
    return tmp_path / "run"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".gmlib.lock"}


def weights(state: State) -> dict[str, torch.Tensor]:
    return state.networks["vae"].state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_the_last_two_checkpoints_and_the_history_are_kept(run):
    assert list(contents(run)) == ["checkpoint-000000011.safetensors", LAST, "history.csv"]
    assert len((run / "history.csv").read_text().splitlines()) == 4


def test_checkpoints_are_in_the_order_of_their_numbers(tmp_path):
    names = [f"checkpoint-{number}.safetensors" for number in ("000000009", "999999999", "1000000000")]
    for name in (*names, "checkpoint-best.safetensors", "checkpoint-000000001.safetensors.bak"):
        (tmp_path / name).touch()
    assert [path.name for path in checkpoints(tmp_path)] == names


def test_checkpoints_take_a_small_part_of_the_time(made_up, tmp_path, monkeypatch):
    """At most one fiftieth of it; they are one second apart at least, and ten minutes at most."""
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
    cost = 90.0  # the disk was slow once
    for clock[0] in range(12, 1300, 10):
        folder.keep(start(made_up))
    assert saved[2:] == [12, 622, 1232]


def test_the_cost_of_a_checkpoint_is_measured(made_up, tmp_path):
    folder, state = Folder(tmp_path, ABOUT), start(made_up)
    folder.open(state, resume=False)
    first = folder.written
    folder.save(state)
    assert 0 < folder.cost < folder.written - first + folder.cost
    folder.keep(state)  # not due
    assert len(contents(tmp_path)) == 2


def test_an_interrupted_run_continues(run, made_up, tmp_path):
    """Interrupted within, at the end and at the start of an epoch, and after the last step, before its row is written."""
    cut = tmp_path / "cut"
    for stop in (1, 4, 7, 12):

        def interrupt(state, stop=stop):
            if state.step == stop:
                raise KeyboardInterrupt

        steps = []
        with pytest.raises(KeyboardInterrupt):  # resume also begins a run, so that one command serves a job script
            train(Folder(cut, ABOUT), start(made_up), resume=True, on_step=interrupt)
    steps, resumed, whole = [], start(made_up), start(made_up)
    train(Folder(cut, ABOUT), resumed, resume=True, on_step=lambda state: steps.append(state.step))
    train(None, whole)
    assert steps == []
    assert same(weights(resumed), weights(whole))
    assert resumed.history == whole.history
    assert (cut / "history.csv").read_bytes() == (run / "history.csv").read_bytes()
    assert contents(cut).keys() == contents(run).keys()
    assert same(load_file(cut / LAST), load_file(run / LAST))


def test_a_callback_may_stop_the_run(made_up, tmp_path, always):
    calls = []

    def stop(state: State) -> None:
        calls.append(state.epoch)
        if state.epoch == 2:
            raise StopTraining

    state = start(made_up)
    train(Folder(tmp_path, ABOUT), state, on_epoch=stop, on_start=lambda state: calls.append(state.step))
    assert calls == [0, 1, 2]
    assert (state.epoch, state.step) == (2, 8)
    assert checkpoints(tmp_path)[-1].name == "checkpoint-000000008.safetensors"
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("changed", "resume", "text"),
    [
        ({}, False, "--resume"),
        ({"seed": 1}, True, "of seed 0"),
        ({"data": "mnist/train"}, True, "of data"),
        ({"recipe": "gan"}, True, "of recipe"),
    ],
)
def test_a_run_that_is_there_is_not_overwritten(run, made_up, refused, changed, resume, text):
    before = contents(run)
    with refused(str(run), text):
        train(Folder(run, ABOUT | changed), start(made_up), resume=resume)
    assert contents(run) == before


def test_a_damaged_checkpoint_is_reported_and_the_one_before_is_used(run, made_up, caplog):
    newest = run / LAST
    expected = load(newest.read_bytes())
    damage(newest)
    steps, state = [], start(made_up)
    with caplog.at_level(logging.WARNING, "gmlib"):
        train(Folder(run, ABOUT), state, resume=True, on_step=lambda state: steps.append(state.step))
    assert f"{newest} is damaged" in caplog.text
    assert steps == [12]
    assert same(load_file(newest), expected)
    assert "checkpoint-000000012.damaged" in contents(run)


def test_when_all_checkpoints_are_damaged_no_run_begins(run, made_up, refused):
    for path in checkpoints(run):
        damage(path)
    before = contents(run)
    with refused("cannot read any checkpoint"):
        train(Folder(run, ABOUT), start(made_up), resume=True)
    assert contents(run) == before


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-50] ^= 1  # one bit
    path.write_bytes(content)


def test_a_folder_in_use_is_refused(run, made_up, refused):
    program = (
        "import sys; from filelock import FileLock\n"
        "with FileLock(sys.argv[1] + '/.gmlib.lock'): print('taken', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "taken\n"
        with refused("another process is training"):
            train(Folder(run, ABOUT), start(made_up), resume=True)
    finally:
        other.kill()  # without a proper release of the lock
        other.communicate()
    train(Folder(run, ABOUT), start(made_up), resume=True)
    seen = []
    train(Folder(run / "new", ABOUT), start(made_up), on_step=lambda _: seen.append(try_lock(run / "new")))
    assert seen == [False] * 12
    assert try_lock(run / "new")


def try_lock(folder: Path) -> bool:
    lock = Folder(folder, ABOUT).lock
    try:
        lock.acquire()
    except TimeoutError:
        return False
    lock.release()
    return True


def test_a_half_written_checkpoint_is_removed_and_no_other_file(run, made_up):
    (run / ".checkpoint-000000013.safetensors.4711.tmp").write_bytes(b"half")
    for name in (".notes.tmp", "notes.txt", "checkpoint-best.safetensors"):
        (run / name).write_text("mine")
    before = contents(run)
    train(Folder(run, ABOUT), start(made_up), resume=True)
    assert before.keys() - contents(run).keys() == {".checkpoint-000000013.safetensors.4711.tmp"}


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", ["vae.safetensors", "history.csv", "gan.safetensors"])
def test_results_without_a_checkpoint_are_not_replaced(made_up, tmp_path, refused, resume, name):
    """They are of a finished run whose checkpoints were removed."""
    (tmp_path / name).write_text("mine")
    with refused(name, "no checkpoint"):
        train(Folder(tmp_path, ABOUT), start(made_up), resume=resume, on_step=lambda _: pytest.fail("trained"))
    assert contents(tmp_path) == {name: b"mine"}


def test_a_place_that_cannot_be_written_costs_no_step(made_up, tmp_path, refused):
    (tmp_path / "file").write_text("here")
    with refused("cannot use the folder"):
        train(Folder(tmp_path / "file" / "run", ABOUT), start(made_up), on_step=lambda _: pytest.fail("trained"))


def test_a_checkpoint_that_may_not_be_read_is_not_called_damaged(run, made_up, refused, monkeypatch):
    newest, read, before = checkpoints(run)[-1], Path.read_bytes, contents(run)

    def forbidden(path: Path) -> bytes:
        if path == newest:
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    with monkeypatch.context() as patch, refused(str(newest), "Permission denied"):
        patch.setattr(Path, "read_bytes", forbidden)
        train(Folder(run, ABOUT), start(made_up), resume=True)
    assert contents(run) == before


def test_a_disk_that_is_full_stops_the_run_and_keeps_what_was_written(made_up, tmp_path, always, monkeypatch, refused):
    sync, count = os.fsync, []

    def fill_up(descriptor):
        count.append(descriptor)
        if len(count) == 6:
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr("gmlib.files.os.fsync", fill_up)
    with refused("No space left on device"):
        train(Folder(tmp_path, ABOUT), start(made_up))
    assert [path.name[-14:-12] for path in checkpoints(tmp_path)] == ["03", "04"]
    whole, resumed = start(made_up), start(made_up)
    train(None, whole)
    train(Folder(tmp_path, ABOUT), resumed, resume=True)
    assert same(weights(resumed), weights(whole))


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_that_diverges_stops_and_keeps_its_last_good_checkpoint(made_up, tmp_path, always, kept):
    def poison(state: State) -> None:
        if state.step == 6:
            with torch.no_grad():
                next(state.networks["vae"].parameters()).fill_(torch.nan)

    folder = Folder(tmp_path, ABOUT) if kept else None
    with pytest.raises(DivergedError, match="training has diverged") as caught:
        train(folder, start(made_up), on_step=poison)
    assert "epoch 2" in str(caught.value)
    if kept:
        assert "checkpoint-000000006.safetensors" in str(caught.value)
        last = load_file(checkpoints(tmp_path)[-1])
        assert all(tensor.isfinite().all() for tensor in last.values() if tensor.is_floating_point())
