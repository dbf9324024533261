"""Gradients at fixed weights, against those of autograd for the same images and noise."""

from functools import partial

import pytest
import torch

from gmlib import mnist
from gmlib.models import GAN
from gmlib.objectives import NON_SATURATING, WASSERSTEIN_CLIPPED, clip_weights_
from gmlib.training import fit_gan, layer_gradients
from tests.unit.training.going_on import go_on
from tests.unit.training.test_gan import seen, start, weights

DIGITS = mnist("train")[:48]  # three batches


def loop(state, **game):
    def train(**options):
        go_on(fit_gan, GAN(**state.networks), state, **game, **options)
        return state

    return partial(train, critic_lr=0.1)


@pytest.mark.parametrize("objective", [NON_SATURATING, WASSERSTEIN_CLIPPED])
def test_gradients_of_every_layer_and_step_at_fixed_weights(objective):
    state = start(DIGITS)
    generator, critic = state.networks["generator"], state.networks["critic"]
    if objective.clip:
        clip_weights_(critic, objective.clip)
    before = [weights(network) for network in (generator, critic)]
    judged, latents = seen(critic), seen(generator)
    found = layer_gradients(loop(state, objective=objective))
    assert all(torch.equal(weights(network), was) for network, was in zip((generator, critic), before, strict=True))
    both = [x for x, _, learns in judged if learns]  # images, and samples
    fresh = [z for z, _, learns in latents if learns]  # of the generator's steps
    assert len(both) == len(fresh) == 3
    ours = {"critic": [], "generator": []}
    for x, z in zip(both, fresh, strict=True):
        scores = critic(x)
        loss = objective.critic(scores[:16], scores[16:]).mean()
        ours["critic"].append(torch.autograd.grad(loss, [p for p in critic.parameters() if p.ndim == 2]))
        loss = objective.generator(critic(generator(z))).mean()
        ours["generator"].append(torch.autograd.grad(loss, [p for p in generator.parameters() if p.ndim == 2]))
    assert found.keys() == ours.keys()
    for name, layers in found.items():
        assert list(layers) == ["1", "2", "3"]
        for i, layer in enumerate(layers.values()):
            expected = torch.cat([step[i].flatten() for step in ours[name]])
            assert layer.shape == expected.shape
            assert torch.allclose(layer, expected, rtol=1e-4, atol=1e-9 + 1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize(
    ("game", "text"),
    [
        ({"n_critic": 2}, "no step of the generator"),
        ({"n_generator": 2}, "6 steps of the generator"),
        ({"objective": WASSERSTEIN_CLIPPED}, "critic whose weights changed"),
    ],
)
def test_games_without_one_step_each_at_fixed_weights(refused, game, text):
    with refused(text):
        layer_gradients(loop(start(DIGITS), **{"objective": NON_SATURATING} | game))
