"""Search the settings of a GAN: `python -m tools.search GAME`. Started again, it goes on.

Settings are drawn at random, and successive halving chooses among them: all trials train for a few epochs, then the quarter
with the lowest FID for more, and a quarter of these for still more (Jamieson & Talwalkar 2016). Convolutional networks have 16
channels in the trials; the three best then train at full width for three epochs, and the best of these is chosen.

FID is that of 2,000 samples against validation digits; the test digits are not read. A trial that diverges counts as one, and
is ranked last. GAME.json in the folder of the search has the settings and the FIDs of all trials.
"""

import argparse
import json
import math
import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from gmlib import recipes
from gmlib.data import load
from gmlib.errors import DivergedError, InputError, nearest
from gmlib.experiments.fit import fit
from gmlib.experiments.recipe import GANRecipe
from gmlib.experiments.run import versions
from gmlib.files import to_json, write_whole
from gmlib.models.dcgan import DCCritic, DCGenerator
from gmlib.models.mlp import MLPCritic
from gmlib.training.state import State, StopTraining

Settings = dict[str, Any]  # a trial's, ready for JSON; `recipe_of` reads them
KEEP = 4  # one in so many trials goes on to the next rung
NARROW, FULL = 16, 64  # channels of the generator; the critic has as many when narrow, and half as many at full width
WIDE_TRIALS, WIDE_EPOCHS = 3, 3


def log_uniform(rng: random.Random, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform, rounded to two digits."""
    return float(f"{math.exp(rng.uniform(math.log(low), math.log(high))):.1e}")


def draw_common(rng: random.Random) -> Settings:
    """Draw the settings that every game has."""
    return {
        "batch_size": rng.choice([32, 64, 128]),
        "critic_width": rng.choice([1, 2]),
        "decay": rng.choice([False, True]),
        "critic_decay": rng.choice([False, True]),
    }


def draw_rates(rng: random.Random, low: float, high: float) -> Settings:
    """Draw the learning rates for the cross-entropy, the generator's from this range, and the number of critic steps."""
    lr = log_uniform(rng, low, high)
    return {"lr": lr, "critic_lr": log_uniform(rng, lr / 4, lr * 4), "n_critic": rng.choice([1, 1, 2])}


def draw_gan(rng: random.Random) -> Settings:
    """Draw settings for the cross-entropy, with dropout in the critic in place of a penalty."""
    return draw_common(rng) | {
        **draw_rates(rng, 5e-5, 2e-3),
        "betas": rng.choice([(0.0, 0.99), (0.5, 0.9), (0.5, 0.99), (0.5, 0.999)]),
        "dropout": rng.choice([0.0, 0.3, 0.5]),
        "batch_norm": rng.choice([False, True]),
        "critic_norm": rng.choice([None, "layer"]),
    }


def draw_dcgan(rng: random.Random) -> Settings:
    """Draw settings for the cross-entropy with an R1 penalty."""
    return draw_common(rng) | {
        **draw_rates(rng, 2e-4, 4e-3),
        "betas": rng.choice([(0.0, 0.9), (0.0, 0.99), (0.5, 0.99), (0.5, 0.999)]),
        "weight": log_uniform(rng, 1e-3, 1.0),
        "critic_norm": rng.choice([None, "layer"]),
    }


def draw_penalty(rng: random.Random) -> Settings:
    """Draw settings for the Wasserstein loss with the gradient penalty."""
    lr = log_uniform(rng, 1e-4, 1e-3)
    return draw_common(rng) | {
        "lr": lr,
        "critic_lr": log_uniform(rng, lr, lr * 8),
        "n_critic": rng.choice([1, 1, 2, 5]),
        "betas": rng.choice([(0.0, 0.9), (0.0, 0.99), (0.5, 0.9), (0.5, 0.99)]),
        "weight": log_uniform(rng, 0.5, 20.0),
        "critic_norm": rng.choice([None, "layer"]),
    }


def draw_clipping(rng: random.Random) -> Settings:
    """Draw settings for the Wasserstein loss with clipping; the critic's rate is relative to its bound."""
    by_fan_in = rng.choice([False, True])
    bound = log_uniform(rng, 0.2, 1.5) if by_fan_in else log_uniform(rng, 0.01, 0.1)
    size = bound / 16 if by_fan_in else bound  # 16 is about the root of a hidden layer's fan-in
    optimiser = rng.choice(["RMSprop", "RMSprop", "Adam"])
    return draw_common(rng) | {
        "lr": log_uniform(rng, 1e-4, 2e-3),
        "critic_lr": log_uniform(rng, size / 600, size / 60),
        "n_critic": rng.choice([1, 1, 2, 5]),
        "optimiser": optimiser,
        "betas": rng.choice([(0.0, 0.9), (0.5, 0.9), (0.5, 0.99)]) if optimiser == "Adam" else None,
        "bound": bound,
        "by_fan_in": by_fan_in,
        "critic_norm": rng.choice([None, "batch", "layer_no_affine", "layer_no_affine"]),
    }


def with_batch_norm(draw: Callable[[random.Random], Settings], rng: random.Random) -> Settings:
    """Draw settings, and whether a generator of linear layers has batch norm."""
    return draw(rng) | {"batch_norm": rng.choice([False, True])}


@dataclass(frozen=True)
class Game:
    """What is searched: a recipe, the settings that are drawn, and how many trials train for how many epochs."""

    recipe: GANRecipe
    draw: Callable[[random.Random], Settings]
    trials: int
    rungs: tuple[int, ...]

    @property
    def convolutional(self) -> bool:
        """Whether the networks are convolutional, and therefore narrow in the trials."""
        return self.recipe.critic is DCCritic


CONVOLUTIONAL: dict[str, Any] = {"trials": 40, "rungs": (2, 6, 12)}
LINEAR: dict[str, Any] = {"trials": 20, "rungs": (4, 12, 24)}
GAMES = {
    "dcgan": Game(recipes.DCGAN, draw_dcgan, **CONVOLUTIONAL),
    "wgan": Game(recipes.WGAN, draw_clipping, **CONVOLUTIONAL),
    "wgan_gp": Game(recipes.WGAN_GP, draw_penalty, **CONVOLUTIONAL),
    "gan": Game(recipes.GAN, draw_gan, **LINEAR),
    "wgan_mlp": Game(recipes.WGAN_MLP, partial(with_batch_norm, draw_clipping), **LINEAR),
    "wgan_gp_mlp": Game(recipes.WGAN_GP_MLP, partial(with_batch_norm, draw_penalty), **LINEAR),
}


def recipe_of(game: Game, settings: Settings, *, full_width: bool = False) -> GANRecipe:
    """Return a game's recipe with the settings of a trial, for the length of the last rung."""
    settings = dict(settings)
    critic_width = settings.pop("critic_width")
    objective = game.recipe.objective
    if "weight" in settings:
        objective = replace(objective, weight=settings.pop("weight"))
    if settings.get("betas"):
        settings["betas"] = tuple(settings["betas"])  # JSON has lists
    if optimiser := settings.pop("optimiser", None):
        settings["optimiser"] = getattr(torch.optim, optimiser)
    if game.convolutional:
        width = FULL // 2 if full_width else NARROW
        settings["generator"] = partial(DCGenerator, width=FULL if full_width else NARROW)
        settings["critic"] = partial(DCCritic, width=width * critic_width)
    else:
        settings["critic"] = partial(MLPCritic, hidden=tuple(size * critic_width // 2 for size in (1024, 512, 256)))
    if "bound" in settings:
        bound, by_fan_in = settings.pop("bound"), settings.pop("by_fan_in")
        if by_fan_in:
            weights = (weight for weight in settings["critic"]().parameters() if weight.ndim > 1)
            objective = replace(objective, clip=tuple(bound / math.sqrt(weight[0].numel()) for weight in weights))
        else:
            objective = replace(objective, clip=bound)
    fixed = {"warmup": False, "cooldown": 0.0, "epochs": game.rungs[-1], "objective": objective}
    return replace(game.recipe, **{"dropout": 0.0, **fixed, **settings})


class Search:
    """The search for one game, in a folder: GAME.json, and a subfolder for the checkpoints of each trial."""

    def __init__(self, name: str, out: Path, root: Path | None, seed: int) -> None:
        """Read what an earlier search in this folder left; raise InputError if it was of other options."""
        self.name, self.game, self.file, self.folder = name, GAMES[name], out / f"{name}.json", out / name
        self.train, self.validation = (load("mnist", split, root) for split in ("train", "validation"))
        game = self.game
        self.options: dict[str, Any] = {"game": name, "seed": seed, "rungs": list(game.rungs)}
        self.options |= {"data": self.train.digest, "precision": "bfloat16"}
        drawn = [game.draw(random.Random(f"{name} {seed} {number}")) for number in range(game.trials)]
        self.trials = [new_trial(number, settings) for number, settings in enumerate(drawn)]
        self.wide: list[dict[str, Any]] = []
        if self.file.exists():
            self._continue(drawn)

    def _continue(self, drawn: list[Settings]) -> None:
        """Take over the trials of an earlier search."""
        try:
            earlier = json.loads(self.file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(
                f"{self.file} is damaged, expected the JSON of a search: restore it or remove it"
            ) from error
        different = [f"{key} {earlier.get(key)!r}" for key, value in self.options.items() if earlier.get(key) != value]
        if different:
            raise InputError(
                f"{self.file} is of {', '.join(different)}: continue with the options of that search, or choose another --out"
            )
        if [trial["settings"] for trial in earlier["trials"]] != json.loads(json.dumps(drawn)):
            raise InputError(
                f"{self.file} has trials of other settings than tools/search.py draws now: choose another --out"
            )
        self.trials, self.wide = earlier["trials"], earlier["wide"]

    def write(self) -> None:
        """Write the options and all trials; once the wide trials have run, also the number of the chosen one."""
        record = self.options | {"versions": versions(), "trials": self.trials, "wide": self.wide}
        if len(self.wide) == WIDE_TRIALS:
            record["chosen"] = min(self.wide, key=partial(fid_at, WIDE_EPOCHS))["number"]
        write_whole(self.file, to_json(record, self.name))

    def run(self) -> None:
        """Run the trials that are missing, rung after rung, and then the best at full width."""
        going_on = self.trials
        for epochs in self.game.rungs:
            for position, trial in enumerate(going_on, 1):
                if len(trial["fid"]) < epochs and not trial["diverged"]:
                    self.train_trial(trial, epochs, recipe_of(self.game, trial["settings"]), f"trial-{trial['number']}")
                    report(trial, f"{self.name}, {epochs} epochs, {position} of {len(going_on)}")
            best = sorted(going_on, key=partial(fid_at, epochs))
            for trial in best[math.ceil(len(best) / KEEP) :]:
                shutil.rmtree(self.folder / f"trial-{trial['number']}", ignore_errors=True)
            going_on = best[: math.ceil(len(best) / KEEP)] if epochs != self.game.rungs[-1] else best
        for trial in self.best():
            known = next((wide for wide in self.wide if wide["number"] == trial["number"]), None)
            wide = known or new_trial(trial["number"], trial["settings"])
            if known is None:
                self.wide.append(wide)
            if len(wide["fid"]) < WIDE_EPOCHS and not wide["diverged"]:
                recipe = recipe_of(self.game, wide["settings"], full_width=True)
                self.train_trial(wide, WIDE_EPOCHS, recipe, f"wide-{wide['number']}")
                report(wide, f"{self.name} at full width")
        self.write()

    def best(self) -> list[dict[str, Any]]:
        """Return the trials that train at full width: those that came furthest, with the lowest FID there."""
        return sorted(self.trials, key=lambda trial: [fid_at(epochs, trial) for epochs in reversed(self.game.rungs)])[
            :WIDE_TRIALS
        ]

    def train_trial(self, trial: dict[str, Any], epochs: int, recipe: GANRecipe, folder: str) -> None:
        """Train a trial up to this epoch, from its checkpoint if there is one."""

        def stop(state: State) -> None:
            for key, column in (("fid", "validation_fid"), ("critic_loss", "critic_loss")):
                trial[key] = [float(f"{value:.4g}") for value in state.history.column(column)]
            trial["seconds"] = round(state.seconds)
            if state.epoch >= epochs:
                raise StopTraining

        try:
            options = {"epochs": recipe.epochs, "precision": self.options["precision"], "seed": self.options["seed"]}
            fit(recipe, self.train, self.validation, out=self.folder / folder, resume=True, on_epoch=stop, **options)
        except DivergedError:
            trial["diverged"] = True
        self.write()


def new_trial(number: int, settings: Settings) -> dict[str, Any]:
    """Return the record of a trial before its first epoch."""
    return {"number": number, "settings": settings, "fid": [], "critic_loss": [], "seconds": 0, "diverged": False}


def fid_at(epochs: int, trial: dict[str, Any]) -> float:
    """Return the FID of a trial after an epoch, by which trials are ranked: infinite if it diverged or stopped before."""
    return trial["fid"][epochs - 1] if len(trial["fid"]) >= epochs else math.inf


def report(trial: dict[str, Any], where: str) -> None:
    """Print one line about a trial."""
    outcome = "diverged" if trial["diverged"] else f"FID {trial['fid'][-1]:.1f}"
    print(f"{where}: trial {trial['number']}, {outcome}, {trial['seconds']} s", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for a user's mistake, which prints one sentence."""
    parser = argparse.ArgumentParser(prog="python -m tools.search", description=__doc__.split("\n")[0])
    parser.add_argument("game", help=", ".join(GAMES))
    parser.add_argument("--data", type=Path, help="folder of the four MNIST files [default: $GMLIB_DATA]")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/search"), help="folder of the search [default: runs/search]"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the settings and of the training [default: 0]")
    options = parser.parse_args(arguments)
    try:
        if options.game not in GAMES:
            raise InputError(
                f"got game {options.game!r}, expected one of {', '.join(GAMES)}{nearest(options.game, GAMES)}"
            )
        Search(options.game, options.out, options.data, options.seed).run()
    except InputError as error:
        print(f"search: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("search: stopped; the same command goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
