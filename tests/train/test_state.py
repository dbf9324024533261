"""Stopped and resumed equals never stopped, bit for bit; and a checkpoint is whole, of this run, or refused."""

from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from gmlib.data import Batches
from gmlib.models import VAE, BernoulliDecoder, MLPDecoder, MLPEncoder
from gmlib.train import State, fit_vae
from gmlib.train.state import load_checkpoint, save_checkpoint

ABOUT = {"recipe": "vae", "recipe_hash": "0123", "seed": 0, "data": "made-up/train"}
OPTIMISERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=1e-2),
    "adam, fused": lambda parameters: torch.optim.Adam(parameters, lr=1e-2, fused=True),
    "sgd, momentum": lambda parameters: torch.optim.SGD(parameters, lr=1e-4, momentum=0.9),
}


class Noisy(MLPEncoder):
    """Dropout draws from the global generator, which a State carries too."""

    def forward(self, x, y=None):
        mu, logvar = super().forward(x, y)
        return torch.nn.functional.dropout(mu, 0.1, self.training), logvar


def start(digits, optimiser: str = "adam", seed: int = 0) -> State:
    torch.manual_seed(seed)
    vae = VAE(Noisy(2, hidden=20), BernoulliDecoder(MLPDecoder(2, hidden=20)))
    batches = Batches(digits, 24, binarised=True, seed=seed)  # 16 images are left over in each epoch
    generator = torch.Generator().manual_seed(seed)
    return State({"vae": vae}, {"vae": OPTIMISERS[optimiser](vae.parameters())}, batches, generator)


def differences(a: Any, b: Any, path: str = "") -> list[str]:
    """Name the leaves where two trees differ in type or in a bit; training time aside."""
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [found for key in a if key != "seconds" for found in differences(a[key], b[key], f"{path}/{key}")]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        return [found for i in range(len(a)) for found in differences(a[i], b[i], f"{path}/{i}")]
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [path]
    return [] if type(a) is type(b) and a == b else [path]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_resumed_equals_never_stopped(made_up, tmp_path, optimiser):
    fit = {"epochs": 4, "lr": 1e-2 if optimiser.startswith("adam") else 1e-4, "decay": True, "validation": made_up}
    whole = start(made_up, optimiser)
    fit_vae(whole, **fit)
    expected = whole.state_dict()

    class KilledError(Exception):
        pass

    def kill(state: State) -> None:
        if state.epoch == 2:
            save_checkpoint(tmp_path / "checkpoint", state, ABOUT)
            raise KilledError

    with pytest.raises(KilledError):
        fit_vae(start(made_up, optimiser), **fit, on_epoch=kill)
    fresh = start(made_up, optimiser, seed=7)  # whatever it starts from, it becomes the saved run
    fresh.batches.seed = 0
    load_checkpoint(tmp_path / "checkpoint", fresh, ABOUT)
    assert (fresh.epoch, fresh.step, len(fresh.history)) == (2, 4, 2)
    fit_vae(fresh, **fit)
    assert differences(fresh.state_dict(), expected) == []


def test_resumed_from_the_middle_of_an_epoch(made_up, tmp_path):
    whole = start(made_up)
    fit_vae(whole, epochs=3, lr=1e-2)
    expected = whole.state_dict()

    def save(state: State) -> None:
        if state.step == 3:
            save_checkpoint(tmp_path / "checkpoint", state, ABOUT)

    fit_vae(start(made_up), epochs=3, lr=1e-2, on_step=save)
    fresh = start(made_up)
    load_checkpoint(tmp_path / "checkpoint", fresh, ABOUT)
    assert (fresh.epoch, fresh.step, fresh.batches.position) == (1, 3, 1)
    fit_vae(fresh, epochs=3, lr=1e-2)
    assert differences(fresh.state_dict(), expected) == []


def test_differences_sees_a_single_bit(made_up):
    a, b = start(made_up), start(made_up)
    assert differences(a.state_dict(), b.state_dict()) == []
    with torch.no_grad():
        parameter = next(b.networks["vae"].parameters())
        parameter[0, 0] = parameter[0, 0].nextafter(torch.tensor(torch.inf))
    assert differences(a.state_dict(), b.state_dict()) == ["/networks/vae/encoder.net.0.weight"]


def test_saving_changes_nothing_in_the_run(made_up, tmp_path):
    watched, plain = start(made_up), start(made_up)
    fit_vae(watched, epochs=2, lr=1e-2, on_epoch=lambda state: save_checkpoint(tmp_path / "c", state, ABOUT))
    state = watched.state_dict()
    torch.manual_seed(0)
    plain = start(made_up)
    fit_vae(plain, epochs=2, lr=1e-2)
    assert differences(state, plain.state_dict()) == []


@pytest.fixture
def checkpoint(made_up, tmp_path):
    state = start(made_up)
    fit_vae(state, epochs=1, lr=1e-2)
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, state, ABOUT)
    return path


@pytest.fixture
def fresh(made_up):
    """A fresh state, which a refused checkpoint must leave as it is."""
    state = start(made_up, seed=3)
    before = start(made_up, seed=3).state_dict()
    yield state
    assert differences(state.state_dict() | {"global_generator": None}, before | {"global_generator": None}) == []


@pytest.mark.parametrize(
    ("key", "value"), [("recipe", "vae_no_bn"), ("recipe_hash", "4567"), ("seed", 1), ("data", "mnist/train")]
)
def test_a_checkpoint_of_another_run(checkpoint, fresh, refused, key, value):
    with refused(str(checkpoint), f"is of {key} {ABOUT[key]!r}", repr(value), "--out"):
        load_checkpoint(checkpoint, fresh, ABOUT | {key: value})


def test_a_checkpoint_that_is_not_there(tmp_path, fresh, refused):
    with refused(f"no checkpoint {tmp_path / 'none'}", "without --resume"):
        load_checkpoint(tmp_path / "none", fresh, ABOUT)


@pytest.mark.parametrize("damage", ["half", "a byte short", "empty", "text", "without a record", "a header of noise"])
def test_a_damaged_checkpoint(checkpoint, fresh, refused, damage):
    content = checkpoint.read_bytes()
    damaged = {
        "half": content[: len(content) // 2],
        "a byte short": content[:-1],
        "empty": b"",
        "text": b"epoch,elbo\n1,-200\n",
        "a header of noise": content[:8] + b"\xff" * 100 + content[108:],
    }
    if damage == "without a record":
        save_file({"weight": torch.zeros(3)}, checkpoint)
    else:
        checkpoint.write_bytes(damaged[damage])
    with refused(f"cannot read the checkpoint {checkpoint}", "expected a whole file", "damaged", "train again"):
        load_checkpoint(checkpoint, fresh, ABOUT)


def test_a_checkpoint_without_one_of_its_tensors(checkpoint, fresh, refused):
    tensors = load_file(checkpoint)
    with safe_open(checkpoint, "pt") as file:
        metadata = file.metadata()
    del tensors["/batches/generator"]
    save_file(tensors, checkpoint, metadata=metadata)
    with refused(f"cannot use the checkpoint {checkpoint}", "/batches/generator", "damaged"):
        load_checkpoint(checkpoint, fresh, ABOUT)


@pytest.mark.parametrize("fails", ["os.fsync", "os.replace"])
def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(checkpoint, made_up, monkeypatch, refused, fails):
    def full_disk(*args):
        raise OSError(28, "No space left on device")

    before = checkpoint.read_bytes()
    state = start(made_up)
    with monkeypatch.context() as patch, refused(f"cannot write {checkpoint}", "No space left"):
        patch.setattr(f"gmlib.files.{fails}", full_disk)
        save_checkpoint(checkpoint, state, ABOUT)
    assert checkpoint.read_bytes() == before
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_a_checkpoint_where_nothing_can_be_written(checkpoint, made_up, refused):
    path = checkpoint / "below-a-file.safetensors"
    with refused(f"cannot write {path}", "writable"):
        save_checkpoint(path, start(made_up), ABOUT)
