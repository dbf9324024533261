"""The search of settings: its ladder, what it records, and that it goes on where it stopped."""

import json
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from gmlib import recipes
from gmlib.errors import DivergedError
from gmlib.models import DCCritic
from gmlib.training import State, StopTraining
from tools import search

FIDS = [60.0, 20.0, 50.0, 10.0, 40.0, 30.0, 80.0, 70.0, 90.0, 5.0]  # of ten trials; the last one gets worse


@pytest.fixture
def game(monkeypatch):
    """A game of ten trials with rungs of 1, 2 and 4 epochs."""
    game = search.Game(recipes.GAN, search.draw_gan, 10, (1, 2, 4))
    monkeypatch.setitem(search.GAMES, "gan", game)
    return game


@pytest.fixture
def runs(game, made_up, monkeypatch) -> Iterator[list[tuple[str, int]]]:
    """In place of training, FIDs that fall by 1 an epoch from those of FIDS; returns which trial trained for which epochs."""
    runs = []

    def fit(recipe, train, validation, *, out, resume, on_epoch, epochs, precision, seed):
        assert (resume, epochs, precision) == (True, 4, "bfloat16")
        number = int(out.name.split("-")[1])
        out.mkdir(parents=True, exist_ok=True)
        state = State({"gan": nn.Linear(1, 1)}, {}, [0])
        done = len(list(out.iterdir()))
        for epoch in range(1, epochs + 1):
            if number == 3 and epoch == 2:
                raise DivergedError("broken")
            fid = FIDS[number] - epoch if number != 9 else FIDS[9] + 100 * epoch * (epoch > 1)
            state.history.rows.append({"epoch": epoch, "validation_fid": fid, "critic_loss": 0.5})
            state.epoch = epoch
            if epoch <= done:  # in the checkpoint
                continue
            (out / str(epoch)).touch()
            runs.append((out.name, epoch))
            try:
                on_epoch(state)
            except StopTraining:
                return

    loaded = []
    monkeypatch.setattr(search, "load", lambda source, split, root: loaded.append(split) or made_up)
    monkeypatch.setattr(search, "fit", fit)
    yield runs
    assert set(loaded) == {"train", "validation"}  # test digits choose nothing


def run(folder, *arguments) -> int:
    return search.main(["gan", "--out", str(folder), *arguments])


def record(folder) -> dict:
    return json.loads((folder / "gan.json").read_text())


def test_one_in_four_goes_on_and_the_best_three_train_at_full_width(runs, tmp_path, capsys):
    assert run(tmp_path) == 0
    # after one epoch the best are 9, 3 and 1; then 3 diverges and 9 gets worse, so that 1 goes on
    assert runs[:10] == [(f"trial-{number}", 1) for number in range(10)]
    assert runs[10:12] == [("trial-9", 2), ("trial-1", 2)]
    assert runs[12:14] == [("trial-1", 3), ("trial-1", 4)]
    assert [name for name, epoch in runs[14:] if epoch == 3] == ["wide-1", "wide-9"]
    trials = record(tmp_path)["trials"]
    assert [len(trial["fid"]) for trial in trials] == [1, 4, 1, 1, 1, 1, 1, 1, 1, 2]
    assert [trial["number"] for trial in trials if trial["diverged"]] == [3]
    assert trials[1]["fid"] == [19, 18, 17, 16]
    assert record(tmp_path)["chosen"] == 1
    assert "trial 3, diverged" in capsys.readouterr().out


def test_a_search_goes_on_where_it_stopped(runs, tmp_path, monkeypatch, capsys):
    assert run(tmp_path / "whole") == 0
    expected, whole = list(runs), record(tmp_path / "whole")
    for stop in (3, 11, 15):
        runs.clear()
        monkeypatch.setattr(search, "report", partial(stop_after, runs, stop))
        assert run(tmp_path / str(stop)) == 130
        monkeypatch.setattr(search, "report", lambda *_: None)
        assert run(tmp_path / str(stop)) == 0
        assert runs == expected
        assert record(tmp_path / str(stop)) == whole


def stop_after(runs: list, count: int, *_) -> None:
    if len(runs) >= count:
        raise KeyboardInterrupt


def test_a_search_with_other_options_is_refused(runs, tmp_path, monkeypatch, capsys):
    assert run(tmp_path) == 0
    before = (tmp_path / "gan.json").read_bytes()
    assert run(tmp_path, "--seed", "1") == 2
    assert "is of seed 0: continue with the options of that search" in capsys.readouterr().err
    monkeypatch.setitem(search.GAMES, "gan", replace(search.GAMES["gan"], draw=search.draw_dcgan))
    assert run(tmp_path) == 2
    assert "of other settings than tools/search.py draws now" in capsys.readouterr().err
    assert (tmp_path / "gan.json").read_bytes() == before


def test_a_damaged_file_of_a_search_is_refused(runs, tmp_path, capsys):
    assert run(tmp_path) == 0
    (tmp_path / "gan.json").write_text("{")
    assert run(tmp_path) == 2
    assert "gan.json is damaged" in capsys.readouterr().err


def test_an_unknown_game_is_refused(tmp_path, capsys):
    assert search.main(["wgann", "--out", str(tmp_path)]) == 2
    assert "got game 'wgann'" in capsys.readouterr().err


@pytest.mark.parametrize("name", search.GAMES)
def test_every_draw_makes_a_recipe_of_its_game(name):
    """The same objective but for weight and bound; the numbers of a setting reach the networks."""
    game = search.GAMES[name]
    for number in range(30):
        settings = game.draw(random.Random(number))
        settings = json.loads(json.dumps(settings))  # as a search that goes on reads them
        recipe = search.recipe_of(game, settings)
        objective = recipe.objective
        assert (
            replace(objective, weight=game.recipe.objective.weight, clip=game.recipe.objective.clip)
            == game.recipe.objective
        )
        assert (recipe.lr, recipe.critic_lr, recipe.n_critic) == tuple(
            settings[key] for key in ("lr", "critic_lr", "n_critic")
        )
        assert objective.weight == settings.get("weight", 0)
        assert recipe.optimiser is getattr(torch.optim, settings.get("optimiser") or "Adam")
        critic = recipe.critic(norm=recipe.critic_norm, dropout=recipe.dropout)
        width = next(critic.parameters()).shape[0]
        assert width == settings["critic_width"] * (search.NARROW if game.convolutional else 512)
        if settings.get("by_fan_in"):
            fans = [weight[0].numel() for weight in critic.parameters() if weight.ndim > 1]
            assert objective.clip == pytest.approx([settings["bound"] / math.sqrt(fan) for fan in fans])
        elif "bound" in settings:
            assert objective.clip == settings["bound"]
        objective.constrain_weights_(critic)  # as many bounds as layers
    full = search.recipe_of(game, settings, full_width=True)
    if game.recipe.critic is DCCritic:
        assert next(full.critic().parameters()).shape[0] == 2 * width
        assert next(full.generator().parameters()).shape[1] == 4 * next(recipe.generator().parameters()).shape[1]
    else:
        assert full.hash == recipe.hash


def test_numbers_are_drawn_evenly_on_a_logarithmic_scale():
    rng = random.Random(0)
    drawn = [search.log_uniform(rng, 1e-4, 1e-2) for _ in range(2000)]
    assert 1e-4 <= min(drawn) < max(drawn) <= 1e-2
    assert sum(value < 1e-3 for value in drawn) / 2000 == pytest.approx(0.5, abs=0.05)
