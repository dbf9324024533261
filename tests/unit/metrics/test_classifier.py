"""The shipped classifier, and damaged files of it."""

import pytest

from gmlib import mnist, zoo
from gmlib.metrics import label_accuracy, shipped_classifier


def test_the_shipped_classifier_is_accurate_on_grey_and_binarised_digits():
    for split in ("validation", "test"):  # none of the embedded digits was trained on
        digits = mnist(split)
        assert label_accuracy(digits.grey(), digits.labels) >= 0.98
        assert label_accuracy(digits.binarised(), digits.labels) >= 0.98
    metrics = zoo.pretrained("classifier").metrics
    assert metrics["test_accuracy"] >= 0.994
    assert metrics["n"] == 10_000


def test_the_shipped_classifier_is_loaded_once_and_frozen():
    network = shipped_classifier()
    assert network is shipped_classifier()
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("damage", ["missing", "half", "another's"])
def test_a_classifier_that_cannot_be_read(tmp_path, monkeypatch, refused, damage):
    monkeypatch.setattr("gmlib.metrics.classifier.files", lambda package: tmp_path)
    path = tmp_path / "weights" / "classifier.safetensors"
    path.parent.mkdir()
    source = "vae" if damage == "another's" else "classifier"
    if damage != "missing":
        content = (zoo.WEIGHTS / f"{source}.safetensors").read_bytes()
        path.write_bytes(content if damage == "another's" else content[: len(content) // 2])
    with refused("cannot read"):
        shipped_classifier.__wrapped__()
