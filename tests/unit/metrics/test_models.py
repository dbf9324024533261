"""All metrics of a model: likelihoods against direct calls, and what is drawn for the distances."""

import pytest
import torch

from gmlib import mnist, pretrained
from gmlib.data import join_channels
from gmlib.metrics import count_modes, log_likelihood, log_likelihood_by_label, mean_elbo, models, shipped_scorer
from gmlib.metrics.models import draw_and_measure, measure_gan, measure_vae
from gmlib.seeds import stream

TEST, TRAIN = mnist("test"), mnist("train")


def test_the_likelihood_of_a_plain_vae():
    vae, test = pretrained("vae").model, TEST[:20]
    metrics = measure_vae(vae, test, TRAIN, samples=6, finer_samples=40, finer_images=8)
    elbo = mean_elbo(vae, test)
    assert (metrics["test_elbo"], metrics["test_log_px"], metrics["kl"]) == (elbo["elbo"], elbo["log_px"], elbo["kl"])
    nats = log_likelihood(vae, test.binarised(), samples=6).double()
    assert metrics["log_likelihood_samples"] == 6
    assert metrics["test_log_likelihood"] == pytest.approx(nats.mean().item(), abs=1e-4)
    chosen = torch.randperm(20, generator=stream(0, "finer digits"))[:8].sort().values
    gains = log_likelihood(vae, test.binarised()[chosen], samples=40).double() - nats[chosen]
    assert metrics["test_log_likelihood_40"] == pytest.approx((nats.mean() + gains.mean()).item(), abs=1e-4)
    assert metrics["test_log_likelihood_40_error"] == pytest.approx((gains.std() / 8**0.5).item(), abs=1e-4)
    metrics = measure_vae(vae, test, TRAIN, samples=6, finer_samples=40)
    nats = log_likelihood(vae, test.binarised(), samples=40).double()
    assert metrics["test_log_likelihood_40"] == pytest.approx(nats.mean().item(), abs=1e-4)
    assert "test_log_likelihood_40_error" not in metrics


def test_the_likelihood_of_a_conditional_vae():
    vae, test = pretrained("cvae").model, TEST[100:120]
    found = measure_vae(vae, test, TRAIN, samples=5)
    by_label = log_likelihood_by_label(vae, test.binarised(), 5).double()
    given_label = torch.stack([by_label[y, i] for i, y in enumerate(test.labels.tolist())])
    assert found["test_log_likelihood_given_label"] == pytest.approx(given_label.mean().item(), abs=1e-4)
    assert found["bayes_accuracy"] == pytest.approx((given_label == by_label.amax(0)).double().mean().item(), abs=1e-4)
    assert found["test_log_likelihood"] == pytest.approx(by_label.exp().mean(0).log().mean().item(), abs=1e-4)


@pytest.fixture
def measured(monkeypatch):
    """The arguments of each call of measure_samples."""
    calls = []

    def measure_samples(*arguments, classifier):
        calls.append((*arguments, classifier))
        return {"fid": 1.0}

    monkeypatch.setattr(models, "measure_samples", measure_samples)
    return calls


def test_samples_are_drawn_with_labels_as_frequent_as_in_training(measured):
    gan, scorer = pretrained("cgan").model, shipped_scorer()
    train = TRAIN[TRAIN.labels < 5]
    assert measure_gan(gan, TEST, train, scorer) == {"fid": 1.0}
    samples, reference, real, frequencies, y, real_y, classifier = measured[0]
    assert torch.equal(reference, TEST.grey())
    chosen = train[torch.randperm(len(train), generator=stream(0, "floor"))[: len(TEST)]]
    assert torch.equal(real, chosen.grey())
    assert torch.equal(real_y, chosen.labels)
    torch.testing.assert_close(frequencies, train.labels.bincount(minlength=10) / len(train))
    assert torch.equal(y, frequencies.multinomial(500, replacement=True, generator=stream(0, "labels")))
    assert torch.equal(samples, gan.sample(500, y, generator=stream(0, "samples")))
    assert classifier is scorer.classifier


def test_draws_of_a_vae_are_compared_with_binarised_images_and_means_with_grey_ones(measured):
    vae = pretrained("vae").model
    found = measure_vae(vae, TEST[:30], TRAIN, shipped_scorer(), samples=1)
    assert (found["fid"], found["mean_fid"]) == (1, 1)
    (draws, binary, others, *_), (means, grey, other_grey, _, y, real_y, _) = measured
    assert torch.equal(draws, vae.sample(30, generator=stream(0, "samples")))
    assert torch.equal(means, vae.sample(30, generator=stream(0, "samples"), mean=True))
    assert torch.equal(binary, TEST[:30].binarised())
    assert torch.equal(grey, TEST[:30].grey())
    assert set(others.unique().tolist()) == {0, 1}
    assert len(other_grey.unique()) > 2
    assert y is real_y is None


def test_without_a_scorer_only_the_likelihood_is_measured(measured):
    assert measure_gan(pretrained("gan").model, TEST, TRAIN) == {}
    assert "test_elbo" in measure_vae(pretrained("vae").model, TEST[:3], TRAIN, samples=1)
    assert measured == []


def test_modes_of_stacks_and_of_real_stacks(monkeypatch):
    monkeypatch.setattr(models, "STACKS", 40)
    gan = pretrained("stacked_dcgan").model
    found = measure_gan(gan, TEST, TRAIN, shipped_scorer(), stack=3)
    chosen = torch.randint(500, (120,), generator=stream(0, "floor"))
    expected = count_modes(gan.sample(40, generator=stream(0, "samples")))
    real = count_modes(join_channels(TEST[chosen].grey(), 3))
    assert found == {"stacks": 40, **expected, **{f"{name}_real": value for name, value in real.items()}}


def test_fewer_training_images_than_test_images_are_refused(refused, measured):
    vae, scorer = pretrained("vae").model, shipped_scorer()
    with refused("31 test images and 30 training images"):
        draw_and_measure(vae, TEST[:31], TRAIN[:30], scorer)
    assert draw_and_measure(vae, TEST[:30], TRAIN[:30], scorer) == {"fid": 1.0}
