"""Critics on the line: the shipped ones are trained as in the chapter, and the page shows what the library computes."""

import pytest
import torch

from gmlib import InputError, toy
from gmlib.widgets.critics import CLIPS, EVERY, POINTS, SD, THETAS, WEIGHTS, critics_on_a_line, trained_scores
from gmlib.widgets.explorer import Explorer
from tools.train_critics import objectives, trained

KEPT = POINTS[::EVERY]


def both(theta: float, points: torch.Tensor = KEPT) -> tuple[torch.Tensor, torch.Tensor]:
    return toy.gaussian_masses(points, 0.0, SD), toy.gaussian_masses(points, theta, SD)


def mean_difference(scores: torch.Tensor, theta: float) -> float:
    p, q = both(theta)
    return float(((p - q) * scores).sum())


def mean_slope(scores: torch.Tensor, theta: float) -> float:
    """The mean slope at the samples."""
    _, q = both(theta)
    return float((scores.diff() / KEPT.diff() * (q[1:] + q[:-1]) / 2).sum())


def test_a_missing_file_names_the_script_that_writes_it(tmp_path, monkeypatch):
    monkeypatch.setattr("gmlib.widgets.critics.FILE", tmp_path / "critics.npz")
    with pytest.raises(InputError, match="train_critics"):
        critics_on_a_line()


@pytest.fixture(scope="module")
def kept() -> dict[str, torch.Tensor]:
    return {kind: scores.double() for kind, scores in trained_scores().items()}


# with a weight of 10 rounding errors grow over 300 steps, so that two kinds of processor differ; with 100 they do not
@pytest.mark.parametrize(("kind", "setting", "theta"), [("clipped", 4, 20), ("clipped", 0, 7), ("penalty", 3, 20)])
def test_shipped_critics_are_those_that_the_chapter_trains(kept, kind, setting, theta):
    scores = trained(objectives()[kind][setting], THETAS[theta])
    assert (scores - kept[kind][setting, theta]).abs().max() < 1e-3 * scores.abs().max()


def test_every_setting_and_every_place_has_its_curve(kept):
    assert kept["clipped"].shape == (len(CLIPS), len(THETAS), len(KEPT))
    assert kept["penalty"].shape == (len(WEIGHTS), len(THETAS), len(KEPT))
    for scores in kept.values():
        for i, theta in enumerate(THETAS):
            p, q = both(theta)
            assert ((p + q) / 2 * scores[:, i]).sum(-1).abs().max() < 2e-3 * scores[:, i].abs().max()


def test_a_bound_twice_as_large_makes_three_layers_eight_times_as_steep(kept):
    for small, large in ((0.02, 0.04), (0.04, 0.08)):
        one, other = (kept["clipped"][CLIPS.index(clip), THETAS.index(1.0)] for clip in (small, large))
        assert mean_slope(other, 1.0) / mean_slope(one, 1.0) == pytest.approx(8, rel=0.35)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_the_slope_that_a_penalty_reaches(kept, weight):
    """A slope s separates the mean scores by s θ and costs λ (s - 1)²: the optimum is 1 + θ / 2λ."""
    for theta in (0.5, 1.0):
        scores = kept["penalty"][WEIGHTS.index(weight), THETAS.index(theta)]
        assert mean_difference(scores, theta) / theta == pytest.approx(1 + theta / (2 * weight), rel=0.1)


def test_with_equal_distributions_the_penalty_keeps_a_slope_of_one(kept):
    for scores in kept["penalty"][:, 0]:
        assert abs(mean_slope(scores, 0.0)) == pytest.approx(1, abs=0.1)


# in a browser


def test_the_page_has_the_shipped_curves(evaluate, kept):
    for kind, packed in critics_on_a_line().state["curves"].items():
        found = evaluate(
            "packing.js", "decoder.js", expression="(packed) => Array.from(layer(packed).weights)", argument=packed
        )
        found = torch.tensor(found, dtype=torch.float64).view_as(kept[kind])
        assert ((found - kept[kind]).abs() <= kept[kind].abs().amax(-1, keepdim=True) / 32767).all()


def chosen(theta: float, clip: float, weight: float) -> Explorer:
    made = critics_on_a_line()
    made.chosen = {"theta": theta, "clip": clip, "weight": weight}
    return made


@pytest.mark.parametrize(("theta", "clip", "weight"), [(1.0, 0.05, 10.0), (0.3, 0.08, 0.1), (0.0, 0.01, 100.0)])
def test_the_table_shows_what_the_library_computes(opened, kept, theta, clip, weight):
    page = opened(chosen(theta, clip, weight), wait="td:not(:empty)")
    place = THETAS.index(theta)
    critics = [
        toy.optimal_critic(*both(theta), KEPT),
        kept["clipped"][CLIPS.index(clip), place],
        kept["penalty"][WEIGHTS.index(weight), place],
    ]
    for row, scores in zip(page.locator("tbody tr").all(), critics, strict=True):
        numbers = [float(text.replace("−", "-")) for text in row.locator("td").all_inner_texts()]
        assert numbers == pytest.approx([mean_difference(scores, theta), mean_slope(scores, theta)], abs=0.0011)


def test_a_choice_from_a_kernel_finds_the_nearest_stop(opened):
    page = opened(chosen(0.52, 0.5, 7.0), wait="td:not(:empty)")
    assert page.locator(".gm-value").all_inner_texts() == ["0.50", "0.10", "10"]


def test_samples_are_dragged_and_the_table_follows(opened):
    page = opened(critics_on_a_line(), wait="td:not(:empty)")
    box = page.locator("canvas").first.bounding_box()
    for x, theta in ((0.5, "0.50"), (-0.8, "0.00")):  # images stay at 0, and samples to the right of them
        page.mouse.move(box["x"] + box["width"] * (x + 1) / 3, box["y"] + 50)
        page.mouse.down()
        page.mouse.up()
        page.wait_for_function(f"document.querySelector('.gm-value').textContent === '{theta}'")
        assert page.locator("td").first.inner_text() == f"{theta}0"
