"""Measuring a model: which images and samples are compared, and under which names the metrics stand."""

import math
from dataclasses import replace

import pytest
import torch

from gmlib import ImageDataset, mnist, models, recipes, zoo
from gmlib.experiments.evaluate import evaluate_digits
from gmlib.experiments.recipe import GANRecipe
from gmlib.metrics import log_likelihood
from gmlib.seeds import stream
from tests.conftest import instead

SHORT = replace(recipes.VAE, batch_size=16, quick_epochs=4)
GAN = GANRecipe(name="gan", latent_dim=3, dropout=0.3, lr=1e-3, batch_size=16, epochs=4, quick_epochs=3)


def named(dataset, name: str) -> ImageDataset:
    return ImageDataset(dataset.images, dataset.labels, dataset.classes, name)


@pytest.mark.parametrize("classes", [0, 10])
def test_measure_names_the_metrics_after_their_data(monkeypatch, made_up, classes):
    """Draws are compared with binarised test digits, means with grey ones, the same number of each."""
    asked, measured = [], []

    def note(source, split, root=None):
        asked.append((split, source))
        return named(made_up if source == "mnist" else made_up[:32], f"{source}/{split}")

    def measure_samples(samples, reference, floor, frequencies, labels=None, floor_labels=None, *, classifier):
        measured.append((samples, reference, floor, labels, floor_labels))
        assert frequencies.sum() == pytest.approx(1)
        return {"fid": 1.0, "fid_real": 0.5}

    monkeypatch.setattr("gmlib.experiments.evaluate.load", note)
    monkeypatch.setattr("gmlib.metrics.models.measure_samples", measure_samples)
    monkeypatch.setattr("gmlib.metrics.models.IWAE_SAMPLES", 3)
    recipe = replace(SHORT, conditional=classes > 0, finer_samples=7)
    model = recipe.build()
    metrics = evaluate_digits(recipe, model, full=True)
    names = ["test_elbo", "test_log_px", "kl", "n", "test_log_likelihood", "log_likelihood_samples"]
    names += ["fid", "fid_real", "mean_fid", "mean_fid_real", "test_log_likelihood_7"]
    names += ["test_log_likelihood_given_label", "bayes_accuracy"] if classes else []
    assert sorted(metrics) == sorted(names + [f"mnist5k_{name}" for name in names])
    assert set(asked) == {(split, source) for split in ("test", "train") for source in ("mnist", "mnist5k")}
    assert (metrics["n"], metrics["mnist5k_n"]) == (64, 32)
    for prefix in ("", "mnist5k_"):
        elbo = metrics[f"{prefix}test_log_px"] - metrics[f"{prefix}kl"]
        assert metrics[f"{prefix}test_elbo"] == pytest.approx(elbo, abs=2e-4)
    for (samples, reference, floor, labels, floor_labels), (test, binary) in zip(
        measured, [(made_up, True), (made_up, False), (made_up[:32], True), (made_up[:32], False)], strict=True
    ):
        assert torch.equal(reference, test.binarised() if binary else test.grey())
        assert len(samples) == len(floor) == len(test)
        assert all(bool(((x == 0) | (x == 1)).all()) is binary for x in (samples, floor))
        assert (labels is None) == (floor_labels is None) == (classes == 0)
    assert sorted(evaluate_digits(recipe, model)) == sorted(f"mnist5k_{name}" for name in names)


def test_the_likelihood_of_a_conditional_model_is_that_of_its_labels(monkeypatch):
    monkeypatch.setattr("gmlib.metrics.models.IWAE_SAMPLES", 20)
    test = mnist("test")[:60]
    instead(monkeypatch, test)
    monkeypatch.setattr("gmlib.metrics.models.measure_samples", lambda *_, **__: {})
    run = zoo.pretrained("cvae")
    found = evaluate_digits(recipes.CVAE, run.model)
    given = log_likelihood(run.model, test.binarised(), test.labels, samples=20).mean().item()
    assert found["mnist5k_test_log_likelihood_given_label"] == pytest.approx(given, abs=1)  # other draws
    worth = found["mnist5k_test_log_likelihood_given_label"] - found["mnist5k_test_log_likelihood"]
    assert 0 < worth <= math.log(10)
    assert found["mnist5k_bayes_accuracy"] > 0.8


def test_a_finer_estimate_takes_the_draws_that_the_recipe_asks_for(few_digits, monkeypatch):
    asked = []

    def note(vae, images, samples, watch):
        asked.append(samples)
        return torch.full((len(images),), float(-samples))

    monkeypatch.setattr("gmlib.metrics.models.log_likelihood", note)
    found = evaluate_digits(replace(SHORT, finer_samples=7), SHORT.build())
    assert asked == [5, 7]
    assert (found["mnist5k_test_log_likelihood"], found["mnist5k_test_log_likelihood_7"]) == (-5, -7)


def test_a_few_digits_tell_what_more_draws_gain(monkeypatch):
    """All digits by few draws, and what some of them gain by more, with its standard error."""
    test, sizes = mnist("test")[:50], {}
    instead(monkeypatch, test)
    monkeypatch.setattr("gmlib.metrics.models.measure_samples", lambda *_, **__: {})

    def estimate(vae, images, samples, watch):
        sizes[samples] = len(images)
        # far apart from digit to digit, and one of eleven gains 22 more than the others
        return images.flatten(1).sum(1) + samples + 22 * (torch.arange(len(images)) == 0) * (len(images) == 11)

    monkeypatch.setattr("gmlib.metrics.models.log_likelihood", estimate)
    found = evaluate_digits(replace(SHORT, likelihood_samples=3, finer_samples=7, finer_digits=11), SHORT.build())
    assert sizes == {3: 50, 7: 11}
    assert found["mnist5k_log_likelihood_samples"] == 3
    ink = test.binarised().sum().item() / 50
    assert found["mnist5k_test_log_likelihood"] == pytest.approx(ink + 3)
    assert found["mnist5k_test_log_likelihood_7"] == pytest.approx(ink + 7 + 2)
    assert found["mnist5k_test_log_likelihood_7_error"] == pytest.approx(2)  # of ten gains of 4 and one of 26
    exact = evaluate_digits(replace(SHORT, likelihood_samples=3, finer_samples=7), SHORT.build())
    assert "mnist5k_test_log_likelihood_7_error" not in exact  # of all digits


@pytest.mark.parametrize("classes", [0, 10])
def test_samples_of_a_gan_are_measured_grey_against_grey(monkeypatch, made_up, classes):
    """One sample per test digit, with labels as frequent as in training; the generator ships without its critic."""
    measured, train = [], made_up[made_up.labels < 5]  # 34 images
    tests = {"mnist": made_up[:30], "mnist5k": made_up[30:50]}

    def measure_samples(samples, reference, floor, frequencies, labels=None, floor_labels=None, *, classifier):
        measured.append((samples, reference, floor, labels, floor_labels))
        assert torch.equal(frequencies, train.labels.bincount(minlength=10) / 34)
        return {"fid": 1.0}

    def load(source, split, root=None):
        return named(train if split == "train" else tests[source], f"{source}/{split}")

    monkeypatch.setattr("gmlib.experiments.evaluate.load", load)
    monkeypatch.setattr("gmlib.metrics.models.measure_samples", measure_samples)
    recipe = replace(GAN, conditional=classes > 0)
    generator = recipe.build().generator.eval()
    found = evaluate_digits(recipe, models.GAN(generator), full=True)
    assert found == {"n": 30, "fid": 1.0, "mnist5k_n": 20, "mnist5k_fid": 1.0}
    assert evaluate_digits(recipe, models.GAN(generator)) == {"mnist5k_n": 20, "mnist5k_fid": 1.0}
    for (samples, reference, floor, labels, floor_labels), test in zip(measured[:2], tests.values(), strict=True):
        n = len(test)
        assert torch.equal(reference, test.grey())
        assert len(floor) == n
        assert all((train.grey() == image).flatten(1).all(1).any() for image in floor)
        assert (labels is None) == (floor_labels is None) == (classes == 0)
        if classes:
            assert labels.max() < 5  # labels of the training set only
            assert floor_labels.shape == (n,)
            assert torch.equal(floor[:, 0, :, 6:22].mean(2).gt(0.5).float().argmax(1), 2 * floor_labels)
        z = torch.randn(n, 3, generator=stream(0, "samples"))
        assert torch.equal(samples, generator(z, labels))
