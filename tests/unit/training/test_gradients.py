"""Gradients at fixed weights, against those of autograd for the same images and noise."""

from functools import partial

import pytest
import torch

from gmlib import mnist
from gmlib.models import GAN
from gmlib.objectives import NON_SATURATING, WASSERSTEIN_CLIPPED, clip_weights_
from gmlib.training import fit_gan, layer_gradients
from tests.unit.training.common import weights
from tests.unit.training.test_gan import start

DIGITS = mnist("train")[:48]  # three batches


def loop(state, **options):
    return partial(fit_gan, GAN(**state.networks), state.batches, optimiser=torch.optim.SGD, critic_lr=0.1, **options)


def record_inputs(network) -> list[torch.Tensor]:
    """Return the list of a network's inputs from now on in passes that compute gradients of its weights."""
    inputs = []

    def record(module, given) -> None:
        if torch.is_grad_enabled() and next(module.parameters()).requires_grad:
            inputs.append(given[0])

    network.register_forward_pre_hook(record)
    return inputs


@pytest.mark.parametrize("objective", [NON_SATURATING, WASSERSTEIN_CLIPPED])
def test_gradients_of_every_layer_and_step_at_fixed_weights(objective):
    state = start(DIGITS)
    generator, critic = state.networks["generator"], state.networks["critic"]
    if objective.clip:
        clip_weights_(critic, objective.clip)
    before = [weights(network) for network in (generator, critic)]
    images, latents = record_inputs(critic), record_inputs(generator)
    found = layer_gradients(loop(state, objective=objective))
    assert all(torch.equal(weights(net), initial) for net, initial in zip((generator, critic), before, strict=True))
    assert len(images) == len(latents) == 3
    expected = {"critic": [], "generator": []}
    for x, z in zip(images[:], latents[:], strict=True):
        scores = critic(x)  # of real and of generated images
        loss = objective.critic(scores[:16], scores[16:]).mean()
        expected["critic"].append(torch.autograd.grad(loss, [p for p in critic.parameters() if p.ndim == 2]))
        loss = objective.generator(critic(generator(z))).mean()
        expected["generator"].append(torch.autograd.grad(loss, [p for p in generator.parameters() if p.ndim == 2]))
    assert found.keys() == expected.keys()
    for name, layers in found.items():
        assert list(layers) == ["1", "2", "3"]
        for i, layer in enumerate(layers.values()):
            by_autograd = torch.cat([step[i].flatten() for step in expected[name]])
            assert layer.shape == by_autograd.shape
            assert torch.allclose(layer, by_autograd, rtol=1e-4, atol=1e-9 + 1e-4 * float(by_autograd.abs().max()))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_critic": 2}, "n_critic 1"),
        ({"n_generator": 2}, "6 generator steps"),
        ({"objective": WASSERSTEIN_CLIPPED}, "critic whose weights changed"),
    ],
)
def test_each_network_takes_one_step_per_batch_at_fixed_weights(refused, options, text):
    with refused(text):
        layer_gradients(loop(start(DIGITS), **options))
