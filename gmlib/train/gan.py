"""The loop of every GAN: critic steps on fresh real images, then generator steps on fresh noise."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gmlib import parallel
from gmlib.data import ImageDataset, join_channels
from gmlib.errors import InputError
from gmlib.evaluate.fidelity import fid
from gmlib.evaluate.stacks import count_modes
from gmlib.mode import eval_mode, require_training, train_mode
from gmlib.objectives.adversarial import Adversarial
from gmlib.objectives.wasserstein import clip_weights_
from gmlib.seeds import stream
from gmlib.shapes import Image, Labels, Latent, require_attributes, require_whole
from gmlib.train.decay import cosine_decay, require_rate
from gmlib.train.history import History, Row, require_finite
from gmlib.train.state import State

LEAD = 100  # critic steps before a generator step, where a warm-up gives the critic a lead
JUDGED = 2000  # samples that are judged after each epoch, and validation digits that they are compared with
Packs = Float[Tensor, "p mc h w"]  # as Image, of m times the channels
CRITIC_NOTES = ("critic_loss", "real_score", "fake_score", "real_sigmoid", "fake_sigmoid")


def critic_lead(steps: int) -> int:
    """Say how far ahead a warm-up lets the critic get.

    Args:
        steps: of the critic in the whole run.

    Returns:
        100 critic steps a round; fewer in a short run, so that the first 25 rounds are no more than a tenth of it.
    """
    return min(LEAD, steps // 250)


def critic_steps(rounds: int, n_critic: int, lead: int) -> int:
    """Say how many critic steps come before the next generator step.

    Args:
        rounds: how many rounds are done.
        n_critic: of an ordinary round.
        lead: of the first 25 rounds and of every 500th, where the critic warms up; 0 for none.

    Returns:
        The larger of n_critic and the lead there, n_critic elsewhere.

    Source: the code that the authors of Arjovsky, Chintala & Bottou 2017 published, with a lead of 100.
    """
    return max(n_critic, lead) if rounds < 25 or rounds % 500 == 0 else n_critic


def has_batch_norm(network: nn.Module) -> bool:
    """Say whether the images of a batch see each other in training.

    Args:
        network: a critic.

    Returns:
        Whether a layer of it is a batch norm.
    """
    return any(isinstance(module, _BatchNorm) for module in network.modules())


@contextmanager
def judging(critic: nn.Module) -> Iterator[None]:
    """Take no gradients of a critic's weights for a while: its scores train the generator alone.

    Args:
        critic: each of its weights takes gradients again if it did before, also after an error.

    Yields:
        Nothing.
    """
    learning = [parameter for parameter in critic.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


def score(critic: nn.Module, x: Image, label: Labels | None) -> Tensor:
    """Score images in float32.

    Args:
        critic: `(x, y) -> (b,)`.
        x: images `(b, c, h, w)`.
        label: `(b,)`, or None.

    Returns:
        Scores `(b,)`.

    Raises:
        InputError: if the critic does not give one score per image.
    """
    scores = critic(x, label)
    if scores.shape != x.shape[:1]:
        raise InputError(
            f"got scores of shape {tuple(scores.shape)} from the critic for {len(x)} images, expected ({len(x)},), "
            "one score per image: end the critic with nn.Flatten(0)"
        )
    return scores.float()


def score_both(critic: nn.Module, real: Image, fake: Image, label: Labels | None) -> tuple[Tensor, Tensor]:
    """Score real and fake images: in one pass, unless batch norm would mix their statistics.

    Args:
        critic: `(x, y) -> (b,)`.
        real: images `(b, c, h, w)`.
        fake: as many generated ones.
        label: of both, `(b,)`, or None.

    Returns:
        Scores of the real and of the fake images, each `(b,)`.
    """
    if has_batch_norm(critic):
        return score(critic, real, label), score(critic, fake, label)
    both = score(critic, torch.cat([real, fake]), None if label is None else label.repeat(2))
    return both[: len(real)], both[len(real) :]


@torch.no_grad()
def generate(state: State, z: Latent, labels: Labels | None = None) -> Image:
    """Draw from a generator while it is in training: from its average if there is one, in eval mode.

    Args:
        state: the run, its generator named "generator".
        z: latents `(n, latent_dim)`.
        labels: int64 `(n,)` for a conditional generator, otherwise None.

    Returns:
        Images `(n, c, h, w)` in [0, 1], on the CPU: the same z after each epoch shows how they grow.
    """
    generator, device = state.result()["generator"], state.generator.device
    with eval_mode(generator):
        return generator(z.to(device), None if labels is None else labels.to(device)).cpu()


def validation_fid(state: State, validation: ImageDataset) -> float:
    """Say how far samples are from validation digits: from the same z each time, asked for the digits' own labels.

    Args:
        state: the run.
        validation: at most the first 2,000 of its digits are compared with as many samples.

    Returns:
        FID in the features of the shipped classifier. So few images make it larger than the FID of 10,000.
    """
    generator, digits = state.networks["generator"], validation[:JUDGED].to("cpu")
    latent_dim, cpu = cast(int, generator.latent_dim), torch.device("cpu")
    z = parallel.draw(torch.randn, (len(digits), latent_dim), stream(0, "validation samples"), cpu)
    return round(fid(generate(state, z, digits.require_labels() if generator.num_classes else None), digits.grey()), 4)


def validate(state: State, validation: ImageDataset) -> Row:
    """Judge a generator after an epoch.

    Args:
        state: the run.
        validation: digits that single samples are compared with; stacks need none.

    Returns:
        "validation_fid"; of stacks "validation_modes", the numbers that 2,000 show.
    """
    if state.batches.stack == 1:
        return {"validation_fid": validation_fid(state, validation)}
    latent_dim = cast(int, state.networks["generator"].latent_dim)
    z = parallel.draw(torch.randn, (JUDGED, latent_dim), stream(0, "validation samples"), torch.device("cpu"))
    return {"validation_modes": count_modes(generate(state, z))["modes"]}


def fit_gan(
    state: State,
    *,
    epochs: int,
    lr: float,
    critic_lr: float | None = None,
    objective: Adversarial,
    decay: bool = False,
    n_critic: int = 1,
    n_generator: int = 1,
    warmup: bool = False,
    pack: int = 1,
    bfloat16: bool = False,
    validation: ImageDataset | None = None,
    on_step: Callable[[State], None] | None = None,
    on_epoch: Callable[[State], None] | None = None,
) -> History:
    """Play the game until the run has seen so many epochs. Prints nothing, draws nothing, saves nothing.

    A round is n_critic critic steps, each on a fresh batch of real images and on fresh noise, then n_generator generator
    steps on fresh noise. An epoch may end within a round; the next goes on with it. Fake images get the labels of the
    real ones.

    Args:
        state: networks and optimisers named "generator" and "critic", and grey batches; a state that was trained before
            goes on.
        epochs: how many epochs the whole run has.
        lr: learning rate of the generator, at the start if it decays.
        critic_lr: learning rate of the critic, at the start if it decays; None takes the generator's.
        objective: what both minimise, and what bounds the critic.
        decay: whether both rates fall to 0 along half a cosine over the run.
        n_critic: critic steps a round.
        n_generator: generator steps a round.
        warmup: whether the critic gets a lead, of 100 steps in a long run, in each of the first 25 rounds and in every 500th.
        pack: m, images that the critic judges together.
        bfloat16: whether the networks compute in bfloat16; weights and losses stay float32.
        validation: grey digits to which samples are compared after each epoch.
        on_step: called after each critic step and the generator's steps that may follow it.
        on_epoch: called after each epoch, when its row is written.

    Returns:
        A row an epoch: the critic's loss, scores of real and fake images and their sigmoids as the critic saw them
        before each of its steps; the generator's loss and steps; what `validate` finds. The generator's loss is None in an
        epoch without a step of it.

    Raises:
        InputError: if a number of steps is below 1, the two networks have other numbers of classes, packs do not
            fit, scores or samples have another shape than expected, a rate is negative or gradients are off.
        DivergedError: if a number of the row is infinite or none.
    """
    generator, critic, batches = state.networks["generator"], state.networks["critic"], state.batches
    require_training(generator=generator, critic=critic)
    _require_game(generator, critic, n_critic, n_generator, pack, batches.batch_size // parallel.world_size())
    if objective.penalty and has_batch_norm(critic) and not parallel.rank():
        warnings.warn(
            f"the critic has batch norm under {objective.penalty.__name__}: an image's score depends on its batch, and so no "
            "image has a slope of its own; the recipe wgan_gp_critic_bn shows what that does",
            stacklevel=2,
        )
    rates = {"generator": lr, "critic": lr if critic_lr is None else critic_lr}
    require_rate(lr=lr, critic_lr=rates["critic"])
    require_whole(0, epochs=epochs)
    steps = epochs * len(batches)
    lead = critic_lead(steps) if warmup else 0

    def sample(label: Labels | None, x: Image) -> Packs:
        z = parallel.draw(torch.randn, (len(x), cast(int, generator.latent_dim)), state.generator, x.device)
        images = generator(z, label)
        if images.shape != x.shape:
            raise InputError(
                f"got samples of shape {tuple(images.shape)} from the generator for images of shape {tuple(x.shape)}, "
                "expected the same: reshape its output"
            )
        return join_channels(images, pack)

    while state.epoch < epochs:
        train_mode(generator)
        train_mode(critic)
        for x, y in batches:
            label = y if critic.num_classes else None
            precision = torch.autocast(x.device.type, torch.bfloat16, enabled=bfloat16)
            for name, optimiser in state.optimisers.items():
                rate = cosine_decay(rates[name], state.step / steps) if decay else rates[name]
                optimiser.param_groups[0]["lr"] = rate

            # a critic step: the generator draws, and learns nothing
            state.optimisers["critic"].zero_grad()
            with precision:
                with torch.no_grad():
                    fake = sample(label, x).to(x.dtype)
                real = join_channels(x, pack)
                real_scores, fake_scores = score_both(critic, real, fake, label)
                loss = objective.critic(real_scores, fake_scores).mean()
                if objective.penalty:
                    eps = parallel.draw(torch.rand, (len(real), 1, 1, 1), state.generator, x.device)
                    loss = loss + objective.weight * objective.penalty(critic, real, fake, label, eps).mean()
            loss.backward()
            scores = torch.stack([real_scores, fake_scores]).detach()
            critic_notes = torch.cat([loss.detach().view(1), scores.mean(1), scores.sigmoid().mean(1)])
            critic_notes = parallel.average_gradients(critic.parameters(), critic_notes)
            state.optimisers["critic"].step()
            if objective.clip:
                clip_weights_(critic, objective.clip)
            state.since += 1
            generator_notes = torch.zeros(2, device=x.device, dtype=torch.float32)  # the generator's loss and steps

            if state.since >= critic_steps(state.rounds, n_critic, lead):
                for _ in range(n_generator):
                    # a generator step, on fresh noise
                    state.optimisers["generator"].zero_grad()
                    with judging(critic):
                        with precision:
                            loss = objective.generator(score(critic, sample(label, x), label)).mean()
                        loss.backward()
                    lost = parallel.average_gradients(generator.parameters(), loss.detach().view(1))
                    state.optimisers["generator"].step()
                    state.average()
                    generator_notes = generator_notes + torch.cat([lost, lost.new_ones(1)])
                state.since, state.rounds = 0, state.rounds + 1

            # no .item() here: nothing waits for the device
            state.note(torch.cat([critic_notes, generator_notes]))
            state.step += 1
            if on_step:
                on_step(state)

        *critic_sums, lost_sum, steps_taken = state.noted()  # the one synchronisation of an epoch
        row: Row = {"epoch": state.epoch + 1}
        row |= {name: total / len(batches) for name, total in zip(CRITIC_NOTES, critic_sums, strict=True)}
        row |= {"generator_loss": lost_sum / steps_taken if steps_taken else None}
        row |= {"generator_steps": int(steps_taken)}
        require_finite(row)  # what has diverged draws no images that could be judged
        if validation is not None:
            row |= validate(state, validation)
        state.end_epoch(row)
        if on_epoch:
            on_epoch(state)
    return state.history


def _require_game(
    generator: nn.Module, critic: nn.Module, n_critic: int, n_generator: int, pack: int, batch_size: int
) -> None:
    """Refuse what cannot be played."""
    require_attributes(generator, "latent_dim", "num_classes")
    require_attributes(critic, "num_classes")
    if n_critic < 1 or n_generator < 1:
        raise InputError(
            f"got n_critic {n_critic} and n_generator {n_generator}, expected at least 1 of each: both have to learn"
        )
    if generator.num_classes != critic.num_classes:
        raise InputError(
            f"got a generator of {generator.num_classes} classes and a critic of {critic.num_classes}, "
            "expected the same number: build both with one num_classes"
        )
    if pack < 1 or batch_size % pack:
        raise InputError(f"got packs of {pack} in batches of {batch_size}, expected a whole number of packs a batch")
    if pack > 1 and critic.num_classes:
        raise InputError("got packs of images and labels, expected one or the other: a pack has no one label")
