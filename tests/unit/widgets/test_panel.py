"""What a panel trains is what `fit` trains, it stops when asked, and where no kernel runs its figure stands for it."""

import base64
import re
import threading
from dataclasses import replace

import pytest
import torch
from IPython.core.formatters import DisplayFormatter

from gmlib import recipes
from gmlib.experiments.fit import fit_profile
from gmlib.experiments.run import networks_of
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
    """Press Train, wait for the end, and give what the line of status says then."""
    made.train.click()
    made.thread.join(timeout=60)
    assert not made.thread.is_alive()
    return status(made)


def status(made: TrainingPanel) -> str:
    return re.sub("<[^>]*>", "", made.children[2].value).strip()


def picture(made: TrainingPanel) -> str:
    return made.children[3].value


def test_nothing_is_trained_before_the_press_of_the_button(panel):
    assert panel.run is None
    assert panel.thread is None
    assert not [thread for thread in threading.enumerate() if "train" in thread.name.lower()]
    assert (panel.train.disabled, panel.stop.disabled) == (False, True)
    assert {name: control.value for name, control in panel.controls.items()} == {
        "lr": 0.01,
        "objective": ELBO(),
        "epochs": 2,
    }


@pytest.mark.parametrize(
    ("recipe", "change", "chosen"),
    [
        (VAE, CHANGE, {}),
        (VAE, CHANGE, {"lr": 1e-3, "objective": ELBO(beta=10.0)}),
        (GAN, {"lr": (2e-4, 2e-3), "objective": LOSSES}, {"objective": MINIMAX}),  # its dropout draws on the side
    ],
)
def test_trained_to_its_end_it_is_what_fit_gives(few_digits, always, recipe, change, chosen):
    made = TrainingPanel(recipe, change, shown={"before": fit_profile(recipe)}, seed=3, device="cpu")
    for name, value in chosen.items():
        made.controls[name].value = value
    made.children[2].observe(lambda _: setattr(made.controls["lr"], "value", recipe.lr), "value")  # too late to matter
    before = torch.get_rng_state()
    assert trained(made).startswith("Done after 2 of 2 epochs.")
    assert torch.equal(torch.get_rng_state(), before)
    expected = fit_profile(replace(recipe, **chosen), seed=3)
    assert made.run.history == expected.history
    for name, network in networks_of(expected.model).items():
        for key, value in network.state_dict().items():
            assert torch.equal(networks_of(made.run.model)[name].state_dict()[key], value), key
    assert made.run.recipe.settings() == replace(recipe, epochs=2, **chosen).settings()


def test_a_cell_that_draws_while_it_trains_and_the_training_leave_each_other_alone(few_digits, always):
    expected = fit_profile(GAN, seed=3)
    made = TrainingPanel(GAN, {"lr": (2e-4, 2e-3)}, shown={"before": expected}, seed=3, device="cpu")

    def cell() -> list[torch.Tensor]:
        torch.manual_seed(1)
        return [torch.rand(3), torch.randn(50)]

    alone, differ = cell(), 0
    made.train.click()
    while made.thread.is_alive():
        differ += not all(torch.equal(a, b) for a, b in zip(cell(), alone, strict=True))
    assert status(made).startswith("Done after 2 of 2 epochs.")
    assert differ == 0
    for name, network in networks_of(expected.model).items():
        for key, value in network.state_dict().items():
            assert torch.equal(networks_of(made.run.model)[name].state_dict()[key], value), key


def test_it_stops_when_asked_and_keeps_what_it_has_learnt(panel, always):
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


def test_the_next_training_begins_anew_and_is_shown_beside_the_last(panel):
    trained(panel)
    assert 'alt="Samples and curves of runs. beta 1: 16' in picture(panel)  # of those that are shown, the recipe's own
    first = panel.run
    panel.controls["objective"].value = BOUNDS["beta 10"]
    panel.controls["epochs"].value = 3
    assert trained(panel).startswith("Done after 3 of 3 epochs.")
    assert panel.run is not first
    assert "before: lr 0.01, objective beta 1: 16 samples after 2 epochs" in picture(panel)
    assert "now: lr 0.01, objective beta 10: 16 samples after 3 epochs" in picture(panel)


def test_a_run_that_diverges_says_so_in_a_sentence(panel):
    panel.controls["lr"].value = 1e6
    said = trained(panel)
    assert said.startswith("No run: training has diverged: train_elbo is")
    assert "try a lower learning rate" in said
    assert panel.run is None
    panel.controls["lr"].value = 1e-2  # and the panel still works
    assert trained(panel).startswith("Done")


def test_any_other_error_is_said_too(panel, monkeypatch):
    monkeypatch.setattr(panel, "_show", lambda *_: 1 / 0)
    assert trained(panel) == "No run: ZeroDivisionError, division by zero."
    assert not panel.train.disabled


def test_one_panel_trains_at_a_time(panel):
    with module.ALONE:
        panel.train.click()
        assert "Another panel is training" in status(panel)
        assert panel.thread is None
    assert trained(panel).startswith("Done")


def test_without_a_kernel_a_figure_stands_for_it(panel):
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


def test_what_cannot_be_trained_here_is_refused(few_digits, refused):
    shown = {"": fit_profile(VAE)}
    with refused("got the setting 'objectives'", "did you mean 'objective'?"):
        TrainingPanel(VAE, {"objectives": (1, 2)}, shown=shown)
    with refused("got the setting 'epochs'", "its control already"):
        TrainingPanel(VAE, {"epochs": (1, 2)}, shown=shown)
    with refused("got lr from 0.1, 1, expected vae's own 0.01 among them"):
        TrainingPanel(VAE, {"lr": (0.1, 1)}, shown=shown)
    with refused("got lr from nothing"):
        TrainingPanel(VAE, {"lr": ()}, shown=shown)
    for wrong in (-1, float("inf"), float("nan")):
        with refused(f"got {wrong!r} for lr", "numbers from 0 on"):
            TrainingPanel(VAE, {"lr": (1e-2, wrong)}, shown=shown)
    for recipe in (recipes.PIXEL_VAE, recipes.CLASSIFIER, recipes.STACKED_DCGAN):
        with refused(f"got the recipe {recipe.name}", "recipes.VAE"):
            TrainingPanel(recipe, {}, shown=shown)
    with refused("got 0 runs to show", "at least one"):
        TrainingPanel(VAE, {}, shown={})
    with refused("got 1 runs to show", "all of gan's kind"):
        TrainingPanel(GAN, {}, shown=shown)
    with refused("got profile 'slow'"):
        TrainingPanel(VAE, {}, shown=shown, profile="slow")
    with refused("got seed -1"):
        TrainingPanel(VAE, {}, shown=shown, seed=-1)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("name", "wrong"), [("lr", float("nan")), ("batch_size", 2.5), ("batch_size", 0), ("objective", None)]
)
def test_a_choice_that_no_recipe_can_have_is_refused_before_it_is_shown(few_digits, refused, name, wrong):
    with refused(f"got {name} "):
        TrainingPanel(VAE, {name: {"own": VAE.settings()[name], "other": wrong}}, shown={"": fit_profile(VAE)})
