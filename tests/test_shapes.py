"""Shapes: checked by jaxtyping under pytest, and refused with a sentence where a caller errs."""

import jaxtyping
import pytest
import torch

from gmlib.objectives import elbo, gaussian_kl
from gmlib.shapes import require_image


def test_pytest_checks_the_shapes_of_every_call():
    with pytest.raises(jaxtyping.TypeCheckError):
        gaussian_kl(torch.zeros(3, 2), torch.zeros(2, 2))
    with pytest.raises(jaxtyping.TypeCheckError):
        elbo(torch.zeros(3), torch.zeros(3, 1))
    with pytest.raises(jaxtyping.TypeCheckError):
        gaussian_kl(torch.zeros(3, 2, dtype=torch.int64), torch.zeros(3, 2, dtype=torch.int64))


@pytest.mark.parametrize("shape", [(4, 784), (4, 28, 28), (28, 28), (4, 3, 28, 28), (4, 1, 32, 32), (1, 4, 1, 28, 28)])
def test_images_of_another_shape(refused, shape):
    with refused(f"got images of shape {shape}", "expected (batch, 1, 28, 28)", "reshape"):
        require_image(torch.zeros(shape), (1, 28, 28))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_images_of_another_dtype(refused, dtype):
    with refused(f"got images of dtype {dtype}", "expected floats in [0, 1]", "Digits.grey()"):
        require_image(torch.zeros(4, 1, 28, 28, dtype=dtype), (1, 28, 28))


def test_images_as_they_should_be():
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        require_image(torch.zeros(4, 1, 28, 28, dtype=dtype), (1, 28, 28))


@pytest.mark.parametrize(("scale", "shift"), [(255.0, 0.0), (2.0, -1.0), (1.001, 0.0)])
def test_images_of_another_range(refused, scale, shift):
    images = scale * torch.linspace(0, 1, 784).reshape(1, 1, 28, 28) + shift
    with refused("got images with values from", "expected [0, 1]", "divide"):
        require_image(images, (1, 28, 28))


def test_images_that_are_no_numbers(refused):
    images = torch.rand(2, 1, 28, 28)
    images[1, 0, 3, 4] = float("nan")
    with refused("got images whose values are nan", "expected [0, 1]", "has left the finite numbers"):
        require_image(images, (1, 28, 28))
