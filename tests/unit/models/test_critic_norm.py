"""The norm of a critic: batch norm, or layer norm, under which an image's score depends on that image alone."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from gmlib import recipes
from gmlib.models import DCCritic, MLPCritic
from gmlib.objectives import gradient_penalty
from gmlib.training.gan import has_batch_norm

CRITICS = {"mlp": partial(MLPCritic, hidden=(12, 8), dropout=0.0), "dcgan": partial(DCCritic, width=4)}


@pytest.fixture(params=CRITICS)
def critic(request):
    return CRITICS[request.param]


def images(n: int = 6) -> torch.Tensor:
    return torch.rand(n, 1, 28, 28, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_only_batch_norm_makes_a_score_depend_on_the_batch(critic, norm):
    torch.manual_seed(0)
    network, x = critic(norm=norm), images()
    assert has_batch_norm(network) == (norm == "batch")
    alone = torch.cat([network(x[:2]), network(x[2:])])
    assert torch.allclose(network(x), alone, atol=1e-5) == (norm != "batch")


def test_layer_norm_standardises_the_features_of_each_image(critic):
    """Over all features, or over channels and places together; at its start gains are 1 and biases 0."""
    torch.manual_seed(0)
    network, seen = critic(norm="layer"), []
    for module in network.modules():
        if isinstance(module, nn.LayerNorm | nn.GroupNorm):
            module.register_forward_hook(lambda module, given, out: seen.append((given[0].flatten(1), out.flatten(1))))
    network(images())
    assert len(seen) == 2
    for h, out in seen:
        var, mean = torch.var_mean(h, 1, unbiased=False, keepdim=True)
        torch.testing.assert_close(out, (h - mean) / (var + 1e-5).sqrt(), rtol=1e-4, atol=1e-4)


def test_a_gain_and_a_bias_per_feature_or_channel_and_the_layers_keep_theirs(critic):
    def count(network: nn.Module) -> int:
        return sum(parameter.numel() for parameter in network.parameters())

    features = {MLPCritic: 12 + 8, DCCritic: 8 + 16}[critic.func]
    assert count(critic(norm="layer")) == count(critic()) + 2 * features
    assert count(critic(norm="batch")) == count(critic()) + features  # whose layers have no bias


@pytest.mark.filterwarnings("error")
def test_a_penalty_goes_with_layer_norm(critic):
    torch.manual_seed(0)
    network, x = critic(norm="layer"), images()
    eps = torch.full((6, 1, 1, 1), 0.5)
    whole = gradient_penalty(network, x, 1 - x, None, eps)
    alone = gradient_penalty(network, x[:1], 1 - x[:1], None, eps[:1])
    torch.testing.assert_close(whole[:1], alone, rtol=1e-4, atol=1e-5)
    whole.mean().backward()
    assert all(parameter.grad is not None for name, parameter in network.named_parameters() if "weight" in name)


def test_a_norm_that_there_is_not(unchecked, refused, critic):
    for wrong in ("instance", True):
        with refused(f"got norm {wrong!r}", "'batch', 'layer' or None"):
            critic(norm=wrong)


def test_a_recipe_names_the_norm_of_its_critic():
    def norms(norm):
        critic = replace(recipes.GAN, critic_norm=norm).build().critic
        return [type(module) for module in critic.modules() if type(module) in (nn.BatchNorm1d, nn.LayerNorm)]

    assert [norms(norm) for norm in (None, "batch", "layer")] == [[], [nn.BatchNorm1d] * 3, [nn.LayerNorm] * 3]
