"""The shipped classifier, and damaged files of it."""

import pytest

from gmlib import mnist, zoo
from gmlib.metrics import label_accuracy, shipped_classifier


def test_the_shipped_classifier_is_accurate_on_grey_and_binarised_digits():
    for split in ("validation", "test"):  # none of the embedded digits was trained on
        digits = mnist(split)
        assert label_accuracy(digits.grey(), digits.labels) >= 0.98
        assert label_accuracy(digits.binarised(), digits.labels) >= 0.98


def test_the_shipped_classifier_is_loaded_once_and_frozen():
    network = shipped_classifier()
    assert network is shipped_classifier()
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    "content", [None, b"half", (zoo.WEIGHTS / "vae.safetensors").read_bytes()], ids=["missing", "half", "vae"]
)
def test_a_classifier_that_cannot_be_read_is_refused(tmp_path, monkeypatch, refused, content):
    """A file that is missing, that is damaged, or that holds another network."""
    monkeypatch.setattr("gmlib.metrics.classifier.files", lambda package: tmp_path)
    (tmp_path / "weights").mkdir()
    if content is not None:
        (tmp_path / "weights" / "classifier.safetensors").write_bytes(content)
    with refused("cannot read"):
        shipped_classifier.__wrapped__()
