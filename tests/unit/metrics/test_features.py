"""Features of images, and sets of features that can be compared."""

import pytest
import torch
from torch import Generator, nn

from gmlib import mnist
from gmlib.metrics import features as module
from gmlib.metrics import fid, shipped_classifier
from gmlib.metrics.features import comparable, extract


def pixels(images):
    return images.flatten(1)


class Noisy(nn.Module):
    """Its features are random, unless it is in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.dropout(x.flatten(1))

    def hidden(self, x):
        return self.forward(x)[:, :3]


@pytest.fixture
def images():
    return torch.rand(7, 1, 28, 28, generator=Generator().manual_seed(0))


def test_images_are_passed_in_batches(images, monkeypatch):
    monkeypatch.setattr(module, "IMAGES_PER_CALL", 3)
    sizes = []
    assert torch.equal(extract(images, lambda x: sizes.append(len(x)) or pixels(x)), images.flatten(1))
    assert sizes == [3, 3, 1]


def test_features_take_no_gradient(images):
    assert not extract(images, nn.Sequential(nn.Flatten(), nn.Linear(784, 2))).requires_grad


def test_a_network_is_in_eval_mode_meanwhile_and_trains_afterwards(images):
    network = Noisy()
    assert torch.equal(extract(images, network), images.flatten(1))
    assert torch.equal(extract(images, network.hidden), images.flatten(1)[:, :3])
    assert all(layer.training for layer in network.modules())


def test_the_default_are_the_features_of_the_shipped_classifier(images):
    features, network = extract(images), shipped_classifier()
    assert features.shape == (7, 128)
    torch.testing.assert_close(network.head(features), network(images))


def test_a_network_takes_images_in_its_own_precision(images):
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 2)).double()
    assert extract(images, network).dtype == torch.float64
    assert extract(images.double(), pixels).dtype == torch.float64


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (torch.zeros(2, 3, 28, 28), "(2, 3, 28, 28)"),
        (torch.full((2, 1, 28, 28), 1.5), "[0, 1]"),
        (torch.zeros(0, 1, 28, 28), "images 0"),
    ],
)
def test_other_images_are_refused(refused, wrong, word):
    with refused(word):
        extract(wrong, pixels)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("extractor", "word"),
    [
        (lambda x: x, "(3, 1, 28, 28)"),
        (lambda x: x.sum().reshape(1, 1), "(1, 1)"),
        (lambda x: pixels(x).argmax(1, keepdim=True), "torch.int64"),
    ],
)
def test_features_that_are_not_one_vector_per_image_are_refused(refused, images, extractor, word):
    with refused(word):
        extract(images[:3], extractor)


# two sets of features


BROKEN = torch.ones(4, 3)
BROKEN[1, 2], BROKEN[1, 0], BROKEN[3, 0] = torch.nan, torch.nan, torch.inf


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("samples", "reference", "word"),
    [
        (torch.ones(2, 3), torch.ones(4, 1), "(4, 1)"),
        (torch.ones(4, 3), torch.ones(2, 3, 1), "(2, 3, 1)"),
        (BROKEN, torch.ones(2, 3), "2 of 4 images (samples)"),
        (torch.ones(0, 3), torch.ones(2, 3), "0 images (samples)"),
    ],
)
def test_sets_that_cannot_be_compared_are_refused(refused, samples, reference, word):
    with refused(word):
        comparable(samples, reference)


# images in other precisions


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_images_of_other_precision_are_taken(dtype):
    samples, reference = mnist("test").grey()[:200], mnist("train").grey()[:200]
    tolerance = 1e-9 if dtype == torch.float64 else 0.05  # of grey values to three digits
    assert fid(samples.to(dtype), reference) == pytest.approx(fid(samples, reference), rel=tolerance, abs=tolerance)
