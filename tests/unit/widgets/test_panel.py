"""A panel trains what `fit_profile` trains, stops when Stop is pressed, and without a kernel shows a figure."""

import base64
import re
from dataclasses import replace

import pytest
import torch
from IPython.core.formatters import DisplayFormatter

from gmlib import recipes
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
def figure_after_each_step(monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.0)


@pytest.fixture
def panel(few_digits):
    shown = {"beta 1": fit_profile(VAE), "beta 10": fit_profile(replace(VAE, objective=ELBO(beta=10.0)))}
    return TrainingPanel(VAE, CHANGE, shown=shown, device="cpu")


def trained(made: TrainingPanel) -> str:
    """Press Train, wait for the end, and return the status."""
    made.train_button.click()
    made.thread.join(timeout=60)
    assert not made.thread.is_alive()
    return status(made)


def status(made: TrainingPanel) -> str:
    return re.sub("<[^>]*>", "", made.children[2].value).strip()


def figure(made: TrainingPanel) -> str:
    return made.children[3].value


def check_equal(run: Run, expected: Run) -> None:
    assert run.history == expected.history
    for name, network in networks_of(expected.model).items():
        for key, value in network.state_dict().items():
            assert torch.equal(networks_of(run.model)[name].state_dict()[key], value), key


def test_nothing_is_trained_before_train_is_pressed(panel):
    assert panel.run is panel.thread is None
    assert (panel.train_button.disabled, panel.stop_button.disabled) == (False, True)
    values = {name: control.value for name, control in panel.controls.items()}
    assert values == {"lr": 0.01, "objective": ELBO(), "epochs": 2}
    assert (panel.controls["epochs"].min, panel.controls["epochs"].max) == (1, 20)


def test_without_a_run_of_the_recipe_the_first_training_is_drawn_beside_the_first_run(few_digits):
    shown = {f"beta {beta:g}": fit_profile(replace(VAE, objective=ELBO(beta=beta))) for beta in (10.0, 0.0)}
    made = TrainingPanel(VAE, CHANGE, shown=shown, device="cpu")
    assert trained(made).startswith("Finished")
    assert "beta 10: 16 samples" in figure(made)
    assert "beta 0: 16 samples" not in figure(made)


@pytest.mark.parametrize(
    ("recipe", "change", "chosen"),
    [
        (VAE, CHANGE, {"lr": 1e-3, "objective": ELBO(beta=10.0)}),
        (GAN, {"lr": (2e-4, 2e-3), "objective": LOSSES}, {"objective": MINIMAX}),  # its dropout draws random numbers
    ],
)
def test_a_training_that_is_not_stopped_equals_fit_profile(few_digits, figure_after_each_step, recipe, change, chosen):
    made = TrainingPanel(recipe, change, shown={"before": fit_profile(recipe)}, seed=3, device="cpu")
    for name, value in chosen.items():
        made.controls[name].value = value
    made.children[2].observe(lambda _: setattr(made.controls["lr"], "value", recipe.lr), "value")  # has no effect
    before = torch.get_rng_state()
    assert trained(made).startswith("Finished after 2 of 2 epochs.")
    assert torch.equal(torch.get_rng_state(), before)
    check_equal(made.run, fit_profile(replace(recipe, **chosen), seed=3))
    assert made.run.recipe.settings() == replace(recipe, epochs=2, **chosen).settings()


def test_stop_ends_the_training_and_keeps_the_run(panel, figure_after_each_step):
    figures, bars = set(), []

    def press(change: dict) -> None:
        figures.add(figure(panel))
        bars.extend(float(value) for value in re.findall('<progress value="([^"]*)"', change["new"]))
        if "epoch 2 of 2" in change["new"]:
            assert (panel.train_button.disabled, panel.stop_button.disabled) == (True, False)
            panel.stop_button.click()

    panel.children[2].observe(press, "value")
    words = trained(panel)
    assert words.startswith("Stopped after 1 of 2 epochs.")
    assert f"validation_elbo {panel.run.history.rows[-1]['validation_elbo']:.1f}" in words
    assert len(figures) >= 3  # they change during training
    assert bars == sorted(bars)
    assert 0.5 < bars[-1] < 1
    assert panel.run.history.rows == fit_profile(VAE).history.rows[:1]
    assert (panel.train_button.disabled, panel.stop_button.disabled) == (False, True)
    panel.children[2].unobserve_all()
    assert trained(panel).startswith("Finished after 2 of 2 epochs.")


def test_the_next_training_starts_afresh_and_is_drawn_beside_the_last(panel):
    trained(panel)
    assert 'alt="Samples and curves of runs. beta 1: 16' in figure(panel)  # of the runs shown, that of the same recipe
    first = panel.run
    panel.controls["objective"].value = BOUNDS["beta 10"]
    panel.controls["epochs"].value = 3
    assert trained(panel).startswith("Finished after 3 of 3 epochs.")
    assert panel.run is not first
    assert "before: lr 0.01, objective beta 1: 16 samples after 2 epochs" in figure(panel)
    assert "now: lr 0.01, objective beta 10: 16 samples after 3 epochs" in figure(panel)


def test_an_error_is_displayed_and_the_panel_still_works(panel, monkeypatch):
    panel.controls["lr"].value = 1e6
    assert "diverged" in trained(panel)
    assert panel.run is None
    panel.controls["lr"].value = 1e-2
    with monkeypatch.context() as patch:
        patch.setattr(panel, "_show_figure", lambda *_: 1 / 0)
        assert trained(panel) == "No run: ZeroDivisionError, division by zero."
    assert trained(panel).startswith("Finished")


def test_during_the_pause_no_figure_is_drawn(panel, monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 1000.0)
    figures = []
    panel.children[3].observe(lambda change: figures.append(change["new"]), "value")
    trained(panel)
    assert ["after 0 epochs" in each for each in figures] == [True, False]  # at the first step, and at the end


def test_one_panel_trains_at_a_time(panel):
    with module.TRAINING:
        panel.train_button.click()
        assert "Another panel is training" in status(panel)
        assert panel.thread is None
    assert trained(panel).startswith("Finished")


def test_without_a_kernel_a_figure_is_shown(panel):
    data, _ = DisplayFormatter().format(panel)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == panel.model_id
    assert base64.b64decode(data["image/png"]) == panel.poster
    assert data["text/plain"] == "TrainingPanel('vae')"
    page = data["text/html"]
    assert page.startswith('<figure class="gm-panel"><img src="data:image/png;base64,')
    assert "<script" not in page
    assert "choose other values of lr, objective and the number of epochs" in page
    for title in ("beta 1", "beta 10"):
        assert f"{title}: 16 samples after 2 epochs, train_elbo -" in panel.alt
    assert f'alt="{panel.alt}"' in page
    assert figure(panel) in page  # the panel begins with the same figure
    assert len(panel.poster) < 60_000
