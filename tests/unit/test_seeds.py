"""Seeds: a seed of numpy or torch equals that of Python, and every purpose has its own random numbers."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from gmlib import InputError, recipes
from gmlib.experiments.fit import fit_profile
from gmlib.seeds import require_seed, stream, substream

pytestmark = pytest.mark.usefixtures("unchecked")


def test_a_seed_of_numpy_or_torch_is_that_of_python(few_digits):
    for three in (np.int64(3), np.array(3), torch.tensor(3)):
        assert type(require_seed(three)) is int
        assert stream(three, "a").initial_seed() == stream(3, "a").initial_seed()
    recipe = replace(recipes.VAE, batch_size=16, quick_epochs=1)
    run, expected = fit_profile(recipe, "quick", np.int64(3)), fit_profile(recipe, "quick", 3)
    assert run.history == expected.history
    assert json.dumps(run.record["seed"]) == "3"


@pytest.mark.parametrize("seed", [3.5, True, "3", None, np.array([3]), -1, 2**31], ids=repr)
def test_other_seeds_are_refused(few_digits, seed):
    for call in (stream, lambda seed, _: few_digits.binarised(seed)):
        with pytest.raises(InputError, match="seed"):
            call(seed, "a")


def test_each_purpose_has_its_own_stream():
    digest = hashlib.sha256(b"latents 3").digest()  # shipped runs were trained on these numbers
    assert stream(3, "latents").initial_seed() == int.from_bytes(digest[:8], "big") // 2
    assert len({substream(seed, purpose) for seed in (0, 2**31 - 1) for purpose in ("latents", "order")}) == 4
