"""What `test_torchrun.py` runs in one process and, under torchrun, in two: steps, games, and runs of the command line.

    python together.py FOLDER

The first process writes what it computed into FOLDER; each process writes what its commands printed. Several processes
meet once and stay together, so that one launch is enough; the last command leaves the program as a reader's would.
"""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from gmlib import cli, parallel, recipes
from gmlib.data import Batches, mnist
from gmlib.errors import InputError
from gmlib.metrics import models
from gmlib.models import GAN, VAE, BernoulliDecoder, MLPCritic, MLPDecoder, MLPEncoder, MLPGenerator
from gmlib.objectives import NON_SATURATING, WASSERSTEIN_PENALTY, Adversarial, elbo, gradient_penalty
from gmlib.parallel import BatchGenerator, average, draw, share_gradients, sync_batch_norm
from gmlib.training import fit_gan

FOLDER = Path(sys.argv[1])
TRAIN = ["train", "vae", "--device", "cpu", "--seed", "2", "--out", str(FOLDER / "run")]


def keep(name: str, found: dict[str, torch.Tensor]) -> None:
    if parallel.rank() == 0:
        save_file(found, FOLDER / f"{name}.safetensors")


def steps(dtype: str) -> None:
    """Take the gradients of a batch of 128: in two processes, of 64 images each."""
    torch.set_default_dtype(getattr(torch, dtype))
    torch.manual_seed(0)
    digits = mnist("train")
    noise = BatchGenerator()
    noise.manual_seed(1)
    found: dict[str, torch.Tensor] = {}

    def note(name: str, network: nn.Module, means: torch.Tensor) -> None:
        found[f"{name} means"] = average(means)
        still = torch.optim.SGD(network.parameters(), lr=0.0)
        share_gradients(still)
        still.step()
        for key, parameter in network.named_parameters():
            found[f"{name} {key}"] = parameter.grad.clone()
        for key, buffer in network.named_buffers():
            found[f"{name} {key}"] = buffer.clone()
        network.zero_grad()

    # a VAE with batch norm
    vae = sync_batch_norm(VAE(MLPEncoder(2, batch_norm=True), BernoulliDecoder(MLPDecoder(2, batch_norm=True))))
    x, _ = next(iter(Batches(digits, 128, binarised=True, seed=3)))
    x = x.to(torch.get_default_dtype())
    log_px, kl = vae(x, generator=noise)
    (-elbo(log_px, kl).mean()).backward()
    note("vae", vae, torch.stack([log_px, kl]).detach().mean(1))

    # importance weights: the batch is the second dimension of the noise
    (-torch.logsumexp(vae.log_weights(x, samples=5, generator=noise), 0).mean()).backward()
    note("iwae", vae, kl.detach().mean().view(1))

    # a small GAN with batch norm in the generator; the penalty differentiates the critic twice
    generator = sync_batch_norm(
        nn.Sequential(
            *(nn.Linear(8, 49), nn.Unflatten(1, (1, 7, 7)), nn.BatchNorm2d(1), nn.ReLU()),
            *(nn.Upsample(scale_factor=4), nn.Conv2d(1, 1, 3, padding=1), nn.Sigmoid()),
        )
    )
    judge = (nn.Flatten(), nn.Linear(4 * 144, 1), nn.Flatten(0))
    critic = nn.Sequential(nn.Conv2d(1, 4, 5, stride=2), nn.LeakyReLU(0.2), *judge)
    judge = (nn.Flatten(), nn.Linear(4 * 144, 1), nn.Flatten(0))
    normed = nn.Sequential(nn.Conv2d(1, 4, 5, stride=2, bias=False), nn.BatchNorm2d(4), nn.Tanh(), *judge)
    normed = sync_batch_norm(normed)
    real, _ = next(iter(Batches(digits, 128, binarised=False, seed=4)))
    real = real.to(torch.get_default_dtype())
    fake = generator(draw(torch.randn, (len(real), 8), noise, real.device).to(real.dtype))
    for name, network in (("critic", critic), ("critic with batch norm", normed)):
        eps = draw(torch.rand, (len(real), 1, 1, 1), noise, real.device)
        penalty = gradient_penalty(lambda x, y, network=network: network(x), real, fake.detach(), eps=eps)
        (network(fake.detach()).mean() - network(real).mean() + 10 * penalty.mean()).backward()
        note(name, network, penalty.detach().mean().view(1))
    (-critic(fake).mean()).backward()
    critic.zero_grad()
    note("generator", generator, fake.detach().mean().view(1))

    # half precision: sums and running statistics stay in float32
    norm = sync_batch_norm(nn.Sequential(nn.Linear(784, 16), nn.BatchNorm1d(16)))
    with torch.autocast("cpu", torch.bfloat16):
        out = norm(x.flatten(1))
    out.float().square().mean().backward()
    note("bfloat16", norm, out.detach().float().mean().view(1))

    torch.set_default_dtype(torch.float32)
    keep(dtype, found)


def games() -> None:
    """Train whole GANs with batches of 128: in two processes, of 64 images each."""
    found: dict[str, torch.Tensor] = {}

    def play(
        name: str, objective: Adversarial, norm: bool = False, classes: int = 0, stack: int = 1, **game: Any
    ) -> None:
        torch.manual_seed(0)
        channels = stack * game.get("pack", 1)
        networks = {
            "generator": MLPGenerator(8, classes, hidden=(32, 64), batch_norm=True, channels=stack),
            "critic": MLPCritic(
                classes, hidden=(64, 32), norm="batch" if norm else None, dropout=0.0, channels=channels
            ),
        }
        networks = {key: sync_batch_norm(network) for key, network in networks.items()}
        noise = BatchGenerator()
        noise.manual_seed(1)
        batches = Batches(mnist("train")[: 512 * stack], 128, binarised=False, stack=stack, seed=3)
        how = {"epochs": 2, "lr": 0.02, "optimiser": torch.optim.SGD, "objective": objective, "ema": 0.9}
        state = fit_gan(GAN(**networks), batches, generator=noise, **how, **game)
        found[f"{name} numbers"] = torch.tensor([list(row.values()) for row in state.history.rows])
        for key, network in (*networks.items(), ("average", state.averages["generator"])):
            found.update({f"{name} {key} {place}": value.clone() for place, value in network.state_dict().items()})

    play("non-saturating", NON_SATURATING, norm=True, classes=10)
    play("penalty", WASSERSTEIN_PENALTY, n_critic=2, n_generator=2, pack=2)
    play("stacks", NON_SATURATING, stack=3, pack=2)
    keep("games", found)


def command(name: str, *arguments: str) -> None:
    """Run a command and write down its exit status and what this process printed."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            cli.main(list(arguments))
            status = 0
        except SystemExit as left:
            status = left.code or 0
    tell(name, status=status, out=out.getvalue(), err=err.getvalue())


def tell(name: str, **facts: Any) -> None:
    (FOLDER / f"{name}-{parallel.rank()}.json").write_text(json.dumps(facts))


def odd_batch() -> None:
    """Train with a batch that two processes cannot share."""
    try:
        Batches(mnist("validation"), 51, binarised=True)
        tell("odd batch", refused="")
    except InputError as error:
        tell("odd batch", refused=str(error))


if __name__ == "__main__":
    torch.set_num_threads(1)
    leave, parallel.shutdown = parallel.shutdown, lambda: None
    models.IWAE_SAMPLES, models.measure_samples = 2, lambda *_, **__: {}
    recipes.ALL["vae"] = replace(recipes.VAE, quick_epochs=2)
    command("first", *TRAIN, "--resume")
    command("again", *TRAIN, "--resume")
    steps("float32")
    steps("float64")
    games()
    odd_batch()
    parallel.shutdown = leave
    tell("end", processes=parallel.world_size())
    cli.main(TRAIN)  # without --resume
