"""Shapes: checked by jaxtyping under pytest, and refused by gmlib where torch would compute another number."""

import jaxtyping
import numpy as np
import pytest
import torch
from torch import nn

from gmlib.errors import DivergedError
from gmlib.mode import require_training
from gmlib.objectives import elbo, gaussian_kl
from gmlib.shapes import (
    require_alike,
    require_gradients,
    require_image,
    require_latent,
    require_whole,
)


def test_pytest_checks_the_shapes_of_every_call():
    with pytest.raises(jaxtyping.TypeCheckError):
        gaussian_kl(torch.zeros(3, 2), torch.zeros(2, 2))
    with pytest.raises(jaxtyping.TypeCheckError):
        elbo(torch.zeros(3), torch.zeros(3, 1))
    with pytest.raises(jaxtyping.TypeCheckError):
        gaussian_kl(torch.zeros(3, 2, dtype=torch.int64), torch.zeros(3, 2, dtype=torch.int64))


WRONG = {
    "too few axes": (torch.zeros(4, 28, 28), "(4, 28, 28)"),
    "too many axes": (torch.zeros(1, 4, 1, 28, 28), "(1, 4, 1, 28, 28)"),
    "channels": (torch.zeros(4, 3, 28, 28), "(batch, 1, 28, w)"),
    "height": (torch.zeros(4, 1, 32, 28), "(batch, 1, 28, w)"),
    "dtype": (torch.zeros(4, 1, 28, 28, dtype=torch.uint8), "torch.uint8"),
    "above 1": (torch.full((4, 1, 28, 28), 1.001), "from 1.001 to 1.001"),
    "below 0": (torch.full((4, 1, 28, 28), -0.5), "from -0.5 to -0.5"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_batch_of_images(refused, unchecked, name):
    images, word = WRONG[name]
    with refused(word):
        require_image(images, (1, 28, None))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_images_as_they_should_be(dtype):
    require_image(torch.zeros(4, 1, 28, 30, dtype=dtype), (1, 28, None))
    require_image(torch.ones(4, 3, 5, 7, dtype=dtype))
    require_image(torch.ones(0, 3, 5, 7, dtype=dtype))


def test_images_that_are_nan_come_from_a_network_that_has_diverged():
    images = torch.rand(2, 1, 28, 28)
    images[1, 0, 3, 4] = float("nan")
    with pytest.raises(DivergedError, match="NaN"):
        require_image(images, (1, 28, 28))


def test_tensors_that_would_broadcast(refused):
    one, column = torch.zeros(8), torch.zeros(8, 1)
    for real, fake in ((one, column), (column, one), (column, column), (one, torch.zeros(())), (one, torch.zeros(7))):
        with refused(f"real of shape {tuple(real.shape)} and fake of shape {tuple(fake.shape)}", "(b,)"):
            require_alike("b", real=real, fake=fake)
    with refused("(b, d)"):
        require_alike("b d", mu=one)
    require_alike("b", real=one, fake=one)
    require_alike("b c h w", x=torch.zeros(2, 1, 3, 3), logits=torch.zeros(2, 1, 3, 3))


@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 2, 1), (2, 4)])
def test_latents_of_another_size(refused, unchecked, shape):
    require_latent(torch.zeros(4, 2), 2)
    with refused(f"latents of shape {shape}"):
        require_latent(torch.zeros(shape), 2)


@pytest.mark.parametrize("count", [0, -5, 2.0, float("nan"), "3", None, True])
def test_what_is_no_count(refused, unchecked, count):
    require_whole(1, samples=np.int64(3), chunk=1)
    require_whole(0, samples=0)
    with refused(f"got chunk {count!r}", "at least 1"):
        require_whole(1, samples=3, chunk=count)


def test_training_without_gradients(refused):
    network, frozen = nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False)
    require_training(critic=network)
    with refused("critic whose weights are all frozen"):
        require_training(generator=network, critic=frozen)
    frozen.bias.requires_grad_()
    require_training(critic=frozen)
    for block in (torch.no_grad, torch.inference_mode):
        with block(), refused("with gradients"):
            require_gradients()
        with block(), refused("with gradients"):
            require_training(critic=network)
