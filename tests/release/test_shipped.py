"""Every metric of every shipped run comes out again: the default suite measures the ELBO and the FID alone."""

import os
from dataclasses import replace

import pytest

from gmlib import recipes, zoo
from gmlib.experiments.evaluate import evaluate_digits
from tests.unit.test_zoo import SHIPPED, agree

# likelihoods take longest, so that their runs go first
SHIPPED = sorted(SHIPPED, key=lambda name: (not hasattr(recipes.by_name(name), "likelihood_samples"), name))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_metrics_come_out_again_on_the_embedded_digits(name):
    run = zoo.pretrained(name)
    if getattr(run.recipe, "stack", 1) > 1:
        pytest.skip("26,000 stacks take a minute: they are counted where all of MNIST is")
    recipe, stored = run.recipe, {key for key in run.metrics if key.startswith("mnist5k_")}
    if getattr(recipe, "finer_digits", None):
        # a thousand passes through the pixels of each digit take a quarter of an hour: where all of MNIST is
        stored -= {f"mnist5k_test_log_likelihood_{recipe.finer_samples}{end}" for end in ("", "_error")}
        recipe = replace(recipe, finer_samples=0)
    found = evaluate_digits(recipe, run.model)
    assert set(found) == stored
    agree(found, run.metrics)


@pytest.mark.skipif("GMLIB_DATA" not in os.environ, reason="all of MNIST is not at hand: name its folder in GMLIB_DATA")
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_metrics_come_out_again_on_the_official_digits(name):
    run = zoo.pretrained(name)
    found = evaluate_digits(run.recipe, run.model, full=True)
    assert set(found) == set(run.metrics)
    agree(found, run.metrics)
