"""Checks of exercises: what is right, the mistakes that are recognised, and when the expected value is printed."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from gmlib import check, exercises, mnist, pretrained

EXPECTED = torch.tensor([1.0, 2.0, -4.0], dtype=torch.float64)
MATRIX = torch.tensor([[1.0, 2.0], [5.0, -3.0]])
PIXELS = torch.linspace(-1, 2.3, 784, dtype=torch.float64)


@pytest.fixture(autouse=True)
def no_tries(monkeypatch):
    """Start without wrong tries, and let no results file of the caller be written."""
    monkeypatch.setattr(exercises, "_wrong_tries", Counter())
    monkeypatch.delenv("GMLIB_CHECKS", raising=False)


@pytest.fixture
def printed(capsys):
    """Return what a check prints, which has to return None."""

    def run(*arguments, **options) -> str:
        assert check(*arguments, **options) is None
        return capsys.readouterr().out

    return run


RIGHT = {
    "list": EXPECTED.tolist(),
    "tuple of tensors on the tape": tuple(EXPECTED.clone().requires_grad_() * 1),
    "array": EXPECTED.numpy().astype(np.float32),
    "array in reverse": EXPECTED.flip(0).numpy()[::-1],
    "whole numbers": EXPECTED.long(),
    "on the tape": EXPECTED.clone().requires_grad_() * 1,
    "parameter": nn.Parameter(EXPECTED.clone()),
    "float16": EXPECTED.half(),
    "bfloat16": EXPECTED.bfloat16(),
    "within atol": EXPECTED + 0.009,
}


@pytest.mark.parametrize("value", RIGHT.values(), ids=RIGHT)
def test_equal_numbers_are_right_in_every_form(printed, value):
    out = printed("own", value, expected=EXPECTED, atol=0.01)
    assert out.startswith("own: right.\nYour value: 1")
    assert "reason" not in out


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), torch.tensor(3), np.array(3.0)], ids=type)
def test_a_single_number_is_right(printed, value):
    assert printed("own", value, expected=lambda: 3) == "own: right.\nYour value: 3\n"


MISTAKES = {
    "the value is None": (None, EXPECTED),
    "a function and not its result": (len, EXPECTED),
    "of type str, expected real numbers": ("1.0", torch.tensor(1.0)),
    "of type complex, expected": (1 + 0j, torch.tensor(1.0)),
    "of type Tensor, expected real": (EXPECTED + 0j, EXPECTED),
    "of type ndarray, expected real": (EXPECTED.numpy() + 0j, EXPECTED),
    "of type dict, expected": ({1: 2}, EXPECTED),
    "in rows of equal length": ([1, [2, -4]], EXPECTED),
    "of type object, expected": (object(), EXPECTED),
    "2 of 3 numbers are NaN or infinite": (torch.tensor([1.0, float("nan"), float("inf")]), EXPECTED),
    "the matrix is transposed": (MATRIX.T, MATRIX),
    "(3, 1), expected (3,); the numbers are right": (EXPECTED[:, None], EXPECTED),
    "(0,), expected (3,).": (torch.empty(0), EXPECTED),
    "(2,), expected ().": (EXPECTED[:2], EXPECTED[0]),
    "(3,), expected (); the mean over all numbers is missing": (EXPECTED, EXPECTED.mean()),
    "(2, 2), expected (2,); the sum over axis 1 is missing": (MATRIX, MATRIX.sum(1)),
    "(2, 2), expected (2,); the mean over axis 0 is missing": (MATRIX, MATRIX.mean(0)),
    "(), expected (3,); the value is the sum over all numbers": (EXPECTED.sum(), EXPECTED),
    "(2,), expected (2, 2); the value is the mean over axis 1": (MATRIX.mean(1), MATRIX),
    "in another order": (EXPECTED[[2, 0, 1]], EXPECTED),
    "the sign is the opposite": (-EXPECTED, EXPECTED),
    "2 times the expected one.": (2 * EXPECTED, EXPECTED),
    "1/2 times the expected one.": (EXPECTED / 2, EXPECTED),
    "3 times the expected one, with the opposite sign: a sum in place of a mean over 3 numbers": (-3 * EXPECTED, EXPECTED),
    "a sum in place of a mean over 784 pixels": (PIXELS.sum(), PIXELS.mean()),
    "1/784 times the expected one: a mean in place of a sum over 784 pixels": (PIXELS.float().mean(), PIXELS.sum()),
    "every number is 1.3 times the expected one": (1.3 * EXPECTED, EXPECTED),
    "in bits, expected nats": (EXPECTED.float() / np.log(2), EXPECTED),
    "the expected one plus 0.25": (EXPECTED + 0.25, EXPECTED),
    "rounded to whole numbers": ([1, 0, -2], [1.0, 0.4, -2.4]),
    "1 of 3 numbers are right": ([1.0, 7.0, -9.0], EXPECTED),
    "0 of 3 numbers are right": ([0.0, 0.0, 0.0], EXPECTED),
    "sign is the opposite.": (-7, 7),
    "reason: 0 of 3 numbers are right": ([2.0, 4.0, -8.5], EXPECTED),
    "too large": (9.2, 3.9),
    "too small": (-5.3, 3.9),
}  # fmt: skip


@pytest.mark.parametrize("reason", MISTAKES)
def test_a_wrong_value_gets_the_most_likely_reason_and_raises_nothing(printed, reason):
    value, expected = MISTAKES[reason]
    first, second, third, *_ = printed("own", value, expected=expected).splitlines()
    assert first == "own: wrong."
    assert second.startswith("Your value: ")
    assert third.startswith("Most likely reason: ")
    assert reason in third


def test_the_expected_value_is_printed_from_the_second_wrong_value_on(printed):
    assert "Expected" not in printed("own", None, expected=1234)
    assert "Expected" not in printed("own", None, expected=1234)  # None is an unfinished function
    first = printed("own", 1, expected=1234)
    assert "1234" not in first
    assert "A second wrong value also prints the expected one." in first
    assert "1234" not in printed("other", 1, expected=1234)
    assert printed("own", 2, expected=1234, atol=0.5).endswith("Expected: 1234, to within 0.5.\n")
    assert "Expected: 1234" in printed("own", None, expected=1234)
    assert "Expected" not in printed("own", 1234, expected=1234)


def test_no_reason_is_the_expected_count(printed):
    for value in (0, 1, -1, 2):
        assert "16" not in printed(f"count {value}", value, expected=16)


def test_values_are_shortened_to_a_line(printed):
    for value in (torch.arange(10_000.0), "a\n" * 1000, {"a": list(range(1000))}):
        line = printed("own", value, expected=1).splitlines()[1]
        assert len(line) < 90
        assert "..." in line
    assert "Your value: 0, 1, 2, 3, ... (shape (10000,))" in printed("own", torch.arange(10_000), expected=1)


def test_the_default_tolerance_grows_with_the_numbers(printed):
    assert ": right." in printed("own", 0.00009, expected=0)
    assert ": wrong." in printed("own", 0.00011, expected=0)
    assert ": right." in printed("own", [2000.19, 0.19], expected=[2000, 0])
    assert ": wrong." in printed("own", [2000.21, 0.0], expected=[2000, 0])
    assert ": wrong." in printed("own", 1.0001, expected=1, atol=0)


def test_a_check_leaves_the_value_as_it_is(printed):
    value = EXPECTED.clone().requires_grad_()
    result = value * 2
    printed("own", result, expected=EXPECTED)
    result.sum().backward()
    assert value.grad.tolist() == [2, 2, 2]


def test_each_result_is_a_line_of_the_file_that_the_environment_names(printed, monkeypatch, tmp_path):
    monkeypatch.setenv("GMLIB_CHECKS", str(tmp_path / "checks"))
    printed("a", 1, expected=1)
    printed("b", -1, expected=1)
    assert [json.loads(line) for line in (tmp_path / "checks").read_text().splitlines()] == [
        {"name": "a", "right": True, "reason": ""},
        {"name": "b", "right": False, "reason": "the sign is the opposite"},
    ]


def test_mistakes_of_an_author_are_refused(refused):
    with refused("'vae-ex-kll'", "add expected=", "did you mean 'vae-ex-kl'?"):
        check("vae-ex-kll", 1)
    with refused("'vae-ex-kl'", "another name"):
        check("vae-ex-kl", 1, expected=1)
    with refused("'vae-ex-kl'", "another name"):
        check("vae-ex-kl", 1, atol=9.0)
    for expected in ("one", [], [[1], 2], lambda: None, [1, float("inf")]):
        with refused("'own'", "finite numbers"):
            check("own", 1, expected=expected)
    for atol in (-1.0, float("nan"), float("inf")):
        with refused("atol", "at least 0"):
            check("own", 1, expected=1, atol=atol)


# ---- the book's exercises


def posteriors():
    return pretrained("vae_strong").model.encode(mnist("validation").binarised())


def test_the_kl_per_latent_is_that_of_torch(printed):
    mu, logvar = posteriors()
    kl = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0))
    assert kl.shape == (500, 50)
    assert ": right." in printed("vae-ex-kl", kl.mean(0))
    assert "the mean over axis 0 is missing" in printed("vae-ex-kl", kl)
    assert ": wrong." in printed("vae-ex-kl", kl.mean(0) + 0.02)


def test_the_number_of_active_latents_is_that_of_numpy(printed):
    mu, _ = posteriors()
    assert ": right." in printed("vae-ex-active", np.count_nonzero(np.var(mu.numpy(), axis=0) > 0.01))
    assert "too large" in printed("vae-ex-active", (mu.std(0) > 0.01).sum())


def test_every_reference_can_be_computed_and_draws_no_global_random_number():
    state = torch.random.get_rng_state()
    for name, reference in exercises.REFERENCES.items():
        assert exercises.mistake(reference.expected(), exercises._target(name, None, None)[0], reference.atol) == ""
    assert torch.equal(state, torch.random.get_rng_state())
