"""A number of numpy or torch is the Python number that it equals, or it is refused."""

import hashlib
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from gmlib import recipes
from gmlib.experiments.fit import fit_profile
from gmlib.numbers import count_of, whole
from gmlib.seeds import require_seed, stream, substream

pytestmark = pytest.mark.usefixtures("unchecked")

SHORT = replace(recipes.VAE, batch_size=16, quick_epochs=1)
THREES = [np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)]


@pytest.mark.parametrize("three", THREES, ids=repr)
def test_a_seed_is_the_python_number_that_it_equals(few_digits, three):
    assert type(require_seed(three)) is int
    assert stream(three, "a").initial_seed() == stream(3, "a").initial_seed()
    assert torch.equal(few_digits.binarised(three), few_digits.binarised(3))
    run, expected = fit_profile(SHORT, "quick", three), fit_profile(SHORT, "quick", 3)
    assert run.history == expected.history
    assert json.dumps(run.record["seed"]) == "3"


@pytest.mark.parametrize(
    "seed", [3.5, np.float64(3), True, np.True_, torch.tensor(True), "3", None, [3], np.array([3]), -1, 2**31], ids=repr
)
def test_what_is_no_seed(few_digits, refused, seed):
    for call in (partial(stream, seed, "a"), partial(few_digits.binarised, seed)):
        with refused(f"got seed {seed!r}"):
            call()


def test_each_purpose_has_its_own_stream():
    digest = hashlib.sha256(b"latents 3").digest()  # shipped runs were trained on these numbers
    assert stream(3, "latents").initial_seed() == int.from_bytes(digest[:8], "big") // 2
    assert len({substream(seed, purpose) for seed in (0, 2**31 - 1) for purpose in ("latents", "order")}) == 4


@pytest.mark.parametrize("value", [3.0, np.float64(3), True, np.True_, "3", None, [3], np.array([3]), -1], ids=repr)
def test_what_is_no_count(refused, value):
    assert [count_of("n", three) for three in THREES] == [3] * 4
    assert count_of("n", 0, least=0) == 0
    assert whole(value) == (-1 if value == -1 else None)
    for least in (0, 1):
        with refused(f"got n {value!r}", f"at least {least}"):
            count_of("n", value, least)
    with refused("at least 1"):
        count_of("n", 0)
