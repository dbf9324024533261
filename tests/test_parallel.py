"""Several processes train what one would have trained: each test here starts two, over gloo."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gmlib import recipes
from gmlib.parallel import BatchGenerator, average_gradients, broadcast, draw, rank, shard, sync_batch_norm, world_size

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available(), reason="this torch was built without torch.distributed"
)


def launch(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Start a program in two processes, each with one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*torchrun, program, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False
    )


def two_processes(program: str, *arguments: object) -> str:
    """Run a program in two processes to its good end; give what it printed."""
    found = launch(program, *arguments)
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_one_process_is_alone():
    assert (world_size(), rank()) == (1, 0)
    x = torch.arange(6.0)
    assert shard()(x) is x
    assert average_gradients([], x) is x
    assert broadcast(b"abc") == b"abc"
    network = torch.nn.Sequential(torch.nn.BatchNorm1d(3))
    assert sync_batch_norm(network)[0].__class__ is torch.nn.BatchNorm1d


@pytest.mark.parametrize("kind", [torch.Generator, BatchGenerator])
def test_one_process_draws_what_torch_draws(kind):
    first, second = kind().manual_seed(1), torch.Generator().manual_seed(1)
    assert torch.equal(draw(torch.randn, (3, 5), first, torch.device("cpu")), torch.randn(3, 5, generator=second))


def test_a_generator_on_another_device(refused):
    with refused("got a generator on cpu for tensors on meta", "torch.Generator('meta')"):
        draw(torch.randn, (2, 2), torch.Generator(), torch.device("meta"))


# What follows is written to a file and run twice: in one process with a batch of 128, in two with 64 each.
STEPS = """
import sys
import torch
from safetensors.torch import save_file
from torch import nn
from gmlib import parallel
from gmlib.data import Batches, mnist
from gmlib.models import VAE, BernoulliDecoder, MLPDecoder, MLPEncoder
from gmlib.objectives import elbo, gradient_penalty
from gmlib.parallel import BatchGenerator, average_gradients, draw, sync_batch_norm

torch.set_num_threads(1)
torch.set_default_dtype(getattr(torch, sys.argv[2]))
parallel.init("cpu")
torch.manual_seed(0)
digits = mnist("train")
noise = BatchGenerator()
noise.manual_seed(1)
found = {}

def keep(name, network, means):
    means = average_gradients(network.parameters(), means)
    found[f"{name} means"] = means
    for key, parameter in network.named_parameters():
        found[f"{name} {key}"] = parameter.grad.clone()
    for key, buffer in network.named_buffers():
        found[f"{name} {key}"] = buffer.clone()
    network.zero_grad()

# a VAE with batch norm
vae = sync_batch_norm(VAE(MLPEncoder(2, batch_norm=True), BernoulliDecoder(MLPDecoder(2, batch_norm=True))))
x, _ = next(iter(Batches(digits, 128, binarised=True, seed=3)))
x = x.to(torch.get_default_dtype())
log_px, kl = vae(x, None, noise)
(-elbo(log_px, kl).mean()).backward()
keep("vae", vae, torch.stack([log_px, kl]).detach().mean(1))

# importance weights: the batch is the second dimension of the noise
(-torch.logsumexp(vae.log_weights(x, None, 5, noise), 0).mean()).backward()
keep("iwae", vae, kl.detach().mean().view(1))

# a small GAN with batch norm in the generator; the penalty differentiates the critic twice
generator = sync_batch_norm(nn.Sequential(nn.Linear(8, 49), nn.Unflatten(1, (1, 7, 7)), nn.BatchNorm2d(1), nn.ReLU(),
    nn.Upsample(scale_factor=4), nn.Conv2d(1, 1, 3, padding=1), nn.Sigmoid()))
critic = nn.Sequential(nn.Conv2d(1, 4, 5, stride=2), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(4 * 144, 1), nn.Flatten(0))
normed = sync_batch_norm(nn.Sequential(nn.Conv2d(1, 4, 5, stride=2, bias=False), nn.BatchNorm2d(4), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 144, 1), nn.Flatten(0)))
real, _ = next(iter(Batches(digits, 128, binarised=False, seed=4)))
real = real.to(torch.get_default_dtype())
fake = generator(draw(torch.randn, (len(real), 8), noise, real.device).to(real.dtype))
for name, network in (("critic", critic), ("critic with batch norm", normed)):
    eps = draw(torch.rand, (len(real), 1, 1, 1), noise, real.device)
    penalty = gradient_penalty(lambda x, y: network(x), real, fake.detach(), eps=eps)
    loss = network(fake.detach()).mean() - network(real).mean() + 10 * penalty.mean()
    loss.backward()
    keep(name, network, penalty.detach().mean().view(1))
(-critic(fake).mean()).backward()
critic.zero_grad()
keep("generator", generator, fake.detach().mean().view(1))

# half precision: sums and running statistics stay in float32
norm = sync_batch_norm(nn.Sequential(nn.Linear(784, 16), nn.BatchNorm1d(16)))
with torch.autocast("cpu", torch.bfloat16):
    out = norm(x.flatten(1))
out.float().square().mean().backward()
keep("bfloat16", norm, out.detach().float().mean().view(1))

if parallel.rank() == 0:
    save_file(found, sys.argv[1])
parallel.shutdown()
"""


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-11)])
def test_two_processes_have_the_gradients_of_one(tmp_path, dtype, tolerance):
    """Of a VAE with batch norm, of its IWAE bound, of critics with a gradient penalty, and of a generator."""
    program = tmp_path / "steps.py"
    program.write_text(STEPS)
    subprocess.run([sys.executable, program, tmp_path / "one", dtype], check=True)
    two_processes(str(program), tmp_path / "two", dtype)
    one, two = load_file(tmp_path / "one"), load_file(tmp_path / "two")
    assert one.keys() == two.keys()
    assert sum("weight" in key for key in one) >= 10
    for key, value in one.items():
        if not value.is_floating_point():
            assert torch.equal(value, two[key]), key
        elif key.startswith("bfloat16"):
            assert (two[key] - value).norm() <= 0.02 * max(1, value.norm()), key
        # log-weights are hundreds of nats, whose rounding in float32 alone moves their softmax by more
        elif dtype == "float64" or not key.startswith("iwae"):
            assert value.norm() > 0 or key.endswith("bias"), key  # a shift that the loss cannot see
            assert (two[key] - value).norm() <= tolerance * max(1, value.norm()), key


# the same for whole games: one process plays with batches of 128, each of two with 64 of them
GAMES = """
import sys
import torch
from safetensors.torch import save_file
from gmlib import parallel
from gmlib.data import Batches, mnist
from gmlib.models import MLPCritic, MLPGenerator
from gmlib.objectives import NON_SATURATING, WASSERSTEIN_PENALTY
from gmlib.parallel import BatchGenerator, sync_batch_norm
from gmlib.train import State, fit_gan

torch.set_num_threads(1)
parallel.init("cpu")
found = {}

def play(name, objective, norm=False, classes=0, stack=1, **game):
    torch.manual_seed(0)
    channels = stack * game.get("pack", 1)
    networks = {
        "generator": MLPGenerator(8, classes, hidden=(32, 64), batch_norm=True, channels=stack),
        "critic": MLPCritic(classes, hidden=(64, 32), batch_norm=norm, dropout=0.0, channels=channels),
    }
    networks = {key: sync_batch_norm(network) for key, network in networks.items()}
    optimisers = {key: torch.optim.SGD(network.parameters(), lr=0.02) for key, network in networks.items()}
    noise = BatchGenerator()
    noise.manual_seed(1)
    batches = Batches(mnist("train")[: 512 * stack], 128, binarised=False, stack=stack, seed=3)
    state = State(networks, optimisers, batches, noise, averaged="generator", ema=0.9)
    history = fit_gan(state, epochs=2, lr=0.02, objective=objective, **game)
    found[f"{name} numbers"] = torch.tensor([list(row.values()) for row in history.rows])
    for key, network in (*networks.items(), ("average", state.averages["generator"])):
        found.update({f"{name} {key} {place}": value.clone() for place, value in network.state_dict().items()})

play("non-saturating", NON_SATURATING, norm=True, classes=10)
play("penalty", WASSERSTEIN_PENALTY, n_critic=2, n_generator=2, pack=2)
play("stacks", NON_SATURATING, stack=3, pack=2)
if parallel.rank() == 0:
    save_file(found, sys.argv[1])
parallel.shutdown()
"""


def test_two_processes_play_the_game_of_one(tmp_path):
    """With batch norm in both networks, with a penalty of the critic's slope, in packs, and of stacks; without dropout."""
    program = tmp_path / "games.py"
    program.write_text(GAMES)
    subprocess.run([sys.executable, program, tmp_path / "one"], check=True)
    two_processes(str(program), tmp_path / "two")
    one, two = load_file(tmp_path / "one"), load_file(tmp_path / "two")
    assert one.keys() == two.keys()
    assert sum("weight" in key for key in one) >= 16
    for key, value in one.items():
        if value.is_floating_point():
            assert (two[key] - value).norm() <= 1e-5 * max(1, value.norm()), key
        else:
            assert torch.equal(value, two[key]), key


def test_torchrun_trains_what_one_process_trains_and_one_writes(tmp_path, monkeypatch):
    command = ["train", "vae", "--device", "cpu", "--seed", "2", "--out"]
    program = tmp_path / "short.py"
    program.write_text(
        "import sys\nfrom dataclasses import replace\nimport torch\nfrom gmlib import cli, experiment, recipes\n"
        "experiment.IWAE_SAMPLES, experiment.measure_samples = 2, lambda *_, **__: {}\n"
        "torch.set_num_threads(1)\n"
        "recipes.ALL['vae'] = replace(recipes.VAE, quick_epochs=2)\ncli.main(sys.argv[1:])\n"
    )
    out = two_processes(str(program), *command, tmp_path / "two", "--resume")
    assert re.findall(r"^epoch +(\d)/2", out, re.M) == ["1", "2"]  # one speaks
    assert out.count("wrote") == 1
    again = two_processes(str(program), *command, tmp_path / "two", "--resume")  # both take up the finished run
    assert not re.findall(r"^epoch", again, re.M)
    monkeypatch.setattr("gmlib.experiment.IWAE_SAMPLES", 2)
    monkeypatch.setattr("gmlib.experiment.measure_samples", lambda *_, **__: {})
    replace(recipes.VAE, quick_epochs=2).fit(seed=2, out=tmp_path / "one").save(tmp_path / "one")
    runs = [record(tmp_path / name) for name in ("one", "two")]
    assert (runs[0]["processes"], runs[1]["processes"]) == (1, 2)
    refused = launch(str(program), *command, tmp_path / "two")  # without --resume
    assert refused.returncode != 0
    assert refused.stderr.count("gmlib: ") == 1
    assert f"gmlib: {tmp_path / 'two'} holds a run already" in refused.stderr
    assert "gmlib/cli.py" not in refused.stderr  # no traceback of ours
    for a, b in zip(*(run["history"] for run in runs), strict=True):
        assert a == pytest.approx(b, rel=2e-3)


def record(folder: Path) -> dict:
    return json.loads((folder / "vae.json").read_text())


def test_a_batch_that_cannot_be_shared(tmp_path):
    program = tmp_path / "three.py"
    program.write_text(
        "from gmlib import parallel\nfrom gmlib.data import Batches, mnist\nfrom gmlib.errors import InputError\n"
        "parallel.init('cpu')\n"
        "try: Batches(mnist('validation'), 51, binarised=True)\n"
        "except InputError as error: print(error) if parallel.rank() == 0 else None\n"
        "parallel.shutdown()\n"
    )
    out = two_processes(str(program))
    assert "got 2 processes for a batch of 51 images" in out
    assert "--nproc-per-node" in out
