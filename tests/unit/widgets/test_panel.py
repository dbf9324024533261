"""A panel trains what `fit_profile` trains, stops when Stop is pressed, and without a kernel shows a figure."""

import base64
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from IPython.core.formatters import DisplayFormatter

from gmlib import InputError, recipes
from gmlib.experiments.fit import fit_profile
from gmlib.experiments.run import Run, networks_of
from gmlib.objectives import ELBO, MINIMAX, NON_SATURATING
from gmlib.widgets import TrainingPanel
from gmlib.widgets import panel as module

VAE = replace(recipes.VAE, hidden=8, batch_size=32, quick_epochs=2)
GAN = replace(recipes.GAN, batch_size=32, quick_epochs=2)
BOUNDS = {f"beta {beta:g}": ELBO(beta=beta) for beta in (0.0, 1.0, 10.0)}
CHANGE = {"lr": (1e-3, 1e-2, 1e6), "objective": BOUNDS}
LOSSES = {"-log D": NON_SATURATING, "log(1 - D)": MINIMAX}


@pytest.fixture
def always(monkeypatch):
    """A picture after each step."""
    monkeypatch.setattr(module, "PAUSE", 0.0)
    monkeypatch.setattr(module, "SHARE", 0.0)


@pytest.fixture
def panel(few_digits):
    return TrainingPanel(
        VAE,
        CHANGE,
        shown={"beta 1": fit_profile(VAE), "beta 10": fit_profile(replace(VAE, objective=ELBO(beta=10.0)))},
        device="cpu",
    )


def trained(made: TrainingPanel) -> str:
    """Press Train, wait for the end, and return the status."""
    made.train.click()
    made.thread.join(timeout=60)
    assert not made.thread.is_alive()
    return status(made)


def status(made: TrainingPanel) -> str:
    return re.sub("<[^>]*>", "", made.children[2].value).strip()


def picture(made: TrainingPanel) -> str:
    return made.children[3].value


def check_equal(found: Run, expected: Run) -> None:
    assert found.history == expected.history
    for name, network in networks_of(expected.model).items():
        for key, value in network.state_dict().items():
            assert torch.equal(networks_of(found.model)[name].state_dict()[key], value), key


def test_nothing_is_trained_before_train_is_pressed(panel):
    assert panel.run is panel.thread is None
    assert (panel.train.disabled, panel.stop.disabled) == (False, True)
    shown = {name: control.value for name, control in panel.controls.items()}
    assert shown == {"lr": 0.01, "objective": ELBO(), "epochs": 2}
    assert (panel.controls["epochs"].min, panel.controls["epochs"].max) == (1, 20)


@pytest.mark.parametrize(
    ("recipe", "change", "chosen"),
    [
        (VAE, CHANGE, {}),
        (VAE, CHANGE, {"lr": 1e-3, "objective": ELBO(beta=10.0)}),
        (GAN, {"lr": (2e-4, 2e-3), "objective": LOSSES}, {"objective": MINIMAX}),  # its dropout draws too
    ],
)
def test_a_training_that_is_not_stopped_equals_fit_profile(few_digits, always, recipe, change, chosen):
    made = TrainingPanel(recipe, change, shown={"before": fit_profile(recipe)}, seed=3, device="cpu")
    for name, value in chosen.items():
        made.controls[name].value = value
    made.children[2].observe(lambda _: setattr(made.controls["lr"], "value", recipe.lr), "value")  # too late to matter
    before = torch.get_rng_state()
    assert trained(made).startswith("Done after 2 of 2 epochs.")
    assert torch.equal(torch.get_rng_state(), before)
    check_equal(made.run, fit_profile(replace(recipe, **chosen), seed=3))
    assert made.run.recipe.settings() == replace(recipe, epochs=2, **chosen).settings()


def test_random_numbers_of_another_cell_and_of_the_training_are_independent(few_digits, always):
    expected = fit_profile(GAN, seed=3)
    made = TrainingPanel(GAN, {"lr": (2e-4, 2e-3)}, shown={"before": expected}, seed=3, device="cpu")

    def cell() -> torch.Tensor:
        torch.manual_seed(1)
        return torch.cat([torch.rand(3), torch.randn(50)])

    alone, differ = cell(), 0
    made.train.click()
    while made.thread.is_alive():
        differ += not torch.equal(cell(), alone)
    assert differ == 0
    check_equal(made.run, expected)


def test_stop_ends_the_training_and_keeps_the_run(panel, always):
    pictures = set()

    def press(change: dict) -> None:
        assert "<progress" not in change["old"] or change["new"] != change["old"]
        pictures.add(picture(panel))
        if "epoch 2 of 2" in change["new"]:
            assert (panel.train.disabled, panel.stop.disabled) == (True, False)
            panel.stop.click()

    panel.children[2].observe(press, "value")
    said = trained(panel)
    assert said.startswith("Stopped after 1 of 2 epochs.")
    assert f"validation_elbo {panel.run.history.rows[-1]['validation_elbo']:.1f}" in said
    assert len(pictures) >= 3  # they change along the way
    assert panel.run.history.rows == fit_profile(VAE).history.rows[:1]
    assert panel.run.model.sample(3).shape == (3, 1, 28, 28)
    assert (panel.train.disabled, panel.stop.disabled) == (False, True)
    panel.children[2].unobserve_all()
    assert trained(panel).startswith("Done after 2 of 2 epochs.")


def test_the_next_training_starts_afresh_and_is_drawn_beside_the_last(panel):
    trained(panel)
    assert 'alt="Samples and curves of runs. beta 1: 16' in picture(panel)  # of those that are shown, the recipe's own
    first = panel.run
    panel.controls["objective"].value = BOUNDS["beta 10"]
    panel.controls["epochs"].value = 3
    assert trained(panel).startswith("Done after 3 of 3 epochs.")
    assert panel.run is not first
    assert "before: lr 0.01, objective beta 1: 16 samples after 2 epochs" in picture(panel)
    assert "now: lr 0.01, objective beta 10: 16 samples after 3 epochs" in picture(panel)


def test_an_error_is_displayed_and_the_panel_still_works(panel, monkeypatch):
    panel.controls["lr"].value = 1e6
    assert "diverged" in trained(panel)
    assert panel.run is None
    panel.controls["lr"].value = 1e-2
    with monkeypatch.context() as patch:
        patch.setattr(panel, "_show", lambda *_: 1 / 0)
        assert trained(panel) == "No run: ZeroDivisionError, division by zero."
    assert trained(panel).startswith("Done")


def test_pictures_are_at_least_half_a_second_and_twice_their_drawing_apart(panel, monkeypatch):
    clock = iter([10.0, 11.0, 20.0, 20.1])  # before and after each drawing
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    model = panel._before[1]
    for due in (13.0, 20.6):
        panel._show("now", *model)
        assert panel._due == pytest.approx(due)


def test_one_panel_trains_at_a_time(panel):
    with module.ALONE:
        panel.train.click()
        assert "Another panel is training" in status(panel)
        assert panel.thread is None
    assert trained(panel).startswith("Done")


def test_without_a_kernel_a_figure_is_shown(panel):
    shown, _ = DisplayFormatter().format(panel)
    assert shown["application/vnd.jupyter.widget-view+json"]["model_id"] == panel.model_id
    assert base64.b64decode(shown["image/png"]) == panel.poster
    assert shown["text/plain"] == "TrainingPanel('vae')"
    page = shown["text/html"]
    assert page.startswith('<figure class="gm-panel"><img src="data:image/png;base64,')
    assert "<script" not in page
    assert "choose another lr, objective or number of epochs" in page
    for title, epochs in (("beta 1", 2), ("beta 10", 2)):
        assert f"{title}: 16 samples after {epochs} epochs, train_elbo -" in panel.alt
    assert f'alt="{panel.alt}"' in page
    assert picture(panel) in page  # the panel begins with the same figure
    assert len(panel.poster) < 60_000


@pytest.mark.parametrize("change", [{"lr": (1e-2, float("nan"))}, {"batch_size": (32, 0)}])
def test_a_choice_that_no_recipe_can_have_is_refused_before_it_is_shown(few_digits, change):
    with pytest.raises(InputError, match=next(iter(change))):
        TrainingPanel(VAE, change, shown={"": fit_profile(VAE)})
