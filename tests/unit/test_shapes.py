"""Shapes: checked by jaxtyping under pytest, and refused with a sentence where a caller errs."""

from functools import partial

import jaxtyping
import numpy as np
import pytest
import torch

from gmlib.models import (
    ConvDecoder,
    ConvEncoder,
    DCCritic,
    DCGenerator,
    MLPCritic,
    MLPDecoder,
    MLPEncoder,
    MLPGenerator,
)
from gmlib.objectives import elbo, gaussian_kl
from gmlib.shapes import require_alike, require_image, require_whole


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
    with refused(f"got images of dtype {dtype}", "expected floats in [0, 1]", "ImageDataset.grey()"):
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


# what public functions require, whether jaxtyping looks or not


def test_tensors_that_would_broadcast(refused):
    one, column = torch.zeros(8), torch.zeros(8, 1)
    for real, fake in ((one, column), (column, one), (column, column), (one, torch.zeros(())), (one, torch.zeros(7))):
        with refused(f"real of shape {tuple(real.shape)} and fake of shape {tuple(fake.shape)}", "(b,)", "per image"):
            require_alike("b", real=real, fake=fake)
    require_alike("b", real=one, fake=one)
    require_alike("b c h w", x=torch.zeros(2, 1, 3, 3), logits=torch.zeros(2, 1, 3, 3))


@pytest.mark.parametrize("count", [0, -5, 2.0, 2.5, float("nan"), "3", None])
def test_what_is_no_count(refused, unchecked, count):
    with refused(f"got chunk {count!r}", "at least 1"):
        require_whole(1, samples=3, chunk=count)


def test_a_count_from_numpy_is_a_count(unchecked):
    require_whole(1, samples=np.int64(3))


NETWORKS = {
    "MLPEncoder": (MLPEncoder, "x"),
    "MLPDecoder": (MLPDecoder, "z"),
    "MLPGenerator": (MLPGenerator, "z"),
    "MLPCritic": (lambda _: MLPCritic(), "x"),
    "ConvEncoder": (ConvEncoder, "x"),
    "ConvDecoder": (ConvDecoder, "z"),
    "DCGenerator": (partial(DCGenerator, width=2), "z"),
    "DCCritic": (lambda _: DCCritic(width=2), "x"),
}
each_network = pytest.mark.parametrize(("make", "takes"), NETWORKS.values(), ids=NETWORKS)


def batch(takes: str, count: int = 4) -> torch.Tensor:
    return torch.zeros(count, 1, 28, 28) if takes == "x" else torch.zeros(count, 2)


@each_network
def test_another_dtype_or_device_than_the_network(refused, unchecked, make, takes):
    with refused("of torch.float64 for a network of torch.float32", "one dtype"):
        make(2)(batch(takes).double())
    with refused("on meta for a network on cpu", "one device"):
        make(2)(batch(takes).to("meta"))
    make(2).double()(batch(takes).double())


@pytest.mark.parametrize(
    "make", [MLPEncoder, MLPDecoder, partial(MLPGenerator, batch_norm=True), ConvEncoder, ConvDecoder]
)
def test_one_image_has_no_batch_statistics(refused, make):
    network = make(2)
    takes = "x" if "Encoder" in type(network).__name__ else "z"
    with refused("a batch of one", "eval()"):
        network(batch(takes, 1))
    network.eval()(batch(takes, 1))
    network.train()
    for module in network.modules():  # a norm that is frozen takes one image too
        if isinstance(module, torch.nn.BatchNorm1d):
            module.eval()
    network(batch(takes, 1))


def test_a_critic_with_batch_norm_and_one_image(refused):
    with refused("a batch of one", "eval()"):
        MLPCritic(norm="batch")(batch("x", 1))


def test_a_size_from_numpy_is_a_size(unchecked):
    assert MLPEncoder(2, hidden=np.int64(7)).net[0].out_features == 7


@pytest.mark.parametrize("wrong", [[1.0], 2.0, np.zeros(3)])
def test_what_is_no_tensor(refused, unchecked, wrong):
    kind = type(wrong).__name__
    with refused(f"of type {kind}", "expected a tensor"):
        elbo(torch.zeros(3), wrong)
    with refused(f"got images of type {kind}", "expected a tensor"):
        MLPEncoder(2)(wrong)
