"""The training loop of every GAN.

A round is n_critic critic steps, each on a new batch of real images, and then n_generator generator steps. In the rounds of
the warm-up the critic takes more steps. The critic may score packs of m images, which are joined along the channel axis.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from gmlib import parallel
from gmlib.data import join_channels
from gmlib.mode import eval_mode, require_training, train_mode
from gmlib.models.gan import GAN
from gmlib.objectives.adversarial import NON_SATURATING, Adversarial
from gmlib.shapes import Image, Labels, Latent, require_whole
from gmlib.training.history import Row
from gmlib.training.schedule import cooldown_decay, cosine_decay
from gmlib.training.state import Loader, OptimiserClass, State, on_device_of

WARMUP_STEPS = 100  # critic steps in a round of the warm-up
# packs of m images: a batch of b images with c channels makes b / m packs with m · c channels
Packs = Float[Tensor, "packs pack_channels h w"]
# numbers that are summed over the steps of an epoch, for its row of the history
CRITIC_TOTALS = ("critic_loss", "real_score", "fake_score", "real_sigmoid", "fake_sigmoid")
TOTALS = (*CRITIC_TOTALS, "generator_loss", "generator_steps")


def warmup_critic_steps(total_steps: int) -> int:
    """Return the critic steps of one warm-up round: at most 100, and so few that 25 rounds take at most a tenth of the run."""
    return min(WARMUP_STEPS, total_steps // 250)


def critic_steps(rounds: int, n_critic: int, warmup_steps: int) -> int:
    """Return the number of critic steps in the round that follows the completed ones.

    Args:
        rounds: the number of completed rounds.
        n_critic: critic steps in an ordinary round.
        warmup_steps: critic steps in the first 25 rounds and in every 500th, if that is more than n_critic; 0 for no warm-up.

    Returns:
        The number of steps.

    Source: the code that the authors of Arjovsky, Chintala & Bottou 2017 published, with 100 critic steps in each round of the warm-up.
    """
    return max(n_critic, warmup_steps) if rounds < 25 or rounds % 500 == 0 else n_critic


def has_batch_norm(network: nn.Module) -> bool:
    """Return whether a layer is a batch norm, so that an image's score depends on the other images of its batch."""
    return any(isinstance(module, _BatchNorm) for module in network.modules())


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Compute no gradients of a network's weights within the block; gradients still pass through it to its input."""
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)


def score_both(critic: nn.Module, real: Packs, fake: Packs, y: Labels | None) -> tuple[Tensor, Tensor]:
    """Return the float32 scores of real and fake images: from one pass, unless batch norm would mix their statistics."""
    if has_batch_norm(critic):
        return critic(real, y).float(), critic(fake, y).float()
    scores = critic(torch.cat([real, fake]), None if y is None else y.repeat(2)).float()
    return scores[: len(real)], scores[len(real) :]


@torch.no_grad()
def generate(state: State, z: Latent, labels: Labels | None = None) -> Image:
    """Return the images that a run's generator computes from latents, in eval mode and with the average of its weights, if any.

    Args:
        state: a run with a network named "generator".
        z: latents `(n, latent_dim)`; the same ones after each epoch show how their images change.
        labels: int64 `(n,)` for a conditional generator, otherwise None.

    Returns:
        Images `(n, c, h, w)` in [0, 1], on the CPU.
    """
    generator, device = state.result()["generator"], state.rng.device
    with eval_mode(generator):
        return generator(z.to(device), None if labels is None else labels.to(device)).cpu()


def fake_packs(generator: nn.Module, x: Image, y: Labels | None, rng: Generator, pack: int) -> Packs:
    """Draw one generated image per real image, with the same label, and join every `pack` images along the channel axis."""
    z = parallel.draw(torch.randn, (len(x), cast(int, generator.latent_dim)), rng, x.device)
    return join_channels(generator(z, y), pack)


def critic_step(
    gan: GAN,
    optimiser: Optimizer,
    objective: Adversarial,
    x: Image,
    y: Labels | None,
    rng: Generator,
    pack: int = 1,
) -> tuple[Tensor, Tensor, Tensor]:
    """Update the critic; the generator does not change.

    Args:
        gan: both networks.
        optimiser: of the critic.
        objective: the critic's loss, its penalty, and the bound on its weights.
        x: real images `(b, c, h, w)`.
        y: their labels `(b,)`, or None; must be None if pack > 1.
        rng: random generator of the latents, and of the points at which a penalty is computed.
        pack: m, the number of images that the critic scores jointly.

    Returns:
        The loss `()`, and the scores of real and generated packs `(b / m,)`, from before the step.

    Source: the inner loops of Goodfellow et al. 2014, algorithm 1; Arjovsky, Chintala & Bottou 2017, algorithm 1, lines 3 to
    7; Gulrajani et al. 2017, algorithm 1, lines 4 to 9.
    """
    with torch.no_grad():
        fake = fake_packs(gan.generator, x, y, rng, pack).to(x.dtype)
    real = join_channels(x, pack)
    real_scores, fake_scores = score_both(gan.critic, real, fake, y)
    loss = objective.critic_loss(real_scores, fake_scores)
    if objective.penalty:
        eps = parallel.draw(torch.rand, (len(real), 1, 1, 1), rng, x.device)
        loss = loss + objective.critic_penalty(gan.critic, real, fake, y, eps)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    objective.constrain_weights_(gan.critic)
    return loss.detach(), real_scores.detach(), fake_scores.detach()


def generator_step(
    gan: GAN,
    optimiser: Optimizer,
    objective: Adversarial,
    x: Image,
    y: Labels | None,
    rng: Generator,
    pack: int = 1,
) -> Tensor:
    """Update the generator on fresh noise; the critic does not change.

    Args:
        gan: both networks.
        optimiser: of the generator.
        objective: the generator's loss.
        x: real images `(b, c, h, w)`; only a relativistic objective uses more of them than their number.
        y: labels `(b,)` of the generated images, or None; must be None if pack > 1.
        rng: random generator of the latents.
        pack: m, the number of images that the critic scores jointly.

    Returns:
        The loss from before the step, `()`.

    Source: the outer loops of Goodfellow et al. 2014, algorithm 1; Arjovsky, Chintala & Bottou 2017, algorithm 1, lines 9 to
    11; Gulrajani et al. 2017, algorithm 1, lines 11 and 12.
    """
    with frozen(gan.critic):
        fake_scores = gan.critic(fake_packs(gan.generator, x, y, rng, pack), y).float()
        real_scores = gan.critic(join_channels(x, pack), y).float() if objective.relativistic else None
        loss = objective.generator_loss(fake_scores, real_scores)
        optimiser.zero_grad()
        loss.backward()
    optimiser.step()
    return loss.detach()


def fit_gan(
    gan: GAN,
    batches: Loader,
    *,
    epochs: int,
    lr: float = 2e-4,
    critic_lr: float | None = None,
    optimiser: OptimiserClass = torch.optim.Adam,
    objective: Adversarial = NON_SATURATING,
    n_critic: int = 1,
    n_generator: int = 1,
    warmup: bool = False,
    pack: int = 1,
    decay: bool = False,
    critic_decay: bool | None = None,
    cooldown: float = 0.0,
    ema: float = 0.0,
    rng: Generator | None = None,
    validate: Callable[[Any], Row] | None = None,
    bfloat16: bool = False,
    on_start: Callable[[State], None] | None = None,
    on_step: Callable[[State], None] | None = None,
    on_epoch: Callable[[State], None] | None = None,
) -> State:
    """Train a GAN.

    A round is n_critic critic steps, each on a fresh batch of real images and on fresh noise, then n_generator generator
    steps on fresh noise. An epoch may end within a round; the next epoch continues it. Generated images have the labels of
    the real images.

    Args:
        gan: both networks; they are trained in place, on their device.
        batches: pairs `(x, y)` of images in [0, 1], not binarised, and labels, as for `fit_vae`.
        epochs: the number of epochs of the whole run.
        lr: learning rate of the generator, at the start if it decays.
        critic_lr: the same for the critic; None takes the generator's.
        optimiser: a class of `torch.optim`, or a `partial` of one with its other arguments, such as betas.
        objective: the losses of both networks, and the constraint on the critic.
        n_critic: critic steps per round.
        n_generator: generator steps per round.
        warmup: whether the critic takes more steps in the first 25 rounds and in every 500th, see `critic_steps`.
        pack: m, the number of images that the critic scores jointly; above 1 only without labels.
        decay: whether the generator's learning rate falls to 0 along half a cosine over the run.
        critic_decay: the same for the critic; None takes the generator's.
        cooldown: a learning rate that does not fall along a cosine falls linearly to 0 over this last fraction of the run.
        ema: decay of an exponential moving average of the generator's weights, below 1; 0 keeps no average.
        rng: random generator of the noise, on the device of the networks; None seeds one from torch's global generator.
        validate: called after each epoch with the GAN in eval mode, with ema above 0 with the averaged weights of its generator;
            what it returns is added to the row of the epoch.
        bfloat16: whether the networks compute in bfloat16; weights and losses stay float32.
        on_start: called before the first step; it may load a saved state.
        on_step: called once per batch, after its critic step, and after the generator steps too if the batch ends a round.
        on_epoch: called after each epoch, when its row is written.

    Returns:
        The state after the last step. Its history has one row per epoch: the critic's loss, the scores of real and generated
        images and their sigmoids, from before each critic step; the generator's loss, which is None in an epoch without a
        generator step, and the number of its steps; and what `validate` returned.

    Raises:
        InputError: if a count is out of its range, labels are missing, the scores are not one number per image, or a network
            takes no gradients.
        DivergedError: if a number of the row is NaN or infinite.
    """
    networks = {"generator": gan.generator, "critic": gan.critic}
    require_training(**networks)
    require_whole(0, epochs=epochs)
    require_whole(1, n_critic=n_critic, n_generator=n_generator, pack=pack)
    rates = {"generator": lr, "critic": lr if critic_lr is None else critic_lr}
    falls = {"generator": decay, "critic": decay if critic_decay is None else critic_decay}
    if objective.penalty and has_batch_norm(gan.critic):
        warnings.warn(
            f"the critic has batch norm under {objective.penalty.__name__}: an image's score depends on its batch, so that the "
            "penalty is no longer on the slope at one image; see the recipe wgan_gp_critic_bn",
            stacklevel=2,
        )
    optimisers = {name: optimiser(network.parameters(), lr=rates[name]) for name, network in networks.items()}
    state = State(networks, optimisers, batches, rng=rng, averaged="generator", ema=ema)
    if on_start:
        on_start(state)
    steps = epochs * len(batches)
    warmup_steps = warmup_critic_steps(steps) if warmup else 0

    while state.epoch < epochs:
        train_mode(gan.generator)
        train_mode(gan.critic)
        for x, y in on_device_of(gan.critic, batches):
            progress = state.step / steps
            state.set_rates(
                {
                    name: cosine_decay(rate, progress) if falls[name] else cooldown_decay(rate, progress, cooldown)
                    for name, rate in rates.items()
                }
            )
            # autocast also encloses backward: this is safe, since losses are computed from float32 scores
            precision = torch.autocast(x.device.type, torch.bfloat16, enabled=bfloat16)
            step_arguments = objective, x, y, state.rng, pack

            with precision:
                loss, real_scores, fake_scores = critic_step(gan, state.optimisers["critic"], *step_arguments)
            state.critic_steps_in_round += 1
            scores = torch.stack([real_scores, fake_scores])
            critic_totals = torch.cat([loss.view(1), scores.mean(1), scores.sigmoid().mean(1)])
            generator_totals = torch.zeros(2, device=x.device, dtype=torch.float32)  # loss and number of steps

            if state.critic_steps_in_round >= critic_steps(state.rounds, n_critic, warmup_steps):
                for _ in range(n_generator):
                    with precision:
                        loss = generator_step(gan, state.optimisers["generator"], *step_arguments)
                    state.update_average()
                    generator_totals = generator_totals + torch.cat([loss.view(1), loss.new_ones(1)])
                state.critic_steps_in_round, state.rounds = 0, state.rounds + 1

            # no .item() here: the CPU does not wait for the GPU
            state.add_to_totals(torch.cat([critic_totals, generator_totals]), TOTALS)
            state.step += 1
            if on_step:
                on_step(state)

        totals = state.take_totals()
        row: Row = {name: totals[name] / len(batches) for name in CRITIC_TOTALS}
        generator_steps = int(totals["generator_steps"])
        row["generator_loss"] = totals["generator_loss"] / generator_steps if generator_steps else None
        row["generator_steps"] = generator_steps
        state.end_epoch(row, GAN(**state.result()), validate, on_epoch)
    return state
