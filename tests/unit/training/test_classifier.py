"""Training a classifier: its augmentation, its batches, and the labels that it needs."""

import math

import pytest
import torch
import torch.nn.functional as F

from gmlib import ImageDataset
from gmlib.data import Batches
from gmlib.metrics import validate_classifier
from gmlib.models import Classifier
from gmlib.training import fit_classifier
from gmlib.training.augmentation import distort


def test_distorted_images_are_different_images(made_up):
    x = made_up.grey()
    first, second = (distort(x, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == x.shape
    assert 0 <= float(first.min()) <= float(first.max()) <= 1
    changes = (first - x).abs().flatten(1).mean(1)
    assert (changes > 0.001).all()
    assert len(changes.unique()) == len(changes)


def test_distortions_are_at_most_15_degrees_15_percent_and_2_pixels():
    """In a sum over many draws, pixels far from the ink stay empty, and pixels near to it do not."""
    x = torch.zeros(1, 1, 28, 28)
    x[..., 12:16, 12:16] = 1
    ink = torch.cat([distort(x, torch.Generator().manual_seed(seed)) for seed in range(200)]).amax((0, 1))
    assert ink[:7].max() == ink[21:].max() == ink[:, :7].max() == ink[:, 21:].max() == 0
    assert ink[10:18, 10:18].min() > 0


def test_a_distorted_square_moves_by_the_drawn_shift_and_grows_by_the_drawn_scale():
    x = torch.zeros(1, 1, 28, 28)
    x[..., 10:18, 10:18] = 1
    pixels = torch.arange(28) - 13.5
    for seed in range(5):
        turn, stretch, *shift = (
            (2 * torch.rand(4, 1, generator=torch.Generator().manual_seed(seed)) - 1).flatten().tolist()
        )
        y = distort(x, torch.Generator().manual_seed(seed))[0, 0]
        scale, angle = 1 + 0.15 * stretch, 0.26 * turn
        moved = torch.stack([(y.sum(0) * pixels).sum(), (y.sum(1) * pixels).sum()]) / y.sum()
        turned = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) @ moved
        assert (scale * turned).tolist() == pytest.approx([-2 * each for each in shift], abs=0.1)
        assert y.sum().item() == pytest.approx(64 / scale**2, rel=0.05)


def test_half_of_each_batch_is_binarised_and_the_learning_rate_rises_and_falls(made_up):
    torch.manual_seed(0)
    network, images, rates = Classifier(), [], []
    network.register_forward_pre_hook(lambda module, inputs: images.append(inputs[0]))

    def record(state) -> None:
        rates.append(state.optimisers["classifier"].param_groups[0]["lr"])

    history = fit_classifier(network, Batches(made_up, 16, binarised=False), epochs=5, lr=0.1, on_step=record).history
    for x in images:
        binary = ((x == 0) | (x == 1)).flatten(1).all(1)
        assert binary.tolist() == [False, True] * 8
    assert rates == pytest.approx([0.025, 0.05, 0.075, *[0.1 * left / 16 for left in range(16, -1, -1)]], abs=1e-12)
    assert [list(row) for row in history.rows] == [["epoch", "loss"]] * 5


def test_the_loss_is_the_mean_cross_entropy_of_the_batches(made_up):
    network, losses = Classifier(), []
    batches = Batches(made_up, 16, binarised=False)
    labels = [y for _, y in Batches(made_up, 16, binarised=False)]
    network.register_forward_hook(
        lambda module, inputs, logits: losses.append(F.cross_entropy(logits, labels[len(losses)]).item())
    )
    history = fit_classifier(network, batches, epochs=1).history
    assert history.rows[0]["loss"] == pytest.approx(sum(losses) / 4, rel=1e-5)


def test_a_classifier_needs_labels(made_up, refused):
    unlabelled = ImageDataset(made_up.images)
    with refused("without labels"):
        fit_classifier(Classifier(), Batches(unlabelled, 16, binarised=False), epochs=1)
    with refused("without labels"):
        validate_classifier(Classifier(), unlabelled)
