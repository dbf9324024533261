"""Posters show the explorers' own quantities at their initial values."""

from math import log

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gmlib.widgets import critics, distributions, pixels, plane


def test_the_poster_of_two_distributions():
    left, right = distributions._poster().axes
    p, q, discriminator = left.lines
    assert (max(p.get_ydata()), max(q.get_ydata())) == (1, 1)
    assert p.get_xdata()[np.argmax(p.get_ydata())] == pytest.approx(0, abs=1e-9)
    assert q.get_xdata()[np.argmax(q.get_ydata())] == pytest.approx(1)
    assert (min(p.get_xdata()), max(p.get_xdata())) == pytest.approx((-1, 2))
    assert np.interp(0.5, discriminator.get_xdata(), discriminator.get_ydata()) == pytest.approx(0.5)
    js, w1, limit = right.lines
    assert js.get_ydata()[40] == pytest.approx(0, abs=1e-9)
    assert js.get_ydata()[0] == pytest.approx(log(2), abs=1e-3)
    np.testing.assert_allclose(w1.get_ydata(), np.abs(w1.get_xdata()), atol=1e-6)
    np.testing.assert_allclose(limit.get_ydata(), log(2), rtol=1e-6)


def test_the_poster_of_critics_shows_scores_and_their_slopes():
    scores, slopes = critics._poster().axes
    for score, slope in zip(scores.lines, slopes.lines, strict=True):
        x, f = score.get_xdata(), score.get_ydata()
        np.testing.assert_allclose(slope.get_xdata(), (x[1:] + x[:-1]) / 2)
        np.testing.assert_allclose(slope.get_ydata(), np.diff(f) / np.diff(x), atol=1e-4)
    optimal, clipped, penalty = (line.get_ydata()[len(line.get_ydata()) // 2] for line in slopes.lines)
    assert optimal == pytest.approx(-1)
    assert penalty == pytest.approx(-1, abs=0.1)
    assert -0.9 < clipped < 0


def test_the_poster_of_pixels_is_grey_where_no_pixel_is_sampled_yet():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 1, 28, 28, generator=generator).round()
    logits = torch.randn(1, 1, 28, 28, generator=generator)
    figure = pixels._poster(x, logits)
    nats = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    for ax, expected in zip(figure.axes, (x, logits.sigmoid(), (nats / 3).clamp(max=1)), strict=True):
        found = ax.images[0].get_array().ravel()
        np.testing.assert_allclose(found[:351], expected.flatten()[:351], atol=1e-6)
        np.testing.assert_array_equal(found[351:], np.full(433, 0.25))


def test_the_poster_of_the_plane_marks_the_initial_point():
    mu, labels = torch.tensor([[1.0, 2.0], [-1.0, 0.5]]), torch.tensor([3, 4])
    left, right = plane._poster(mu, labels, torch.eye(28).expand(1, 1, 28, 28)).axes
    np.testing.assert_array_equal(left.collections[0].get_offsets(), mu)
    horizontal, vertical, point = left.lines
    assert (horizontal.get_ydata()[0], vertical.get_xdata()[0]) == (-1.5, -0.5)
    assert point.get_xydata().tolist() == [[-0.5, -1.5]]
    np.testing.assert_array_equal(right.images[0].get_array(), np.eye(28))
