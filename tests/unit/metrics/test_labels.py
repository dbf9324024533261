"""What a classifier reads, with classifiers that are known to be right or wrong."""

import math

import pytest
import torch
from scipy.stats import entropy
from torch import Generator

from gmlib.metrics.labels import agreement, digits_covered, histogram_kl, label_accuracy, predict

UNIFORM = torch.full((10,), 0.1)


def by_height(images):
    """Logits for the made-up digits: the bar of digit d begins in row 2d."""
    top = (images[:, 0, :, 6:22].mean(2) > 0.5).float().argmax(1)
    return torch.nn.functional.one_hot(top // 2, 10).float() - 3


def test_a_classifier_that_knows_reads_every_label(made_up):
    assert torch.equal(predict(made_up.grey(), by_height), made_up.labels)
    assert label_accuracy(made_up.grey(), made_up.labels, by_height) == 1


def test_accuracy_is_the_part_that_agrees(made_up):
    asked = made_up.labels.clone()
    asked[:16] = (asked[:16] + 1) % 10
    assert label_accuracy(made_up.grey(), asked, by_height) == 48 / 64
    assert label_accuracy(made_up.grey(), (made_up.labels + 3) % 10, by_height) == 0


def test_a_classifier_that_always_says_seven(made_up):
    def seven(images):
        return torch.nn.functional.one_hot(torch.full((len(images),), 7), 10).float()

    assert label_accuracy(made_up.grey(), made_up.labels, seven) == int((made_up.labels == 7).sum()) / 64


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("labels", "parts"),
    [
        (torch.zeros(63, dtype=torch.int64), ("63 labels", "64 samples")),
        (torch.full((64,), 10), ("from 10 to 10", "0 to 9")),
        (torch.full((64,), -1), ("from -1 to -1", "0 to 9")),
    ],
)
def test_labels_that_do_not_fit_are_refused(refused, made_up, labels, parts):
    with refused(*parts):
        label_accuracy(made_up.grey(), labels, by_height)


@pytest.mark.usefixtures("unchecked")
def test_a_classifier_that_diverged_and_images_out_of_range_are_refused(refused, made_up):
    with refused("NaN", "classifier"):
        predict(made_up.grey(), lambda x: by_height(x) * torch.nan)
    with refused("[0, 1]"):
        label_accuracy(made_up.grey() * 255, made_up.labels, by_height)


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
    assert histogram_kl(torch.arange(5).repeat(3), UNIFORM) == pytest.approx(math.log(2))
    # a fourth of zeros where a half is expected: ¼ ln ½ + ¾ ln 1½
    assert histogram_kl(torch.tensor([0, 1, 1, 1]), torch.tensor([0.5, 0.5])) == pytest.approx(
        0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    )


def test_kl_where_the_reference_has_none():
    frequencies = torch.tensor([0.5, 0.5, 0.0])
    assert histogram_kl(torch.tensor([0, 1]), frequencies) == pytest.approx(0, abs=1e-12)
    assert histogram_kl(torch.tensor([0, 2]), frequencies) == math.inf


def test_a_digit_counts_from_a_tenth_of_its_frequency_on():
    # of 1,000 samples a tenth of the frequency is 10
    for times, expected in ((9, 1), (10, 2), (11, 2)):
        predicted = torch.cat([torch.full((1000 - times,), 3), torch.full((times,), 8)])
        assert digits_covered(predicted, UNIFORM) == expected
    assert digits_covered(torch.arange(10).repeat(5), UNIFORM) == 10


def test_errors_of_the_classifier_cover_no_digit():
    predicted = torch.ones(10_000, dtype=torch.int64)
    predicted[:90] = torch.arange(90) % 10  # 1 % of errors, over all the digits
    assert len(predicted.unique()) == 10
    assert digits_covered(predicted, UNIFORM) == 1


def test_a_rare_digit_needs_few_and_an_absent_one_does_not_count():
    frequencies = torch.tensor([0.89, 0.1, 0.01, 0.0])
    predicted = torch.cat([torch.zeros(998, dtype=torch.int64), torch.tensor([2, 3])])
    assert digits_covered(predicted, frequencies) == 2  # 1 of 1,000 is a tenth of 0.01; none of the second


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("measure", [histogram_kl, digits_covered])
def test_histograms_that_make_no_sense_are_refused(refused, measure):
    digits = torch.arange(10)
    with refused("sum to 10", "divide counts"):
        measure(digits, torch.ones(10))
    with refused("none below 0"):
        measure(digits, torch.tensor([1.5, -0.5, *[0.0] * 8]))
    with refused("shape (1, 10)"):
        measure(digits, UNIFORM[None])
    with refused("sum to nan"):
        measure(digits, UNIFORM * torch.nan)
    with refused("from 0 to 10", "0 to 9"):
        measure(torch.arange(11), UNIFORM)
    with refused("no samples"):
        measure(digits[:0], UNIFORM)


@pytest.mark.usefixtures("unchecked")
def test_no_labels_are_refused(refused):
    with refused("no samples"):
        agreement(torch.arange(0), torch.arange(0))
