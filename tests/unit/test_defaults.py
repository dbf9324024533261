"""torch's default dtype changes no result: what is shipped is float32, and draws are too."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Generator

from gmlib import metrics, mnist, pretrained, recipes, toy, widgets
from gmlib.experiments.fit import fit_profile
from gmlib.metrics import classifier
from gmlib.metrics.models import draw_and_measure
from gmlib.metrics.scorer import shipped_scorer
from gmlib.objectives import NON_SATURATING

TEST, TRAIN = mnist("test"), mnist("train")
SMALL = {"batch_size": 512, "quick_epochs": 1}
RESULTS = {
    "samples of a VAE": lambda: pretrained("vae").model.sample(8, generator=Generator().manual_seed(0)),
    "samples of a GAN": lambda: pretrained("gan").model.sample(8, generator=Generator().manual_seed(0)),
    "ELBO": lambda: metrics.mean_elbo(pretrained("vae").model, TEST),
    "likelihood": lambda: metrics.log_likelihood(pretrained("vae").model, TEST.binarised()[:5], samples=5),
    "accuracy": lambda: metrics.label_accuracy(TEST.grey(), TEST.labels),
    "all of samples": lambda: draw_and_measure(pretrained("cvae").model, TEST, TRAIN, shipped_scorer()),
    "initial weights": lambda: next(recipes.DCGAN.build().critic.parameters()).detach(),
    "a run of a VAE": lambda: fit_profile(replace(recipes.VAE, **SMALL), seed=1).history,
    "a run of a GAN": lambda: fit_profile(replace(recipes.GAN, **SMALL), seed=1).history,
    "a game on the ring": lambda: toy.play_ring(NON_SATURATING, frames=1, rounds=3)[-1],
    "points of the ring": lambda: toy.ring_points(20, Generator().manual_seed(0)),
    "ways": lambda: widgets.latent_interpolation(pretrained("gan"), 1, generator=Generator().manual_seed(0)).state,
    "styles": lambda: widgets.class_and_style(pretrained("cvae")).poster,
}


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Let the classifier be loaded anew, and once more afterwards."""
    classifier.shipped_classifier.cache_clear()
    yield
    torch.set_default_dtype(torch.float32)
    classifier.shipped_classifier.cache_clear()


@pytest.mark.parametrize("name", RESULTS)
def test_a_default_dtype_of_float64_changes_no_result(forgotten, name):
    expected = RESULTS[name]()
    classifier.shipped_classifier.cache_clear()
    torch.set_default_dtype(torch.float64)
    found = RESULTS[name]()
    torch.set_default_dtype(torch.float32)
    if isinstance(expected, torch.Tensor):
        assert found.dtype == torch.float32
        assert torch.equal(found, expected)
    else:
        assert found == expected


def test_measures_work_after_it_is_set_back(forgotten):
    torch.set_default_dtype(torch.float64)
    metrics.predict(TEST.grey()[:5])
    torch.set_default_dtype(torch.float32)
    assert metrics.predict(TEST.grey()[:5]).tolist() == TEST.labels[:5].tolist()


def test_a_classifier_that_is_loaded_within_inference_mode_can_be_differentiated_later(forgotten):
    with torch.inference_mode():
        metrics.predict(TEST.grey()[:5])
    x = TEST.grey()[:2].requires_grad_()
    classifier.shipped_classifier()(x).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
