"""Shapes: checked by jaxtyping under pytest, and refused by gmlib where torch would compute another number."""

import jaxtyping
import numpy as np
import pytest
import torch
from torch import nn

from gmlib.errors import DivergedError, InputError
from gmlib.mode import require_training
from gmlib.objectives import elbo, gaussian_kl
from gmlib.shapes import require_gradients, require_image, require_latent, require_shape, require_whole, whole


def test_pytest_checks_the_shapes_and_dtypes_of_every_call():
    with pytest.raises(jaxtyping.TypeCheckError):
        gaussian_kl(torch.zeros(3, 2), torch.zeros(2, 2))
    with pytest.raises(jaxtyping.TypeCheckError):
        elbo(torch.zeros(3), torch.zeros(3, 1))
    with pytest.raises(jaxtyping.TypeCheckError):
        gaussian_kl(torch.zeros(3, 2, dtype=torch.int64), torch.zeros(3, 2, dtype=torch.int64))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("images", "word"),
    [
        (torch.zeros(4, 28, 28), "shape"),
        (torch.zeros(1, 4, 1, 28, 28), "shape"),
        (torch.zeros(4, 3, 28, 28), "1, 28, w"),
        (torch.zeros(4, 1, 32, 28), "1, 28, w"),
        (torch.zeros(4, 1, 28, 28, dtype=torch.uint8), "uint8"),
        (torch.full((4, 1, 28, 28), 1.001), "from 1.001"),
        (torch.full((4, 1, 28, 28), -0.5), "from -0.5"),
    ],
)
def test_other_tensors_than_images_are_refused(images, word):
    with pytest.raises(InputError, match=word):
        require_image(images, (1, 28, None))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_images_of_every_float_dtype_are_accepted(dtype):
    require_image(torch.zeros(4, 1, 28, 30, dtype=dtype), (1, 28, None))
    require_image(torch.ones(4, 3, 5, 7, dtype=dtype))
    require_image(torch.ones(0, 3, 5, 7, dtype=dtype))


def test_images_that_are_nan_come_from_a_network_that_has_diverged():
    images = torch.rand(2, 1, 28, 28)
    images[1, 0, 3, 4] = float("nan")
    with pytest.raises(DivergedError, match="NaN"):
        require_image(images, (1, 28, 28))


def test_tensors_that_would_broadcast_are_refused():
    row, column = torch.zeros(8), torch.zeros(8, 1)
    for real, fake in ((row, column), (column, row), (column, column), (row, torch.zeros(())), (row, torch.zeros(7))):
        with pytest.raises(InputError, match="real of shape"):
            require_shape("b", real=real, fake=fake)
    require_shape("b", real=row, fake=row)
    require_shape("b c h w", x=torch.zeros(2, 1, 3, 3), logits=torch.zeros(2, 1, 3, 3))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 2, 1), (2, 4)])
def test_latents_of_another_size_are_refused(shape):
    require_latent(torch.zeros(4, 2), 2)
    with pytest.raises(InputError, match="latents"):
        require_latent(torch.zeros(shape), 2)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("count", [-1, 0, 2.0, np.float64(3), "3", None, True, np.True_, np.array([3])], ids=repr)
def test_whole_numbers_of_python_numpy_and_torch_are_counts(count):
    for three in (3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)):
        assert type(whole(three)) is int
        assert whole(three) == 3
        require_whole(3, samples=three)
    require_whole(0, samples=0)
    with pytest.raises(InputError, match="chunk"):
        require_whole(1, samples=3, chunk=count)


def test_training_without_gradients_is_refused():
    network, frozen = nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False)
    require_training(critic=network)
    with pytest.raises(InputError, match="critic"):
        require_training(generator=network, critic=frozen)
    frozen.bias.requires_grad_()
    require_training(critic=frozen)
    for block in (torch.no_grad, torch.inference_mode):
        for check in (require_gradients, require_training):
            with block(), pytest.raises(InputError, match="gradients"):
                check()
