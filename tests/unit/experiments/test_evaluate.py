"""The metrics of a model: which images and samples are compared, and the names of the metrics."""

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


@pytest.fixture
def compared(monkeypatch):
    """The arguments of each call of `measure_samples`, which is replaced."""
    calls = []

    def measure_samples(samples, reference, real, frequencies, labels=None, real_labels=None, *, classifier):
        calls.append((samples, reference, real, frequencies, labels, real_labels))
        return {"fid": 1.0, "fid_real": 0.5}

    monkeypatch.setattr("gmlib.metrics.models.measure_samples", measure_samples)
    return calls


def load_from(monkeypatch, datasets: dict[str, ImageDataset]) -> list[str]:
    """Let `load` return these datasets, and return the list of the names that it is asked for."""
    asked = []

    def load(source, split, root=None):
        dataset = datasets.get(f"{source}/{split}", datasets.get(split))
        asked.append(f"{source}/{split}")
        return ImageDataset(dataset.images, dataset.labels, dataset.classes, asked[-1])

    monkeypatch.setattr("gmlib.experiments.evaluate.load", load)
    return asked


@pytest.mark.parametrize("classes", [0, 10])
def test_draws_of_a_vae_are_compared_with_binarised_digits_and_means_with_grey_ones(
    monkeypatch, made_up, compared, classes
):
    asked = load_from(monkeypatch, {"train": made_up, "mnist/test": made_up, "mnist5k/test": made_up[:32]})
    monkeypatch.setattr("gmlib.metrics.models.IWAE_SAMPLES", 3)
    recipe = replace(SHORT, conditional=classes > 0, finer_samples=7)
    model = recipe.build()
    metrics = evaluate_digits(recipe, model, full=True)
    names = ["test_elbo", "test_log_px", "kl", "n", "test_log_likelihood", "log_likelihood_samples"]
    names += ["fid", "fid_real", "mean_fid", "mean_fid_real", "test_log_likelihood_7"]
    names += ["test_log_likelihood_given_label", "bayes_accuracy"] if classes else []
    assert sorted(metrics) == sorted(names + [f"mnist5k_{name}" for name in names])
    assert asked == ["mnist/test", "mnist/train", "mnist5k/test", "mnist5k/train"]
    assert (metrics["n"], metrics["mnist5k_n"]) == (64, 32)
    for prefix in ("", "mnist5k_"):
        elbo = metrics[f"{prefix}test_log_px"] - metrics[f"{prefix}kl"]
        assert metrics[f"{prefix}test_elbo"] == pytest.approx(elbo, abs=2e-4)
    expected = [(made_up, True), (made_up, False), (made_up[:32], True), (made_up[:32], False)]
    for (samples, reference, real, frequencies, labels, real_labels), (test, binary) in zip(
        compared, expected, strict=True
    ):
        assert torch.equal(reference, test.binarised() if binary else test.grey())
        assert frequencies.sum() == pytest.approx(1)
        assert len(samples) == len(real) == len(test)
        assert all(bool(((x == 0) | (x == 1)).all()) is binary for x in (samples, real))
        assert (labels is None) == (real_labels is None) == (classes == 0)
    assert sorted(evaluate_digits(recipe, model)) == sorted(f"mnist5k_{name}" for name in names)


@pytest.mark.parametrize("classes", [0, 10])
def test_samples_of_a_gan_are_compared_with_grey_digits(monkeypatch, made_up, compared, classes):
    """One sample per test digit, with labels as frequent as in training; the generator ships without its critic."""
    train = made_up[made_up.labels < 5]  # 34 images
    tests = {"mnist/test": made_up[:30], "mnist5k/test": made_up[30:50]}
    load_from(monkeypatch, {"train": train, **tests})
    recipe = replace(GAN, conditional=classes > 0)
    generator = recipe.build().generator.eval()
    metrics = evaluate_digits(recipe, models.GAN(generator), full=True)
    assert (metrics["n"], metrics["mnist5k_n"]) == (30, 20)
    assert sorted(metrics) == sorted(
        f"{prefix}{name}" for prefix in ("", "mnist5k_") for name in ("n", "fid", "fid_real")
    )
    for (samples, reference, real, frequencies, labels, real_labels), test in zip(
        compared, tests.values(), strict=True
    ):
        assert torch.equal(frequencies, train.labels.bincount(minlength=10) / 34)
        assert torch.equal(reference, test.grey())
        assert len(real) == len(test)
        assert all((train.grey() == image).flatten(1).all(1).any() for image in real)
        assert (labels is None) == (real_labels is None) == (classes == 0)
        if classes:
            assert labels.max() < 5  # labels of the training set only
            assert torch.equal(real[:, 0, :, 6:22].mean(2).gt(0.5).float().argmax(1), 2 * real_labels)
        z = torch.randn(len(test), 3, generator=stream(0, "samples"))
        assert torch.equal(samples, generator(z, labels))


def test_the_likelihood_of_a_conditional_model_sums_over_labels(monkeypatch):
    monkeypatch.setattr("gmlib.metrics.models.IWAE_SAMPLES", 20)
    test = mnist("test")[:60]
    instead(monkeypatch, test)
    monkeypatch.setattr("gmlib.metrics.models.measure_samples", lambda *_, **__: {})
    run = zoo.pretrained("cvae")
    metrics = evaluate_digits(recipes.CVAE, run.model)
    given_label = log_likelihood(run.model, test.binarised(), test.labels, samples=20).mean().item()
    assert metrics["mnist5k_test_log_likelihood_given_label"] == pytest.approx(given_label, abs=1)  # other draws
    difference = metrics["mnist5k_test_log_likelihood_given_label"] - metrics["mnist5k_test_log_likelihood"]
    assert 0 < difference <= math.log(10)
    assert metrics["mnist5k_bayes_accuracy"] > 0.8


def test_a_second_estimate_uses_the_draws_and_the_images_of_the_recipe(monkeypatch):
    """An estimate on a few digits is corrected by their estimate with fewer draws, and has a standard error."""
    test, sizes = mnist("test")[:50], {}
    instead(monkeypatch, test)
    monkeypatch.setattr("gmlib.metrics.models.measure_samples", lambda *_, **__: {})

    def estimate(vae, images, samples, watch):
        sizes[samples] = len(images)
        # far apart from digit to digit, and one of eleven gains 22 more than the others
        return images.flatten(1).sum(1) + samples + 22 * (torch.arange(len(images)) == 0) * (len(images) == 11)

    monkeypatch.setattr("gmlib.metrics.models.log_likelihood", estimate)
    metrics = evaluate_digits(replace(SHORT, likelihood_samples=3, finer_samples=7, finer_digits=11), SHORT.build())
    assert sizes == {3: 50, 7: 11}
    assert metrics["mnist5k_log_likelihood_samples"] == 3
    ink = test.binarised().sum().item() / 50
    assert metrics["mnist5k_test_log_likelihood"] == pytest.approx(ink + 3)
    assert metrics["mnist5k_test_log_likelihood_7"] == pytest.approx(ink + 7 + 2)
    assert metrics["mnist5k_test_log_likelihood_7_error"] == pytest.approx(2)  # of ten gains of 4 and one of 26
    of_all = evaluate_digits(replace(SHORT, likelihood_samples=3, finer_samples=7), SHORT.build())
    assert "mnist5k_test_log_likelihood_7_error" not in of_all
    assert of_all["mnist5k_test_log_likelihood_7"] == pytest.approx(ink + 7)
