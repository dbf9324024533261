"""Stacks whose numbers are known."""

import math

import pytest
import torch

from gmlib import mnist
from gmlib.data import join_channels
from gmlib.metrics import count_modes, predict, read_stacks


def by_ink(images):
    """Logits of the class d for a plane of grey d / 10."""
    return torch.nn.functional.one_hot((images.mean((1, 2, 3)) * 10).round().long(), 10).float()


def planes(*numbers: int) -> torch.Tensor:
    digits = torch.tensor([[int(digit) for digit in f"{number:03}"] for number in numbers])
    return (digits / 10)[:, :, None, None].expand(-1, -1, 28, 28)


def test_the_first_channel_counts_hundreds():
    assert read_stacks(planes(0, 7, 120, 999, 305), by_ink).tolist() == [0, 7, 120, 999, 305]


def test_real_stacks_are_read_digit_by_digit():
    digits = mnist("test")[:300]
    numbers = read_stacks(join_channels(digits.grey(), 3))
    apart = predict(digits.grey()).view(100, 3)
    assert torch.equal(numbers, apart @ torch.tensor([100, 10, 1]))
    assert (apart == digits.labels.view(100, 3)).float().mean() > 0.98


def test_stacks_of_two_have_a_hundred_modes():
    found = count_modes(planes(12, 34, 99)[:, 1:], by_ink)
    assert found == {"modes": 3, "modes_kl": pytest.approx(math.log(100 / 3), abs=1e-4)}


@pytest.mark.parametrize(
    ("numbers", "modes", "kl"),
    [
        ([5] * 30, 1, math.log(1000)),
        ([1, 2, 2, 2], 2, 0.25 * math.log(250) + 0.75 * math.log(750)),
        (range(1000), 1000, 0.0),
    ],
)
def test_modes_and_their_spread(numbers, modes, kl):
    assert count_modes(planes(*numbers), by_ink) == {"modes": modes, "modes_kl": pytest.approx(kl, abs=1e-4)}
