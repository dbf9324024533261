"""Time training against the usual loop, A and B in turn, evaluation and start-up; print one table and write json."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn
from torch.utils.data import DataLoader

from gmlib import mnist, recipes, table
from gmlib.data import Digits
from gmlib.evaluate import log_likelihood, measure_samples
from gmlib.experiment import GANRecipe, Recipe, VAERecipe
from gmlib.files import write_whole
from gmlib.models import VAE, CausalNetwork, DCCritic, NoLatent, PixelDecoder, plain_stack
from gmlib.objectives import NON_SATURATING, Adversarial, critic_wasserstein, elbo
from gmlib.progress import Progress
from gmlib.run import versions
from gmlib.seeds import stream
from gmlib.train.folder import Folder, train_in

STEPS = 300
ROUNDS = 7


def usual_loader(digits: Digits, folder: Path, batch_size: int) -> DataLoader:
    """Load the digits as tutorials do: torchvision's MNIST, ToTensor for each image, a DataLoader.

    Args:
        digits: what to load.
        folder: where to write them as torchvision expects them.
        batch_size: images a batch.

    Returns:
        The loader.
    """
    from torchvision.datasets import MNIST
    from torchvision.transforms import ToTensor

    class Ours(MNIST):
        """torchvision's dataset over digits that are in memory: the same work an image, without the files."""

        def __init__(self) -> None:
            """Take the digits in place of the files."""
            super(MNIST, self).__init__(str(folder), transform=ToTensor())
            self.data, self.targets = digits.images[:, 0], digits.labels

    return DataLoader(Ours(), batch_size, shuffle=True, drop_last=True)


def usual_loop(vae: VAE, loader: DataLoader) -> Iterator[None]:
    """Train as tutorials do: DataLoader, torch.bernoulli, default Adam, `.item()` at each step.

    Args:
        vae: the network.
        loader: the digits.

    Yields:
        After each step.
    """
    optimiser = torch.optim.Adam(vae.parameters(), lr=1e-3)
    vae.train()
    total = 0.0
    while True:
        for x, _ in loader:
            x = torch.bernoulli(x)
            optimiser.zero_grad()
            log_px, kl = vae(x)
            loss = -elbo(log_px, kl).mean()
            loss.backward()
            optimiser.step()
            total += loss.item()
            yield


def usual_game(generator: nn.Module, critic: nn.Module, loader: DataLoader, classes: int) -> Iterator[None]:
    """Play the GAN's game as tutorials do: DataLoader, two default Adams, the critic in training in both steps, `.item()`.

    Args:
        generator: one network.
        critic: the other.
        loader: the digits.
        classes: labels that both know, 0 for none.

    Yields:
        After each step of both.
    """
    optimisers = [
        torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999)) for network in (critic, generator)
    ]
    bce, total = nn.BCEWithLogitsLoss(), 0.0
    while True:
        for x, labels in loader:
            y = labels if classes else None
            ones, zeros = torch.ones(len(x)), torch.zeros(len(x))
            optimisers[0].zero_grad()
            fake = generator(torch.randn(len(x), 100), y).detach()
            loss = bce(critic(x, y), ones) + bce(critic(fake, y), zeros)
            loss.backward()
            optimisers[0].step()
            optimisers[1].zero_grad()
            judged = bce(critic(generator(torch.randn(len(x), 100), y), y), ones)
            judged.backward()
            optimisers[1].step()
            total += loss.item() + judged.item()
            yield


def usual_wasserstein(
    generator: nn.Module, critic: nn.Module, loader: DataLoader, objective: Adversarial, n_critic: int
) -> Iterator[None]:
    """Play the Wasserstein game as tutorials do: the same, with separate passes, and a generator step now and then.

    Args:
        generator: one network.
        critic: the other.
        loader: the digits.
        objective: with `gradient_penalty`, or with weights that are clipped.
        n_critic: batches a generator step.

    Yields:
        After each step of the critic and the generator's that may follow.
    """
    adam = partial(torch.optim.Adam, lr=1e-4, betas=(0.5, 0.9))
    optimiser = partial(torch.optim.RMSprop, lr=5e-5) if objective.clip else adam
    optimisers = [optimiser(network.parameters()) for network in (critic, generator)]
    total, steps = 0.0, 0
    while True:
        for x, _ in loader:
            optimisers[0].zero_grad()
            fake = generator(torch.randn(len(x), 100)).detach()
            loss = critic(fake).mean() - critic(x).mean()
            if objective.penalty:
                eps = torch.rand(len(x), 1, 1, 1)
                between = (eps * x + (1 - eps) * fake).requires_grad_()
                scores = critic(between)
                (slope,) = torch.autograd.grad(
                    scores, between, torch.ones_like(scores), create_graph=True, retain_graph=True
                )
                loss = loss + objective.weight * ((slope.flatten(1).norm(2, dim=1) - 1) ** 2).mean()
            loss.backward()
            optimisers[0].step()
            if objective.clip:
                for parameter in critic.parameters():
                    parameter.data.clamp_(-objective.clip, objective.clip)
            total, steps = total + loss.item(), steps + 1
            if steps % n_critic == 0:
                optimisers[1].zero_grad()
                judged = -critic(generator(torch.randn(len(x), 100))).mean()
                judged.backward()
                optimisers[1].step()
                total += judged.item()
            yield


def plainly(recipe: Recipe) -> Recipe:
    """Give a recipe the game that the usual loop plays, so that both do the same work.

    Args:
        recipe: what is trained.

    Returns:
        A GAN without warm-up and packs, and one with a cross-entropy also without penalty and with a step of each;
        another recipe as it is.
    """
    if not isinstance(recipe, GANRecipe):
        return recipe
    recipe = replace(recipe, n_generator=1, warmup=False, pack=1)
    if recipe.objective.critic is critic_wasserstein:
        return recipe
    return replace(recipe, objective=NON_SATURATING, n_critic=1)


def steps_of(recipe: Recipe) -> int:
    """Choose how many batches are timed: about as many as take some seconds.

    Args:
        recipe: what is trained.

    Returns:
        Batches.
    """
    if isinstance(recipe, VAERecipe) and recipe.pixels:
        return STEPS // 50
    if not isinstance(recipe, GANRecipe):
        return STEPS
    return STEPS // 10 if recipe.critic is DCCritic else STEPS // 2


def our_speed(
    recipe: Recipe,
    digits: Digits,
    *,
    steps: int = 0,
    bfloat16: bool = False,
    kept: bool = False,
) -> float:
    """Train a recipe for one epoch.

    Args:
        recipe: what to train.
        digits: the training digits.
        steps: batches in the epoch; 0 takes `steps_of` the recipe.
        bfloat16: whether the networks compute in bfloat16.
        kept: with checkpoints and history on disk and progress printed, as `gmlib train` does.

    Returns:
        Images per second.
    """
    steps = steps or steps_of(recipe)
    state = recipe.start(recipe.build(), digits[: steps * recipe.batch_size], 0)
    loop = partial(recipe.loop(), epochs=1, bfloat16=bfloat16)
    with tempfile.TemporaryDirectory() as place:
        progress = Progress(1, lambda row: None)
        started = time.perf_counter()
        if kept:
            folder = Folder(Path(place), {})
            train_in(folder, state, loop, on_step=progress.step, on_epoch=progress.epoch)
        else:
            loop(state)
        return steps * recipe.batch_size / (time.perf_counter() - started)


def usual_speed(recipe: Recipe, loader: DataLoader) -> float:
    """Train with the usual loop.

    Args:
        recipe: whose networks to train.
        loader: the training digits.

    Returns:
        Images per second.
    """
    networks, count = recipe.build(), steps_of(recipe)
    if isinstance(recipe, GANRecipe) and recipe.objective.critic is critic_wasserstein:
        steps = usual_wasserstein(networks["generator"], networks["critic"], loader, recipe.objective, recipe.n_critic)
    elif isinstance(recipe, GANRecipe):
        steps = usual_game(networks["generator"], networks["critic"], loader, recipe.num_classes)
    else:
        steps = usual_loop(cast(VAE, networks["vae"]), loader)
    started = time.perf_counter()
    for _ in range(count):
        next(steps)
    return count * recipe.batch_size / (time.perf_counter() - started)


def in_turn(a: Callable[[], float], b: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Measure two things alternately, so that a machine whose speed drifts is fair to both.

    Args:
        a: one measurement.
        b: the other.

    Returns:
        `ROUNDS` values of each, after one round that warms up.
    """
    a(), b()
    pairs = [(a(), b()) for _ in range(ROUNDS)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def import_seconds(statement: str, after: str = "pass") -> float:
    """Time a statement in a fresh Python.

    Args:
        statement: such as "import gmlib".
        after: what ran before it, untimed.

    Returns:
        Median of five, in seconds, with the files warm on disk.
    """
    code = f"import time; {after}; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    runs = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(6)]
    return statistics.median(runs[1:])


def compare(a: Callable[[], float], b: Callable[[], float]) -> dict[str, float]:
    """Measure two ways of training in turn.

    Args:
        a: the one, in images per second.
        b: the other.

    Returns:
        Medians of both and of their ratio, and its lowest.
    """
    first, second = in_turn(a, b)
    ratios = [x / y for x, y in zip(first, second, strict=True)]
    return {
        "images/s": round(statistics.median(first)),
        "instead of": round(statistics.median(second)),
        "ratio": round(statistics.median(ratios), 3),
        "lowest ratio": round(min(ratios), 3),
    }


def evaluation_seconds() -> dict[str, float]:
    """Time the evaluation of 10,000 samples.

    Returns:
        Seconds of drawing and of all sample metrics, floor included, and of log p(x) for 100 digits at k = 1000.
    """
    run, digits = recipes.pretrained("vae"), mnist("train")
    real = Digits(digits.images.repeat(3, 1, 1, 1)[:10_000], digits.labels.repeat(3)[:10_000], digits.name)
    noise = stream(0, "jitter")  # so that no two of the repeated digits are the same
    images = [(real.grey() + 0.02 * torch.rand(real.images.shape, generator=noise)).clamp(0, 1) for _ in range(2)]
    measure_samples(images[0][:500], images[1][:500], images[0][500:1000], torch.full((10,), 0.1))  # imports
    times = [time.perf_counter()]
    samples = run.sample(10_000, generator=Generator().manual_seed(0))
    times.append(time.perf_counter())
    measure_samples(samples, images[0], images[1], torch.full((10,), 0.1))
    times.append(time.perf_counter())
    log_likelihood(run.vae, digits[:100].binarised(), samples=1000)
    times.append(time.perf_counter())
    names = ("draw 10,000 samples", "their metrics, with floor", "log p(x) of 100 digits, k = 1000")
    return {name: round(b - a, 2) for name, (a, b) in zip(names, pairwise(times), strict=True)}


class UsualMaskedConv2d(nn.Conv2d):
    """A masked convolution as tutorials write it: the whole kernel, times zeros and ones, at each step."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, centre: bool) -> None:
        """Build the layer.

        Args:
            inputs: channels that go in.
            outputs: channels that come out.
            kernel: rows and columns, an odd number.
            centre: whether it sees its own place: mask B, else A.
        """
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        middle = kernel // 2
        mask = torch.ones(kernel, kernel)
        mask[middle, middle + centre :] = 0
        mask[middle + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve with what the mask leaves.

        Args:
            input: `(b, inputs, h, w)`.

        Returns:
            `(b, outputs, h, w)`.
        """
        return self._conv_forward(input, self.weight * cast(Tensor, self.mask), self.bias)


class UsualStack(nn.Module):
    """The network of `plain_stack`, of masked convolutions as tutorials write them."""

    def __init__(self, channels: int = 64, layers: int = 7) -> None:
        """Build the network.

        Args:
            channels: of every map.
            layers: maps before the logits.
        """
        super().__init__()
        self.first = UsualMaskedConv2d(1, channels, 7, centre=False)
        self.others = nn.ModuleList(UsualMaskedConv2d(channels, channels, 3, centre=True) for _ in range(layers - 1))
        self.last = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Give the log-odds of each pixel, given those before it.

        Args:
            x: images `(b, 1, h, w)`.
            condition: not used.

        Returns:
            Logits `(b, 1, h, w)`.
        """
        h = self.first(x).relu()
        for layer in self.others:
            h = layer(h).relu() + h
        return self.last(h)


PLAIN = replace(
    recipes.PIXEL_CNN, name="plain stack", pixels=partial(plain_stack, channels=64, layers=7), batch_size=64
)


def masked_speed(loader: DataLoader, steps: int) -> float:
    """Train the network of `PLAIN` as tutorials do: masks over whole kernels, float32, and the usual loop.

    Args:
        loader: the training digits.
        steps: batches.

    Returns:
        Images per second.
    """
    vae = VAE(NoLatent(), PixelDecoder(0, 0, lambda numbers, plane: cast(CausalNetwork, UsualStack())))
    loop = usual_loop(vae, loader)
    started = time.perf_counter()
    for _ in range(steps):
        next(loop)
    return steps * PLAIN.batch_size / (time.perf_counter() - started)


def sampling_seconds() -> list[dict[str, object]]:
    """Time pixels drawn along a front against a full pass for each: the same pixels.

    Returns:
        A row for each network and number of images. Of the 784 full passes, which take equally long, some are timed.
    """
    rows: list[dict[str, object]] = []
    shipped = {name: cast(PixelDecoder, recipes.pretrained(name).vae.decoder) for name in ("pixel_cnn", "pixel_vae")}
    decoders = {"plain stack of 7 layers of 64": PixelDecoder(0, 0, cast(Any, PLAIN.pixels)).eval(), **shipped}
    for name, decoder in decoders.items():
        for count, passes in ((16, 20), (256, 3)):
            z, u = torch.randn(count, decoder.latent_dim), torch.rand(count, 1, 28, 28)
            times = []
            for _ in range(4):
                started = time.perf_counter()
                x = decoder.sample(z, uniforms=u)
                half = time.perf_counter()
                with torch.no_grad():
                    for _ in range(passes):
                        decoder.logits(x, z)
                times.append((half - started, (time.perf_counter() - half) * 784 / passes))
            ours, naive = (statistics.median(each) for each in zip(*times[1:], strict=True))
            rows.append(
                {
                    "drawing": f"{count} images, {name}",
                    "seconds": round(ours, 3),
                    "784 full passes": round(naive, 1),
                    "ratio": round(naive / ours),
                }
            )
    return rows


def sampling_agreement(seeds: int = 100) -> dict[str, object]:
    """Draw with the shipped pixel_vae both ways, an image a seed, and explain each pixel that differs.

    Args:
        seeds: how many.

    Returns:
        How many pixels were drawn; how many images differ; largest difference of a log-odds, and the least distance of a
        uniform number from its probability: a pixel can only differ where this is the smaller.
    """
    decoder = cast(PixelDecoder, recipes.pretrained("pixel_vae").vae.decoder)
    generators = [Generator().manual_seed(seed) for seed in range(seeds)]
    z = torch.cat([torch.randn(1, decoder.latent_dim, generator=each) for each in generators])
    u = torch.cat([torch.rand(1, 1, 28, 28, generator=each) for each in generators])
    front, naive = decoder.sample(z, uniforms=u), decoder.sample_naive(z, uniforms=u)
    with torch.no_grad():
        likely, exact = (
            decoder.logits(naive, z).sigmoid(),
            decoder.double().logits(naive.double(), z.double()).sigmoid(),
        )
    return {
        "pixels": naive.numel(),
        "images that differ": int((front != naive).flatten(1).any(1).sum()),
        "largest error of a probability": float((likely - exact).abs().max()),
        "uniforms as near to their probability": int(((u - exact).abs() <= (likely - exact).abs().max()).sum()),
    }


def main(names: list[str]) -> None:
    """Measure, print, write `runs/bench.json`.

    Args:
        names: recipes to train, "plain" for a plain stack of pixels, "drawing" for pixels; none means all of these, and all
            else that is timed.
    """
    torch.set_num_threads(os.cpu_count() or 1)
    timed = [name for name, recipe in recipes.ALL.items() if getattr(recipe, "stack", 1) == 1]
    others = ["plain", "drawing"]
    if unknown := [name for name in names if name not in [*timed, *others]]:
        sys.exit(
            f"got {', '.join(unknown)}, expected some of {', '.join([*timed, *others])}: the usual loop has no stacks of digits"
        )
    digits = mnist("train")
    digits = Digits(digits.images.repeat(10, 1, 1, 1), digits.labels.repeat(10), digits.name)
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        for recipe in (recipes.by_name(name) for name in names or timed if name not in others):
            loader = usual_loader(digits, Path(folder), recipe.batch_size)
            ours, usual = partial(our_speed, plainly(recipe), digits), partial(usual_speed, recipe, loader)
            rows.append({"training": f"{recipe.name}, instead of the usual loop", **compare(ours, usual)})
        if not names or "plain" in names:
            steps = STEPS // 15
            ours = partial(our_speed, PLAIN, digits, steps=steps, bfloat16=True)
            masked = partial(masked_speed, usual_loader(digits, Path(folder), PLAIN.batch_size), steps)
            title = "plain stack of 7 layers of 64, bfloat16, instead of masked kernels in float32"
            rows.append({"training": title, **compare(ours, masked)})
    drawing: list[dict[str, object]] = []
    agreement: dict[str, object] = {}
    if not names or "drawing" in names:
        drawing, agreement = sampling_seconds(), sampling_agreement()
        print(table(drawing))
        print("; ".join(f"{name}: {value}" for name, value in agreement.items()))
    if names:
        print(table(rows) if rows else "")
        return
    plain = partial(our_speed, recipes.VAE, digits)
    rows.append({"training": "vae, checkpoints and progress, or not", **compare(partial(plain, kept=True), plain)})
    rows.append({"training": "vae, bfloat16, or float32", **compare(partial(plain, bfloat16=True), plain)})
    classifier = partial(our_speed, recipes.CLASSIFIER, digits, steps=30)
    rows.append(
        {"training": "classifier, bfloat16, or float32", **compare(partial(classifier, bfloat16=True), classifier)}
    )
    print(table(rows))
    seconds = {
        "import torch": round(import_seconds("import torch"), 2),
        "import gmlib beyond it": round(import_seconds("import gmlib", after="import torch"), 3),
        **evaluation_seconds(),
    }
    print("\n".join(f"{name}: {value} s" for name, value in seconds.items()))
    machine = {"system": f"{platform.system()} {platform.machine()}", "cores": os.cpu_count(), "versions": versions()}
    write_whole(
        Path("runs/bench.json"),
        json.dumps(
            {"machine": machine, "training": rows, "drawing": drawing, "agreement": agreement, "seconds": seconds},
            indent=1,
        )
        + "\n",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
