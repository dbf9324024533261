"""Accuracy, histogram KL and covered digits, with classifiers whose predictions are known."""

import math

import pytest
import torch
from scipy.stats import entropy
from torch import Generator

from gmlib.metrics.labels import digits_covered, histogram_kl, label_accuracy, predict

UNIFORM = torch.full((10,), 0.1)


def by_height(images):
    """Logits for the made-up digits: the bar of digit d begins in row 2d."""
    top = (images[:, 0, :, 6:22].mean(2) > 0.5).float().argmax(1)
    return torch.nn.functional.one_hot(top // 2, 10).float() - 3


def test_accuracy_is_the_share_that_agrees(made_up):
    assert torch.equal(predict(made_up.grey(), by_height), made_up.labels)
    assert label_accuracy(made_up.grey(), made_up.labels, by_height) == 1
    labels = made_up.labels.clone()
    labels[:16] = (labels[:16] + 1) % 10
    assert label_accuracy(made_up.grey(), labels, by_height) == 48 / 64


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("labels", "word"),
    [(torch.zeros(1).long(), "(1,)"), (torch.full((64,), 10), "10 to 10"), (torch.full((64,), -1), "-1 to -1")],
)
def test_labels_that_do_not_fit_are_refused(refused, made_up, labels, word):
    with refused(word):
        label_accuracy(made_up.grey(), labels, by_height)


def test_a_classifier_that_diverged_is_refused(refused, made_up):
    with refused("NaN"):
        predict(made_up.grey(), lambda x: by_height(x) * torch.nan)


# the histogram


def test_kl_is_that_of_scipy():
    predicted = torch.randint(10, (500,), generator=Generator().manual_seed(0))
    frequencies = torch.arange(1, 11, dtype=torch.float64) / 55
    expected = entropy(predicted.bincount(minlength=10).numpy() / 500, frequencies.numpy())
    assert histogram_kl(predicted, frequencies) == pytest.approx(expected, rel=1e-12)
    assert histogram_kl(predicted, frequencies.float()) == pytest.approx(expected, rel=1e-5)


def test_kl_of_known_histograms():
    assert histogram_kl(torch.arange(10).repeat(7), UNIFORM) == pytest.approx(0, abs=1e-7)
    assert histogram_kl(torch.full((50,), 4), UNIFORM) == pytest.approx(math.log(10))  # one digit only


def test_kl_is_infinite_if_a_class_is_predicted_that_the_reference_lacks():
    assert histogram_kl(torch.tensor([0, 2]), torch.tensor([0.5, 0.5, 0.0])) == math.inf


@pytest.mark.parametrize(("times", "expected"), [(9, 1), (10, 2), (11, 2)])
def test_a_digit_counts_from_a_tenth_of_its_frequency_on(times, expected):
    predicted = torch.cat([torch.full((1000 - times,), 3), torch.full((times,), 8)])  # a tenth of 0.1 is 10 of 1,000
    assert digits_covered(predicted, UNIFORM) == expected


def test_a_rare_digit_needs_few_and_an_absent_one_does_not_count():
    frequencies = torch.tensor([0.89, 0.1, 0.01, 0.0])
    predicted = torch.cat([torch.zeros(998, dtype=torch.int64), torch.tensor([2, 3])])
    assert digits_covered(predicted, frequencies) == 2  # 1 of 1,000 is a tenth of 0.01; none of the second


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("digits", "frequencies", "word"),
    [
        (torch.arange(10), torch.ones(10), "sum to 10"),
        (torch.arange(10), torch.tensor([1.5, -0.5, *[0.0] * 8]), "none below 0"),
        (torch.arange(10), UNIFORM[None], "shape (1, 10)"),
        (torch.arange(11), UNIFORM, "from 0 to 10"),
        (torch.arange(0), UNIFORM, "samples 0"),
    ],
)
def test_histograms_that_make_no_sense_are_refused(refused, digits, frequencies, word):
    with refused(word):
        histogram_kl(digits, frequencies)
