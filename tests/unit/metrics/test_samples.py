"""All metrics of samples taken together: real digits, one repeated digit, and noise."""

import pytest
import torch

from gmlib import mnist
from gmlib.metrics import label_accuracy, measure_samples

UNIFORM = torch.full((10,), 0.1)


def grey(split: str) -> torch.Tensor:
    return mnist(split).grey()[:500]


@pytest.fixture(scope="module")
def digits_against_digits() -> dict[str, float]:
    return measure_samples(grey("test"), grey("validation"), grey("train"), UNIFORM)


def test_other_real_digits_reach_the_value_of_real_digits(digits_against_digits):
    found = digits_against_digits
    names = ("fid", "kid", "precision", "recall", "density", "coverage", "digits", "histogram_kl")
    assert sorted(found) == sorted([*names, *(f"{name}_real" for name in names)])
    assert found["fid"] == pytest.approx(found["fid_real"], rel=0.35)
    for name in ("precision", "recall", "coverage"):
        assert found[name] == pytest.approx(found[f"{name}_real"], abs=0.06)
    assert all(value == round(value, 4) for value in found.values())


def test_one_digit_repeated_covers_nothing(digits_against_digits):
    one = grey("test")[:1].expand(500, 1, 28, 28)
    found = measure_samples(one, grey("validation"), grey("train"), UNIFORM)
    assert found["coverage"] < 0.03
    assert found["recall"] < 0.03
    assert found["digits"] == 1
    assert found["histogram_kl"] == pytest.approx(2.3026, abs=1e-3)  # ln 10
    assert found["fid"] > 20 * found["fid_real"]
    real = {name: value for name, value in digits_against_digits.items() if name.endswith("_real")}
    assert real.items() <= found.items()  # it does not depend on the samples


def test_label_accuracy_of_samples_and_of_real_images():
    test, train = mnist("test"), mnist("train")[:500]
    wrong = torch.cat([test.labels[:400], (test.labels[400:] + 1) % 10])
    found = measure_samples(test.grey(), grey("validation"), train.grey(), UNIFORM, wrong, train.labels)
    assert found["label_accuracy"] == label_accuracy(test.grey(), wrong)
    assert 0.7 < found["label_accuracy"] < 0.82
    assert found["label_accuracy_real"] == label_accuracy(train.grey(), train.labels) > 0.98


@pytest.mark.usefixtures("unchecked")
def test_the_same_number_of_real_images_is_needed(refused):
    with refused("150 samples and 200 real images"):
        measure_samples(grey("test")[:150], grey("test"), grey("train")[:200], UNIFORM)
