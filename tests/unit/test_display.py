"""Code without docstrings, layers that add up, tables with a dash for what is missing."""

import ast
import inspect

import numpy as np
import pytest
import torch

import gmlib
from gmlib import models, objectives, parameters, recipes, results, show, table
from gmlib.display import Shown
from gmlib.training import History, fit_vae


def cells(markdown: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in markdown.splitlines()
        if line.startswith("|")
    ]


def code(markdown: str) -> str:
    assert markdown.startswith("```python\n")
    assert markdown.endswith("\n```")
    return markdown.removeprefix("```python\n").removesuffix("\n```")


@pytest.mark.parametrize("thing", [objectives.gaussian_kl, objectives.iwae_bound, fit_vae, models.VAE])
def test_show_quotes_the_code_and_not_the_docstrings(thing):
    shown = code(show(thing).markdown)
    (found,) = ast.parse(shown).body
    assert found.name == thing.__name__
    assert all(
        ast.get_docstring(node) is None for node in ast.walk(found) if isinstance(node, ast.FunctionDef | ast.ClassDef)
    )
    assert '"""' not in shown


def test_show_keeps_every_line_that_runs_and_the_comments():
    assert code(show(objectives.elbo).markdown).splitlines() == [
        "def elbo(log_px: PerImage, kl: PerImage) -> PerImage:",
        '    require_shape("b", log_px=log_px, kl=kl)',
        "    return log_px - kl",
    ]
    assert "# the bound is maximised, so its negative is minimised" in show(fit_vae).markdown
    assert (
        code(show(models.VAE).markdown).splitlines()[1].strip().startswith("def ")
    )  # no blank line in place of a docstring
    # what is left of a class still defines all of its methods
    namespace = ast.parse(code(show(models.VAE).markdown)).body[0].body
    assert [node.name for node in namespace] == [
        node.name for node in ast.parse(inspect.getsource(models.VAE)).body[0].body if isinstance(node, ast.FunctionDef)
    ]
    assert code(show(models.VAE.forward).markdown).startswith("def forward(")  # without its indentation


def test_show_a_network_sums_its_parameters():
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1, bias=False))
    header, _, *rows = cells(show(network).markdown)
    assert header == ["layer", "module", "weights", "parameters"]
    assert rows == [
        ["0", "Linear", "4×3 + 4", "16"],
        ["1", "ReLU", "", "0"],
        ["2", "Linear", "1×4", "4"],
        ["**all**", "", "", "20"],
    ]
    assert "158,588" in cells(show(recipes.VAE.build()).markdown)[-1]


def test_show_a_recipe_lists_its_settings():
    shown = show(recipes.VAE).markdown
    rows = cells(shown)
    assert ["objective", "`ELBO()`"] in rows
    assert ["objective", "`ELBO(kl_warmup=0.1)`", "`ELBO()`"] in cells(show(recipes.PIXEL_VAE).markdown)
    for name, value in recipes.VAE.settings().items() - {("objective", recipes.VAE.objective)}:
        assert [name, f"`{getattr(value, '__name__', value)}`"] in rows
    assert recipes.VAE.about in shown
    assert recipes.VAE.paper in shown


def test_show_a_recipe_names_what_its_parent_has_instead():
    header, _, *rows = cells(show(recipes.CVAE).markdown)
    assert header[2] == "in vae, where it differs"
    assert [row for row in rows[: len(recipes.CVAE.settings())] if row[2]] == [["conditional", "`True`", "`False`"]]


def test_show_a_recipe_writes_fixed_arguments_as_a_call():
    rows = cells(show(recipes.WGAN).markdown)
    assert ["generator", "`DCGenerator(width=32)`", "`DCGenerator`"] in rows


def test_show_a_history_picks_epochs_and_the_last():
    history = History([{"epoch": epoch, "elbo": -200.123 + epoch} for epoch in range(1, 38)])
    rows = cells(show(history).markdown)[2:]
    assert [row[0] for row in rows] == ["1", "2", "5", "10", "20", "37"]
    assert rows[0][1] == "-199.1"


def test_table_shows_a_dash_for_what_is_missing():
    rows = [{"name": "vae", "elbo": -150.25, "n": 10000}, {"name": "gan", "n": None}, {"name": "wgan", "elbo": 0.0}]
    header, rule, *found = cells(table(rows).markdown)
    assert header == ["name", "elbo", "n"]
    assert rule == ["---", "---:", "---:"]  # numbers to the right
    assert found == [["vae", "-150.25", "10,000"], ["gan", "–", "–"], ["wgan", "0.0", "–"]]


def test_table_keeps_columns_apart_where_text_has_bars():
    (line,) = table([{"term": "log p(x|z)", "value": 1}]).markdown.splitlines()[2:]
    assert line.replace("\\|", "").count("|") == 3


def test_table_rounds_floats_and_shows_no_minus_before_a_zero():
    rows = [{"x": 1234.56789, "n": 1234}, {"x": -0.0004, "n": 2}, {"x": float("-inf"), "n": 3}, {"x": 0.5}]
    found = cells(table(rows, digits=3).markdown)[2:]
    assert found == [["1,234.568", "1,234"], ["0.000", "2"], ["-inf", "3"], ["0.500", "–"]]
    # without digits a float is whole, and its zero has no sign either
    assert [row[0] for row in cells(table([{"x": 0.1 + 0.2}, {"x": -0.0}, {"x": 1e-7}]).markdown)[2:]] == [
        "0.30000000000000004",
        "0.0",
        "1e-07",
    ]


def test_table_takes_the_number_out_of_what_holds_one():
    held = [torch.tensor(1.25), torch.tensor([[2]]), np.float32(0.5), np.int64(7), torch.ones(1, requires_grad=True)]
    header, rule, *found = cells(table([{"x": each} for each in held], digits=2).markdown)
    assert (header, rule) == (["x"], ["---:"])
    assert found == [["1.25"], ["2"], ["0.50"], ["7"], ["1.00"]]


def test_table_of_columns_is_the_table_of_their_rows():
    weights = {"a": 0.5, "b": 1.5, "c": None}
    columns = {
        "name": weights,
        "k": range(3),
        "row": torch.tensor([[0.25, -0.0, 3.0]]),
        "array": np.arange(3.0),
        "values": weights.values(),
    }
    rows = [
        {"name": "a", "k": 0, "row": 0.25, "array": 0.0, "values": 0.5},
        {"name": "b", "k": 1, "row": 0.0, "array": 1.0, "values": 1.5},
        {"name": "c", "k": 2, "row": 3.0, "array": 2.0, "values": None},
    ]
    for digits in (None, 1):
        assert table(columns, digits).markdown == table(rows, digits).markdown


def test_shown_is_markdown_in_a_notebook_and_text_elsewhere():
    shown = Shown("**a**")
    assert shown._repr_markdown_() == repr(shown) == str(shown) == "**a**"


def test_results_are_a_row_a_run_with_a_dash_where_one_lacks_a_measure():
    runs = {name: gmlib.pretrained(name) for name in ("vae", "cvae")}
    header, _, *rows = cells(
        results(
            runs, {"ELBO": "test_elbo", "asked for": "label_accuracy", "weights": "parameters", "on": "device"}
        ).markdown
    )
    assert header == ["run", "ELBO", "asked for", "weights", "on"]
    vae, cvae = (run.metrics for run in runs.values())
    assert rows == [
        ["vae", f"{vae['test_elbo']:.2f}", "–", "158,588", "cpu"],
        ["cvae", f"{cvae['test_elbo']:.2f}", f"{cvae['label_accuracy']:.2f}", "160,588", "cpu"],
    ]


def test_the_cost_of_a_game_is_its_steps_and_hours():
    run = gmlib.pretrained("wgan_gp")
    steps = sum(row["generator_steps"] for row in run.history.rows)
    runs = {"wgan_gp": run, "vae": gmlib.pretrained("vae")}
    _, _, gan, vae = cells(
        results(runs, {"steps": "generator_steps", "images": "images", "hours": "hours"}, 3).markdown
    )
    images = steps * run.recipe.n_critic * run.recipe.batch_size
    assert gan == ["wgan_gp", f"{steps:,}", f"{images:,}", f"{run.record['seconds'] / 3600:.3f}"]
    assert vae[:3] == ["vae", "–", "–"]


def test_results_that_no_run_has(refused):
    with refused("got the column 'test_elb'", "did you mean 'test_elbo'"):
        results({"vae": gmlib.pretrained("vae")}, {"ELBO": "test_elb"})


def test_parameters_are_counted_without_buffers():
    assert parameters(torch.nn.BatchNorm1d(7)) == 14
    assert parameters(torch.nn.Linear(3, 5)) == 20
