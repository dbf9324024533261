"""Training a classifier: its augmentation, its batches, and what it refuses."""

import pytest
import torch

from gmlib import ImageDataset
from gmlib.data import Batches
from gmlib.metrics import validate_classifier
from gmlib.models import Classifier
from gmlib.training import fit_classifier
from gmlib.training.augmentation import distort


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


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_training_needs_gradients(made_up, refused, mode):
    with mode(), refused("torch.no_grad"):
        fit_classifier(Classifier(), Batches(made_up, 16, binarised=False), epochs=1)


def test_a_classifier_needs_labels(made_up, refused):
    plain = ImageDataset(made_up.images)
    with refused("without labels"):
        fit_classifier(Classifier(), Batches(plain, 16, binarised=False), epochs=1)
    with refused("without labels"):
        validate_classifier(Classifier(), plain)


def test_a_norm_that_was_frozen_stays_frozen(made_up):
    network = Classifier()
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    norms[0].eval()
    fit_classifier(network, Batches(made_up, 16, binarised=False), epochs=2)
    assert [int(norm.num_batches_tracked) for norm in norms[:2]] == [0, 8]
