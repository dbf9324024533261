"""What `test_torchrun.py` runs in one process and, under torchrun, in two: gradients, GANs, and runs of the command line.

    python together.py FOLDER

The first process writes its tensors into FOLDER; each process writes what its commands printed. The processes stay
connected from the first command to the last, so that one launch is enough.
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
from gmlib.parallel import SharedRng, average, draw, share_gradients, sync_batch_norm
from gmlib.training import fit_gan

FOLDER = Path(sys.argv[1])
TRAIN = ["train", "vae", "--device", "cpu", "--seed", "2", "--out", str(FOLDER / "run")]


def write_tensors(name: str, tensors: dict[str, torch.Tensor]) -> None:
    if parallel.rank() == 0:
        save_file(tensors, FOLDER / f"{name}.safetensors")


def write_facts(name: str, **facts: Any) -> None:
    (FOLDER / f"{name}-{parallel.rank()}.json").write_text(json.dumps(facts))


def compute_gradients(dtype: str) -> None:
    """Compute the gradients of a batch of 128: in two processes, of 64 images each."""
    torch.set_default_dtype(getattr(torch, dtype))
    torch.manual_seed(0)
    digits = mnist("train")
    rng = SharedRng()
    rng.manual_seed(1)
    tensors: dict[str, torch.Tensor] = {}

    def record(name: str, network: nn.Module, means: torch.Tensor) -> None:
        tensors[f"{name} means"] = average(means)
        optimiser = torch.optim.SGD(network.parameters(), lr=0.0)
        share_gradients(optimiser)
        optimiser.step()
        for key, parameter in network.named_parameters():
            tensors[f"{name} {key}"] = parameter.grad.clone()
        for key, buffer in network.named_buffers():
            tensors[f"{name} {key}"] = buffer.clone()
        network.zero_grad()

    # a VAE with batch norm
    vae = sync_batch_norm(VAE(MLPEncoder(2, batch_norm=True), BernoulliDecoder(MLPDecoder(2, batch_norm=True))))
    x, _ = next(iter(Batches(digits, 128, binarised=True, seed=3)))
    x = x.to(torch.get_default_dtype())
    log_px, kl = vae(x, generator=rng)
    (-elbo(log_px, kl).mean()).backward()
    record("vae", vae, torch.stack([log_px, kl]).detach().mean(1))

    # importance weights: the batch is the second dimension of the noise
    (-torch.logsumexp(vae.log_weights(x, samples=5, generator=rng), 0).mean()).backward()
    record("iwae", vae, kl.detach().mean().view(1))

    # a small GAN with batch norm in the generator; the penalty differentiates the critic twice
    generator = sync_batch_norm(
        nn.Sequential(
            *(nn.Linear(8, 49), nn.Unflatten(1, (1, 7, 7)), nn.BatchNorm2d(1), nn.ReLU()),
            *(nn.Upsample(scale_factor=4), nn.Conv2d(1, 1, 3, padding=1), nn.Sigmoid()),
        )
    )
    first, last = nn.Conv2d(1, 4, 5, stride=2), nn.Linear(4 * 144, 1)
    critic = nn.Sequential(first, nn.LeakyReLU(0.2), nn.Flatten(), last, nn.Flatten(0))
    first, last = nn.Conv2d(1, 4, 5, stride=2, bias=False), nn.Linear(4 * 144, 1)
    normed = nn.Sequential(first, nn.BatchNorm2d(4), nn.Tanh(), nn.Flatten(), last, nn.Flatten(0))
    normed = sync_batch_norm(normed)
    real, _ = next(iter(Batches(digits, 128, binarised=False, seed=4)))
    real = real.to(torch.get_default_dtype())
    fake = generator(draw(torch.randn, (len(real), 8), rng, real.device).to(real.dtype))
    for name, network in (("critic", critic), ("critic with batch norm", normed)):
        eps = draw(torch.rand, (len(real), 1, 1, 1), rng, real.device)
        penalty = gradient_penalty(lambda x, y, network=network: network(x), real, fake.detach(), eps=eps)
        (network(fake.detach()).mean() - network(real).mean() + 10 * penalty.mean()).backward()
        record(name, network, penalty.detach().mean().view(1))
    (-critic(fake).mean()).backward()
    critic.zero_grad()
    record("generator", generator, fake.detach().mean().view(1))

    # half precision: sums and running statistics stay in float32
    norm = sync_batch_norm(nn.Sequential(nn.Linear(784, 16), nn.BatchNorm1d(16)))
    with torch.autocast("cpu", torch.bfloat16):
        out = norm(x.flatten(1))
    out.float().square().mean().backward()
    record("bfloat16", norm, out.detach().float().mean().view(1))

    torch.set_default_dtype(torch.float32)
    write_tensors(dtype, tensors)


def train_gans() -> None:
    """Train GANs with batches of 128: in two processes, of 64 images each."""
    tensors: dict[str, torch.Tensor] = {}

    def train(
        name: str, objective: Adversarial, norm: str | None = None, classes: int = 0, stack: int = 1, **options: Any
    ) -> None:
        torch.manual_seed(0)
        gan = GAN(
            MLPGenerator(8, classes, hidden=(32, 64), batch_norm=True, channels=stack),
            MLPCritic(classes, hidden=(64, 32), norm=norm, dropout=0.0, channels=stack * options.get("pack", 1)),
        )
        sync_batch_norm(gan)
        batches = Batches(mnist("train")[: 512 * stack], 128, binarised=False, stack=stack, seed=3)
        options |= {"epochs": 2, "lr": 0.02, "optimiser": torch.optim.SGD, "objective": objective, "ema": 0.9}
        state = fit_gan(gan, batches, rng=torch.Generator().manual_seed(1), **options)
        tensors[f"{name} numbers"] = torch.tensor([list(row.values()) for row in state.history.rows])
        for key, network in (*state.networks.items(), ("average", state.averages["generator"])):
            tensors.update({f"{name} {key} {place}": value.clone() for place, value in network.state_dict().items()})

    train("non-saturating", NON_SATURATING, norm="batch", classes=10)
    train("penalty", WASSERSTEIN_PENALTY, n_critic=2, n_generator=2, pack=2)
    train("stacks", NON_SATURATING, stack=3, pack=2)
    write_tensors("gans", tensors)


def command(name: str, *arguments: str) -> None:
    """Run a command and write its exit status and what this process printed."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            cli.main(list(arguments))
            status = 0
        except SystemExit as end:
            status = end.code or 0
    write_facts(name, status=status, out=out.getvalue(), err=err.getvalue())


def indivisible_batch() -> None:
    """Train with a batch that two processes cannot share equally."""
    error = ""
    try:
        Batches(mnist("validation"), 51, binarised=True)
    except InputError as refusal:
        error = str(refusal)
    write_facts("indivisible batch", error=error)


if __name__ == "__main__":
    torch.set_num_threads(1)
    shutdown, parallel.shutdown = parallel.shutdown, lambda: None  # stay connected after a command
    models.IWAE_SAMPLES, models.measure_samples = 2, lambda *_, **__: {}
    recipes.ALL["vae"] = replace(recipes.VAE, quick_epochs=2)
    command("first", *TRAIN, "--resume")
    command("again", *TRAIN, "--resume")
    compute_gradients("float32")
    compute_gradients("float64")
    train_gans()
    indivisible_batch()
    parallel.shutdown = shutdown
    write_facts("end", processes=parallel.world_size())
    cli.main(TRAIN)  # without --resume
