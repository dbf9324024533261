"""A number of numpy or torch is the Python number that it equals, or it is refused."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from gmlib import Batches, recipes, toy
from gmlib.experiments.fit import fit_profile
from gmlib.metrics import mean_elbo
from gmlib.numbers import whole
from gmlib.objectives import NON_SATURATING
from gmlib.seeds import require_seed, stream

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
    assert json.dumps(run.about["seed"]) == "3"


@pytest.mark.parametrize(
    "seed", [3.0, 3.5, np.float64(3), True, np.True_, torch.tensor(True), "3", None, [3], np.array([3])], ids=repr
)
def test_what_is_no_whole_number_is_no_seed(few_digits, refused, seed):
    assert whole(seed) is None
    vae = SHORT.build()
    for call in (
        *(partial(fit_profile, SHORT, "quick", seed), partial(few_digits.binarised, seed), partial(stream, seed, "a")),
        partial(mean_elbo, vae, few_digits, seed=seed),
        partial(Batches, few_digits, 8, binarised=True, seed=seed),
        partial(toy.play_ring, NON_SATURATING, seed=seed, frames=1, rounds=1),
    ):
        with refused(f"got seed {seed!r}", "a whole number from 0"):
            call()
