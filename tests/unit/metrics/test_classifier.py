"""The digit classifier, and all sample metrics taken together in its features."""

import pytest
import torch

from gmlib import ImageDataset, mnist, zoo
from gmlib.data import Batches
from gmlib.metrics import (
    coverage,
    extract,
    fid,
    label_accuracy,
    measure_samples,
    shipped_classifier,
)
from gmlib.metrics.validation import validate_classifier
from gmlib.models import Classifier
from gmlib.training import fit_classifier
from gmlib.training.augmentation import distort

FREQUENCIES = torch.full((10,), 0.1)


def real(split: str) -> torch.Tensor:
    return mnist(split).grey()[:500]


def test_the_shipped_classifier_reads_digits_grey_and_binarised():
    for split in ("validation", "test"):  # none of the embedded digits was trained on
        digits = mnist(split)
        assert label_accuracy(digits.grey(), digits.labels) >= 0.98
        assert label_accuracy(digits.binarised(), digits.labels) >= 0.98
    assert not shipped_classifier().training
    assert shipped_classifier() is shipped_classifier()


@pytest.mark.parametrize("damage", ["missing", "half", "another's"])
def test_a_classifier_that_cannot_be_read(tmp_path, monkeypatch, refused, damage):
    monkeypatch.setattr("gmlib.metrics.classifier.files", lambda package: tmp_path)
    path = tmp_path / "weights" / "classifier.safetensors"
    path.parent.mkdir()
    source = "vae" if damage == "another's" else "classifier"
    if damage != "missing":
        content = (zoo.WEIGHTS / f"{source}.safetensors").read_bytes()
        path.write_bytes(content if damage == "another's" else content[: len(content) // 2])
    command = "gmlib train classifier --profile full --out runs/full/classifier"
    with refused(f"cannot read {path}", "install gmlib again", command):
        shipped_classifier.__wrapped__()


def test_the_shipped_classifier_is_as_good_as_it_has_to_be():
    metrics = zoo.pretrained("classifier").metrics
    assert metrics["test_accuracy"] >= 0.994
    assert metrics["n"] == 10_000


def test_features_lead_to_the_logits():
    network = Classifier().eval()
    x = real("test")[:20]
    features = extract(x, network.features)
    assert features.shape == (20, 128)
    torch.testing.assert_close(network.head(features), network(x))


def test_images_outside_the_range_or_of_another_size(unchecked, refused):
    with refused("values from -1 to 1", "expected [0, 1]"):
        fid(real("test") * 2 - 1, real("train"))
    with refused("got images of shape (500, 1, 14, 14)"):
        coverage(real("test")[:, :, ::2, ::2], real("train"))


def test_distorted_images_are_still_images(made_up):
    x = made_up.grey()
    first, again = (distort(x, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, again)
    assert first.shape == x.shape
    assert 0 <= float(first.min()) <= float(first.max()) <= 1
    moved = (first - x).abs().flatten(1).mean(1)
    assert (moved > 0.001).all()  # each one, each otherwise
    assert len(moved.unique()) == len(moved)
    # by no more than two pixels, fifteen degrees and 15 %: what is far from the ink stays empty
    far = torch.zeros(1, 1, 28, 28)
    far[..., 12:16, 12:16] = 1
    seen = torch.cat([distort(far, torch.Generator().manual_seed(seed)) for seed in range(200)]).amax((0, 1))
    assert seen[:7].max() == seen[21:].max() == seen[:, :7].max() == seen[:, 21:].max() == 0
    assert seen[10:18, 10:18].min() > 0


def test_half_of_each_batch_is_binarised(made_up):
    torch.manual_seed(0)
    network, seen = Classifier(), []
    network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    history = fit_classifier(network, Batches(made_up, 16, binarised=False), epochs=1).history
    assert list(history.rows[0]) == ["epoch", "loss"]
    for x in seen:
        binary = ((x == 0) | (x == 1)).flatten(1).all(1)
        assert binary.tolist() == [False, True] * 8


@pytest.fixture(scope="module")
def digits_against_digits() -> dict[str, float]:
    return measure_samples(real("test"), real("validation"), real("train"), FREQUENCIES)


def test_real_digits_are_as_good_as_real_digits(digits_against_digits):
    found = digits_against_digits
    names = ("fid", "kid", "precision", "recall", "density", "coverage", "digits", "histogram_kl")
    assert sorted(found) == sorted([*names, *(f"{name}_real" for name in names)])
    assert found["fid"] == pytest.approx(found["fid_real"], rel=0.35)
    for name in ("precision", "recall", "coverage"):
        assert found[name] > 0.8
        assert found[name] == pytest.approx(found[f"{name}_real"], abs=0.06)
    assert found["digits"] == 10
    assert found["histogram_kl"] < 0.01


def test_one_digit_repeated_covers_nothing(digits_against_digits):
    one = real("test")[:1].expand(500, 1, 28, 28)
    found = measure_samples(one, real("validation"), real("train"), FREQUENCIES)
    assert found["coverage"] < 0.03
    assert found["recall"] < 0.03
    assert found["digits"] == 1
    assert found["histogram_kl"] == pytest.approx(2.3026, abs=1e-3)  # ln 10
    assert found["fid"] > 20 * found["fid_real"]
    floors = {name: value for name, value in digits_against_digits.items() if name.endswith("_real")}
    assert floors.items() <= found.items()  # the floor knows nothing of the samples


def test_noise_is_no_digit():
    noise = torch.rand(500, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    found = measure_samples(noise, real("validation"), real("train"), FREQUENCIES)
    assert found["precision"] < 0.03
    assert found["coverage"] < 0.03
    assert found["fid"] > 20 * found["fid_real"]


def test_labels_that_were_asked_for():
    test, train = mnist("test"), mnist("train")[:500]
    found = measure_samples(
        test.grey(), real("validation"), train.grey(), FREQUENCIES, labels=test.labels, floor_labels=train.labels
    )
    assert found["label_accuracy"] == label_accuracy(test.grey(), test.labels) > 0.98
    assert found["label_accuracy_real"] == label_accuracy(train.grey(), train.labels)
    wrong = measure_samples(
        test.grey(),
        real("validation"),
        train.grey(),
        FREQUENCIES,
        labels=(test.labels + 1) % 10,
        floor_labels=train.labels,
    )
    assert wrong["label_accuracy"] < 0.02


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_training_needs_gradients(made_up, refused, mode):
    with mode(), refused("torch.no_grad", "outside"):
        fit_classifier(Classifier(), Batches(made_up, 16, binarised=False), epochs=1)


def test_a_classifier_needs_labels(made_up, refused):
    plain = ImageDataset(made_up.images)
    with refused("without labels", "one label per image"):
        fit_classifier(Classifier(), Batches(plain, 16, binarised=False), epochs=1)
    with refused("own images without labels"):
        validate_classifier(Classifier(), plain)


def test_a_norm_that_was_frozen_stays_frozen(made_up):
    network = Classifier()
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    norms[0].eval()
    fit_classifier(network, Batches(made_up, 16, binarised=False), epochs=2)
    assert [int(norm.num_batches_tracked) for norm in norms[:2]] == [0, 8]
