"""extract and what stands at the door of every measure."""

import pytest
import torch
from torch import Generator, nn

from gmlib import mnist, pretrained
from gmlib.metrics import (
    count_modes,
    coverage,
    density,
    fid,
    kernel_distance,
    kid,
    label_accuracy,
    measure_samples,
    precision_recall,
    predict,
)
from gmlib.metrics.features import comparable, extract, require_count
from gmlib.metrics.models import measure_drawn
from gmlib.metrics.scorer import shipped_scorer


def pixels(images):
    return images.flatten(1)


class Noisy(nn.Module):
    """Dropout makes its features of chance, unless it is in eval mode."""

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


@pytest.mark.parametrize("chunk", [1, 3, 7, 500])
def test_features_do_not_depend_on_the_chunk(images, chunk):
    assert torch.equal(extract(images, pixels, chunk), images.flatten(1))


def test_the_network_sees_no_more_than_a_chunk_at_a_time(images):
    seen = []
    extract(images, lambda x: seen.append(len(x)) or pixels(x), 3)
    assert seen == [3, 3, 1]


def test_features_take_no_gradient(images):
    assert not extract(images, nn.Sequential(nn.Flatten(), nn.Linear(784, 2))).requires_grad


@pytest.mark.parametrize("training", [True, False])
def test_a_network_is_asked_in_eval_mode_and_left_as_it_was(images, training):
    network = Noisy().train(training)
    assert torch.equal(extract(images, network), images.flatten(1))
    assert torch.equal(extract(images, network.hidden), images.flatten(1)[:, :3])
    assert all(module.training is training for module in network.modules())


def test_a_network_that_fails_is_left_as_it_was(images):
    network = nn.Sequential(nn.Linear(5, 5)).train()
    with pytest.raises(RuntimeError):
        extract(images, network)
    assert network.training


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("wrong", "parts"),
    [
        (torch.zeros(2, 784), ("(2, 784)", "(batch, 1, 28, 28)")),
        (torch.zeros(2, 3, 28, 28), ("(2, 3, 28, 28)", "(batch, 1, 28, 28)")),
        (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), ("torch.uint8", "ImageDataset.grey()")),
        (torch.full((2, 1, 28, 28), 1.5), ("from 1.5 to 1.5", "[0, 1]")),
        (torch.full((2, 1, 28, 28), -1.0), ("from -1 to -1", "[0, 1]")),
        (torch.full((2, 1, 28, 28), torch.nan), ("nan", "[0, 1]")),
        (torch.zeros(0, 1, 28, 28), ("no images", "draw some")),
    ],
)
def test_other_images_are_refused(refused, wrong, parts):
    with refused(*parts):
        extract(wrong, pixels)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("extractor", "parts"),
    [
        (lambda x: x, ("(3, 1, 28, 28)", "(3, width)", "flatten")),
        (lambda x: x.sum().reshape(1, 1), ("(1, 1)", "for 3 images")),
        (lambda x: pixels(x).argmax(1, keepdim=True), ("torch.int64", "floats")),
    ],
)
def test_what_is_no_vector_an_image_is_refused(refused, images, extractor, parts):
    with refused(*parts):
        extract(images[:3], extractor)


# two sets of features


def test_two_sets_are_given_in_float64():
    a, b = comparable(torch.ones(2, 3), torch.zeros(4, 3))
    assert (a.dtype, b.dtype) == (torch.float64, torch.float64)
    assert (a.sum(), b.sum()) == (6, 0)


@pytest.mark.usefixtures("unchecked")
def test_sets_of_other_widths_are_refused(refused):
    with refused("(2, 3)", "(4, 5)", "the same extractor"):
        comparable(torch.ones(2, 3), torch.ones(4, 5))
    with refused("(2, 3, 1)", "(n, width)"):
        comparable(torch.ones(2, 3, 1), torch.ones(4, 3))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_features_that_are_no_numbers_are_refused(refused, bad):
    broken = torch.ones(4, 3)
    broken[1, 2] = broken[1, 0] = broken[3, 0] = bad
    with refused("2 of 4 images (reference)", "diverged"):
        comparable(torch.ones(2, 3), broken)
    with refused("2 of 4 images (samples)"):
        comparable(broken, torch.ones(2, 3))


def test_an_empty_set_is_refused(refused):
    with refused("0 images (samples)", "at least 1"):
        comparable(torch.ones(0, 3), torch.ones(2, 3))


def test_the_smaller_set_is_named(refused):
    require_count(2, "draw more", samples=torch.ones(2, 1), reference=torch.ones(3, 1))
    with refused("2 images (samples)", "at least 3", "draw more"):
        require_count(3, "draw more", reference=torch.ones(3, 1), samples=torch.ones(2, 1))


# images of other types, at the door of every measure

REAL, TRAIN = mnist("test").grey()[:200], mnist("train").grey()[:200]
LABELS = mnist("test").labels[:200]
MEASURES = {
    "fid": lambda x: fid(x, TRAIN),
    "fid, reference": lambda x: fid(TRAIN, x),
    "kid": lambda x: kid(x, TRAIN),
    "precision and recall": lambda x: sum(precision_recall(x, TRAIN)),
    "density": lambda x: density(x, TRAIN),
    "coverage": lambda x: coverage(x, TRAIN),
    "accuracy": lambda x: label_accuracy(x, LABELS),
    "predict": lambda x: predict(x).sum().item(),
    "stacks": lambda x: count_modes(x)["modes"],
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", MEASURES)
def test_images_of_other_precision_are_taken(name, dtype):
    expected = MEASURES[name](REAL)
    tolerance = 1e-9 if dtype == torch.float64 else 0.05  # grey values to 3 or 2 digits
    assert MEASURES[name](REAL.to(dtype)) == pytest.approx(expected, rel=tolerance, abs=tolerance)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", MEASURES)
def test_lists_and_arrays_are_refused(refused, name):
    for given, kind in ((REAL.numpy(), "ndarray"), (list(REAL), "list")):
        with refused(kind, "torch.as_tensor"):
            MEASURES[name](given)


def test_a_network_gets_images_in_its_own_precision(images):
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 2)).double()
    assert extract(images, network).dtype == torch.float64
    assert extract(images.double(), pixels).dtype == torch.float64  # a function may take what it likes


@pytest.mark.usefixtures("unchecked")
def test_numbers_that_are_no_numbers_of_images(refused, images):
    for chunk in (0, -5, 2.5):
        with refused(f"got chunk {chunk}"):
            extract(images, pixels, chunk)
    with refused("got k = 2.5"):
        density(REAL, TRAIN, k=2.5)
    with refused("got 2.5 subsets"):
        kernel_distance(torch.rand(9, 2), torch.rand(9, 2), subsets=2.5)
    with refused("stacks of 9 digits"):
        count_modes(REAL[:9].view(1, 9, 28, 28))
    for labels in (LABELS.tolist(), LABELS.float()):
        with refused("got "):
            label_accuracy(REAL, labels)


@pytest.mark.usefixtures("unchecked")
def test_a_floor_of_another_number_is_refused(refused):
    shares = torch.full((10,), 0.1)
    with refused("150 samples and 200 digits", "the same number"):
        measure_samples(REAL[:150], REAL, TRAIN, shares)
    assert "fid_real" in measure_samples(REAL[:150], REAL, TRAIN[:150], shares)


def test_a_floor_needs_as_many_training_digits(refused):
    test = mnist("test")
    with refused("500 test images and 300 training images"):
        measure_drawn(pretrained("vae").model, test, mnist("train")[:300], shipped_scorer())
