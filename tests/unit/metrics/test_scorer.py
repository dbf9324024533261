"""A scorer measures samples of its own dataset only."""

import pytest

from gmlib import ImageDataset, mnist
from gmlib.metrics import Scorer, shipped_classifier, shipped_scorer


def test_the_shipped_scorer_is_for_mnist(made_up, refused):
    scorer = shipped_scorer()
    assert scorer.classifier is shipped_classifier()
    assert scorer.fits(mnist("train"))
    assert not scorer.fits(made_up)
    scorer.require_same_dataset(mnist("train"))
    with refused("made-up"):
        scorer.require_same_dataset(made_up)


@pytest.mark.parametrize(
    ("data", "same", "fits"), [("made-up", True, True), ("letters", True, False), ("made-up", False, False)]
)
def test_a_scorer_of_another_set_needs_its_name_and_its_images(made_up, data, same, fits):
    images = made_up.images if same else made_up.images + 1
    scorer = Scorer(shipped_classifier(), data, made_up.digest)
    assert scorer.fits(ImageDataset(images, made_up.labels, name="made-up/train")) is fits
