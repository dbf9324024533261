"""The folder of a run: what is damaged, in use or of another run is refused, and nothing is lost."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gmlib.data import Batches
from gmlib.errors import DivergedError
from gmlib.models import VAE, BernoulliDecoder, MLPDecoder, MLPEncoder
from gmlib.training import State, StopTraining, fit_vae
from gmlib.training.checkpoint import DamagedError, Folder, checkpoints, pack, train_in, unpack
from tests.unit.training.common import SETTINGS, continue_from, differences

LAST = "checkpoint-000000012.pt"


def start(digits, seed: int = 0) -> State:
    torch.manual_seed(seed)
    vae = VAE(MLPEncoder(2, hidden=20), BernoulliDecoder(MLPDecoder(2, hidden=20)))
    optimiser = torch.optim.Adam(vae.parameters(), lr=1e-2)
    batches = Batches(digits, 16, binarised=True)
    return State({"vae": vae}, {"vae": optimiser}, batches, torch.Generator().manual_seed(seed))


def train(folder: Folder | None, state: State, epochs: int = 3, **options) -> State:
    """Train a VAE for epochs of 4 steps, from a fresh state that the folder may replace by its newest checkpoint."""

    def loop(on_start, **callbacks) -> State:
        on_start(state)
        return continue_from(state, fit_vae, state.networks["vae"], epochs=epochs, lr=1e-2, **callbacks)

    return train_in(folder, loop, **options)


@pytest.fixture
def run(made_up, tmp_path, always) -> Path:
    """The folder of a finished run with a checkpoint after each step."""
    train(Folder(tmp_path / "run", SETTINGS), start(made_up))
    return tmp_path / "run"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".gmlib.lock"}


def load(path: Path) -> dict:
    return torch.load(path, weights_only=True)["state"]


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-50] ^= 1  # one bit
    path.write_bytes(content)


# the file


@pytest.mark.parametrize(("name", "value"), [("recipe_hash", "4567"), ("seed", 1), ("epochs", 2)])
def test_a_checkpoint_of_another_run_is_refused_and_changes_nothing(made_up, refused, name, value):
    content, fresh, expected = pack(start(made_up), SETTINGS), start(made_up, seed=1), start(made_up, seed=1)
    with refused(f"is of {name} {SETTINGS.get(name)!r}"):
        unpack(content, fresh, SETTINGS | {name: value})
    assert differences(fresh.state_dict(), expected.state_dict()) == []


def test_every_flipped_bit_and_every_missing_byte_is_noticed(made_up):
    content, fresh = pack(start(made_up), SETTINGS), start(made_up)
    for place in torch.randint(len(content), (200,), generator=torch.Generator().manual_seed(0)).tolist():
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        for damaged in (bytes(flipped), content[:place]):
            with pytest.raises(DamagedError):
                unpack(damaged, fresh, SETTINGS)
    unpack(content, fresh, SETTINGS)


@pytest.mark.parametrize("place", ["weight", "moment", "total"])
def test_a_run_that_diverged_is_not_packed(made_up, place):
    state = train(None, start(made_up))
    parameter = state.networks["vae"].encoder.net[0].weight
    with torch.no_grad():
        if place == "weight":
            parameter[0, 0] = torch.inf
        elif place == "moment":
            state.optimisers["vae"].state[parameter]["exp_avg"][0, 0] = torch.nan
        else:
            state.add_to_totals(torch.tensor([1.0, torch.nan]), ("log_px", "kl"))
    with pytest.raises(DivergedError, match="not finite in epoch 4"):
        pack(state, SETTINGS)


# which checkpoints there are


def test_the_last_two_checkpoints_and_the_history_are_kept(run):
    assert list(contents(run)) == ["checkpoint-000000011.pt", LAST, "history.csv"]
    assert len((run / "history.csv").read_text().splitlines()) == 4


def test_checkpoints_are_in_the_order_of_their_numbers(tmp_path):
    names = [f"checkpoint-{number}.pt" for number in ("000000009", "999999999", "1000000000")]
    for name in (*names, "checkpoint-best.pt", "checkpoint-000000001.pt.bak"):
        (tmp_path / name).touch()
    assert [path.name for path in checkpoints(tmp_path)] == names


def test_checkpoints_take_a_small_part_of_the_time(made_up, tmp_path, monkeypatch):
    """At most a fiftieth of it; they are at least one second apart, and at most ten minutes."""
    clock, saved, cost = [0.0], [], 0.1
    monkeypatch.setattr("gmlib.training.checkpoint.time.perf_counter", lambda: clock[0])

    def save(folder, state):
        saved.append(clock[0])
        folder.cost, folder.written = cost, clock[0]

    monkeypatch.setattr(Folder, "save", save)
    folder, state = Folder(tmp_path, SETTINGS), start(made_up)
    for tenths in range(101):
        clock[0] = tenths / 10
        folder.save_if_due(state)
    assert saved == pytest.approx([1.1, 6.2])  # the first after a second, the next after 50 times its cost
    cost = 90.0  # the disk was slow once
    for clock[0] in range(12, 1300, 10):
        folder.save_if_due(state)
    assert saved[2:] == [12, 622, 1232]


def test_the_cost_of_a_checkpoint_is_measured(made_up, tmp_path):
    folder, state = Folder(tmp_path, SETTINGS), start(made_up)
    with folder:
        folder.open(state, resume=False)
        opened = folder.written
        folder.save(state)
    assert 0 < folder.cost <= folder.written - opened


# stopped and resumed


def test_an_interrupted_run_continues(run, made_up, tmp_path):
    """Interrupted within, at the end and at the start of an epoch, and after the last step, before its row is written."""
    folder = tmp_path / "interrupted"
    for last_step in (1, 4, 7, 12):

        def interrupt(state, last_step=last_step):
            if state.step == last_step:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):  # resume also starts a run, so that one command serves a job script
            train(Folder(folder, SETTINGS), start(made_up), resume=True, on_step=interrupt)
    resumed = train(Folder(folder, SETTINGS), start(made_up), resume=True, on_step=lambda _: pytest.fail("trained"))
    assert differences(resumed.state_dict(), train(None, start(made_up)).state_dict()) == []
    assert (folder / "history.csv").read_bytes() == (run / "history.csv").read_bytes()
    assert contents(folder).keys() == contents(run).keys()
    assert differences(load(folder / LAST), load(run / LAST)) == []


def test_a_callback_may_stop_the_run(made_up, tmp_path, always):
    calls = []

    def stop(state: State) -> None:
        calls.append(state.epoch)
        if state.epoch == 2:
            raise StopTraining

    state = start(made_up)
    train(Folder(tmp_path, SETTINGS), state, on_epoch=stop, on_start=lambda state: calls.append(state.step))
    assert calls == [0, 1, 2]
    assert (state.epoch, state.step) == (2, 8)
    assert checkpoints(tmp_path)[-1].name == "checkpoint-000000008.pt"
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 3


# what is refused


@pytest.mark.parametrize(
    ("changed", "resume", "text"),
    [({}, False, "--resume"), ({"seed": 1}, True, "of seed 0"), ({"data": "mnist/train"}, True, "of data")],
)
def test_an_existing_run_is_not_overwritten(run, made_up, refused, changed, resume, text):
    before = contents(run)
    with refused(str(run), text):
        train(Folder(run, SETTINGS | changed), start(made_up), resume=resume)
    assert contents(run) == before


def test_a_damaged_checkpoint_is_reported_and_the_one_before_is_used(run, made_up, caplog):
    newest, steps = run / LAST, []
    expected = load(newest)
    damage(newest)
    with caplog.at_level(logging.WARNING, "gmlib"):
        train(Folder(run, SETTINGS), start(made_up), resume=True, on_step=lambda state: steps.append(state.step))
    assert f"{newest} is damaged" in caplog.text
    assert steps == [12]
    assert differences(load(newest), expected) == []
    assert "checkpoint-000000012.damaged" in contents(run)


def test_when_all_checkpoints_are_damaged_no_run_starts(run, made_up, refused):
    for path in checkpoints(run):
        damage(path)
    before = contents(run)
    with refused("cannot read any checkpoint"):
        train(Folder(run, SETTINGS), start(made_up), resume=True)
    assert contents(run) == before


def test_a_folder_in_use_is_refused(run, made_up, refused):
    program = (
        "import sys; from filelock import FileLock\n"
        "with FileLock(sys.argv[1] + '/.gmlib.lock'): print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(run)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "locked\n"
        with refused("another process is training"):
            train(Folder(run, SETTINGS), start(made_up), resume=True)
    finally:
        other.kill()  # without a proper release of the lock
        other.communicate()
    locked = []
    train(Folder(run / "new", SETTINGS), start(made_up), on_step=lambda _: locked.append(is_locked(run / "new")))
    assert locked == [True] * 12
    assert not is_locked(run / "new")


def is_locked(folder: Path) -> bool:
    lock = Folder(folder, SETTINGS).lock
    try:
        lock.acquire()
    except TimeoutError:
        return True
    lock.release()
    return False


def test_an_unfinished_checkpoint_is_removed_and_no_other_file(run, made_up):
    (run / ".checkpoint-000000013.pt.4711.tmp").write_bytes(b"half")
    for name in (".notes.tmp", "notes.txt", "checkpoint-best.pt"):
        (run / name).write_text("mine")
    before = contents(run)
    train(Folder(run, SETTINGS), start(made_up), resume=True)
    assert before.keys() - contents(run).keys() == {".checkpoint-000000013.pt.4711.tmp"}


@pytest.mark.parametrize("name", ["vae.safetensors", "history.csv"])
def test_results_without_a_checkpoint_are_not_replaced(made_up, tmp_path, refused, name):
    """They are of a finished run whose checkpoints were removed."""
    (tmp_path / name).write_text("mine")
    with refused(name, "no checkpoint"):
        train(Folder(tmp_path, SETTINGS), start(made_up), resume=True, on_step=lambda _: pytest.fail("trained"))
    assert contents(tmp_path) == {name: b"mine"}


def test_a_folder_that_cannot_be_made_is_refused_before_the_first_step(made_up, tmp_path, refused):
    (tmp_path / "file").write_text("a file")
    with refused("cannot use the folder"):
        train(Folder(tmp_path / "file" / "run", SETTINGS), start(made_up), on_step=lambda _: pytest.fail("trained"))


def test_a_full_disk_stops_the_run_and_loses_nothing(made_up, tmp_path, always, monkeypatch, refused):
    sync, calls = os.fsync, []

    def fill_up(descriptor):
        calls.append(descriptor)
        if len(calls) == 11:  # two files per checkpoint
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr("gmlib.files.os.fsync", fill_up)
    with refused("No space left on device"):
        train(Folder(tmp_path, SETTINGS), start(made_up))
    assert [path.stem[-2:] for path in checkpoints(tmp_path)] == ["03", "04"]
    resumed = train(Folder(tmp_path, SETTINGS), start(made_up), resume=True)
    assert differences(resumed.state_dict(), train(None, start(made_up)).state_dict()) == []


@pytest.mark.parametrize("in_folder", [True, False])
def test_a_run_that_diverges_stops_and_keeps_its_last_good_checkpoint(made_up, tmp_path, always, in_folder):
    def diverge(state: State) -> None:
        if state.step == 6:
            with torch.no_grad():
                next(state.networks["vae"].parameters()).fill_(torch.nan)

    with pytest.raises(DivergedError, match=r"training has diverged.*epoch 2") as caught:
        train(Folder(tmp_path, SETTINGS) if in_folder else None, start(made_up), on_step=diverge)
    assert ("checkpoint-000000006.pt" in str(caught.value)) == in_folder
