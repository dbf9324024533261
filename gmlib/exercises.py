"""Exercises that check themselves: `check` compares a reader's value with the expected one and names the likely mistake.

The references below compute the expected values of the book's exercises, so that no notebook shows them. Each has the label
of its exercise, and uses inputs that the chapter uses too.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gmlib.data import mnist
from gmlib.errors import InputError, nearest
from gmlib.shapes import Latent
from gmlib.zoo import pretrained

RESULTS_FILE = "GMLIB_CHECKS"  # environment variable: the file to which each check appends its result as a line of JSON
SHOWN_NUMBERS = 4  # of a value that has more
PIXELS = 28 * 28


class Reference(NamedTuple):
    """The expected value of an exercise, and the largest difference from it that counts as right."""

    expected: Any
    atol: float


REFERENCES: dict[str, Reference] = {}
_wrong_tries: Counter[str] = Counter()


def check(name: str, value: Any, expected: Any = None, atol: float | None = None) -> None:
    """Print whether a value is right; if it is wrong, print the most likely mistake too, and return in any case.

    The mistakes that are recognised: None, NaN, another shape, a transposed matrix, a sum in place of a mean or the reverse,
    another sign, a constant factor or a constant difference. The second wrong value of a name and each later one also print
    the expected value; None is not counted, since an unfinished function returns it.

    Args:
        name: the label of an exercise of the book, such as `vae-ex-kl`; or a name of your own, with `expected`.
        value: a number, a tensor of any dtype, an array, or nested lists of them.
        expected: the expected value, or a function without arguments that returns it; omit it for an exercise of the book.
        atol: the largest absolute difference that is right; by default 1e-4 times the largest absolute expected number, at least 1e-4.

    Raises:
        InputError: the name is unknown and there is no `expected`, or `expected` or `atol` cannot be used.
    """
    target, tolerance = _target(name, expected, atol)
    reason = mistake(value, target, tolerance)
    right = not reason
    print(f"{name}: {'right' if right else 'wrong'}.\nYour value: {_shown(value)}")
    if not right:
        _wrong_tries[name] += int(value is not None)
        print(f"Most likely reason: {reason}.")
        if _wrong_tries[name] > 1:
            print(f"Expected: {_shown(target)}{f', to within {tolerance:.2g}' if tolerance else ''}.")
        elif value is not None:
            print("A second wrong value also prints the expected one.")
    if path := os.environ.get(RESULTS_FILE):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"name": name, "right": right, "reason": reason}) + "\n")


def _target(name: str, expected: Any, atol: float | None) -> tuple[Tensor, float]:
    """Return the expected numbers of an exercise and the tolerance: those of the book, or the caller's own."""
    if name in REFERENCES:
        if expected is not None or atol is not None:
            raise InputError(
                f"got expected or atol for {name!r}, an exercise of the book that has its own: omit both, or use another name"
            )
        expected, atol = REFERENCES[name]
    if expected is None:
        raise InputError(
            f"got {name!r} without expected, which is no exercise of the book: add expected=, or correct the name"
            f"{nearest(name, REFERENCES)}"
        )
    target = _numbers(expected() if callable(expected) else expected)
    if target is None or not target.numel() or not target.isfinite().all():
        raise InputError(
            f"got an expected value of {name!r} that does not consist of finite numbers: give a number, a tensor or a list"
        )
    if atol is None:
        atol = 1e-4 * max(1.0, target.abs().max().item())
    if not 0 <= atol < math.inf:
        raise InputError(f"got atol = {atol} for {name!r}, expected a number of at least 0")
    return target, atol


def mistake(value: Any, expected: Tensor, atol: float) -> str:
    """Return the most likely mistake in a value, as a clause, or "" if the value is right; `expected` is in float64."""
    if value is None:
        return "the value is None, so the function has no `return` yet"
    given = _numbers(value)
    if given is None and callable(value):
        return "the value is a function and not its result, so the call is missing"
    if given is None:
        return f"the value is of type {type(value).__name__}, expected real numbers, in rows of equal length"
    if _close(given, expected, atol):
        return ""
    if bad := int((~given.isfinite()).sum()):
        return f"{bad} of {given.numel()} numbers are NaN or infinite"
    if given.ndim == 2 and _close(given.T, expected, atol):
        return "the matrix is transposed"
    if given.shape != expected.shape:
        return _mistake_in_shape(given, expected, atol)
    return _mistake_in_numbers(given, expected, atol)


def _mistake_in_shape(given: Tensor, expected: Tensor, atol: float) -> str:
    """Return the mistake in a value that has another shape."""
    shapes = f"the shape is {tuple(given.shape)}, expected {tuple(expected.shape)}"
    if given.numel() == expected.numel() and _close(given.reshape(expected.shape), expected, atol):
        return f"{shapes}; the numbers are right"
    for name, reduced in _reductions(given):
        if _close(reduced, expected, atol):
            return f"{shapes}; the {name} is missing"
    for name, reduced in _reductions(expected):
        if _close(reduced, given, atol):
            return f"{shapes}; the value is the {name} of the expected one"
    return shapes


def _reductions(numbers: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield the means and sums over all numbers and over each axis, each with its name."""
    for name, reduce in (("mean", torch.mean), ("sum", torch.sum)):
        yield f"{name} over all numbers", reduce(numbers)
        yield from ((f"{name} over axis {axis}", reduce(numbers, dim=axis)) for axis in range(numbers.ndim))


def _mistake_in_numbers(given: Tensor, expected: Tensor, atol: float) -> str:
    """Return the mistake in a value of the right shape."""
    difference, several = given - expected, expected.numel() > 1
    if several and _close(given.flatten().sort().values, expected.flatten().sort().values, atol):
        return "the numbers are right, but in another order"
    if any(_close(given, rounded, atol) for rounded in (expected.round(), expected.trunc())):
        return "the value is rounded to whole numbers"
    if given.any() and expected.any():
        factor = ((given * expected).sum() / expected.square().sum()).item()
        proportional = torch.allclose(given, factor * expected, rtol=1e-4, atol=atol * abs(factor))
        is_count = not several and bool(expected == expected.round())  # the factor of a wrong 1 would be the answer
        if proportional and (not is_count or math.isclose(factor, -1)) and (cause := _factor(factor, several)):
            return cause
    if several and difference.max() - difference.min() <= 2 * atol:
        return f"every number is the expected one plus {difference.mean():.4g}, so a constant term differs"
    if several:
        return f"{(difference.abs() <= atol).sum()} of {expected.numel()} numbers are right"
    return f"the value is too {'large' if difference > 0 else 'small'}"


def _factor(factor: float, several: bool) -> str:
    """Return the mistake that multiplies a value by this factor; "" for one number and a factor without a known cause."""
    size, sign = abs(factor), "" if factor > 0 else ", with the opposite sign"
    if math.isclose(size, 1, rel_tol=1e-4):
        return "the sign is the opposite" if sign else ""
    for ratio, fraction, cause in ((size, "", "sum in place of a mean"), (1 / size, "1/", "mean in place of a sum")):
        count = round(ratio)
        if count > 1 and abs(ratio - count) < 0.01:
            over = f": a {cause} over {count} {'pixels' if count == PIXELS else 'numbers'}" if count > 2 else ""
            return f"the value is {fraction}{count} times the expected one{sign}{over}"
    if math.isclose(size * math.log(2), 1, rel_tol=1e-4):
        return f"the value is in bits, expected nats{sign}"
    return f"every number is {factor:.4g} times the expected one" if several else ""


def _close(a: Tensor, b: Tensor, atol: float) -> bool:
    """Return whether two tensors have one shape, and numbers that differ by `atol` at most."""
    return a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=atol)


def _numbers(value: Any) -> Tensor | None:
    """Return a number, tensor, array or nested list of numbers as a tensor in float64 without a gradient, or None."""
    try:
        if isinstance(value, Tensor):
            return None if value.is_complex() else value.detach().cpu().to(torch.float64)
        if isinstance(value, list | tuple):
            parts = [part for each in value if (part := _numbers(each)) is not None]
            return torch.stack(parts) if len(parts) == len(value) else None
        if isinstance(value, str | bytes) or np.iscomplexobj(value):
            return None
        return torch.from_numpy(np.array(value, dtype=np.float64))
    except (TypeError, ValueError, RuntimeError):  # not numbers, or rows of different lengths
        return None


def _shown(value: Any) -> str:
    """Return a value as one line of text, shortened: six digits per number, and the first few numbers."""
    numbers = None if value is None else _numbers(value)
    if numbers is None:
        text = " ".join(repr(value).split())
        return text if len(text) <= 60 else f"{text[:60]}..."
    text = ", ".join(f"{number:.6g}" for number in numbers.flatten()[:SHOWN_NUMBERS].tolist()) or "no number"
    rest = ", ..." if numbers.numel() > SHOWN_NUMBERS else ""
    return f"{text}{rest} (shape {tuple(numbers.shape)})" if numbers.ndim else text


# ---- the expected values of the book's exercises


def reference(name: str, atol: float) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Return a decorator that registers a function as the expected value of an exercise."""

    def register(expected: Callable[[], Any]) -> Callable[[], Any]:
        REFERENCES[name] = Reference(expected, atol)
        return expected

    return register


def _posteriors() -> tuple[Latent, Latent]:
    """Return means and log-variances `(500, 50)` of q(z|x) of the shipped `vae_strong`, for the embedded validation digits."""
    return pretrained("vae_strong").model.encode(mnist("validation").binarised())


@reference("vae-ex-kl", atol=0.01)
def _kl_per_latent() -> Tensor:
    mu, logvar = _posteriors()
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean(0)


@reference("vae-ex-active", atol=0)
def _active_latents() -> int:
    return int((_posteriors()[0].var(0) > 0.01).sum())
