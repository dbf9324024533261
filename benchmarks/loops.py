"""Training as gmlib does it, some steps at a time."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

from benchmarks.timing import Advance
from gmlib import mnist
from gmlib.data import ImageDataset
from gmlib.experiment import GANRecipe, Recipe
from gmlib.train import StopTraining
from gmlib.train.folder import train_in
from gmlib.train.state import State

ENDLESS = 10**6  # epochs: more than any measurement sees


@cache
def digits(copies: int = 10) -> ImageDataset:
    """Give the embedded training digits several times over, so that epochs are as long as those of a full run.

    Args:
        copies: how many times.

    Returns:
        4,000 digits a copy.
    """
    once = mnist("train")
    return ImageDataset(
        once.images.repeat(copies, 1, 1, 1), once.require_labels().repeat(copies), once.classes, once.name
    )


def multiple(recipe: Recipe) -> int:
    """Say how many steps a round of a game has.

    Args:
        recipe: what is trained.

    Returns:
        Critic steps a generator step; 1 where there is no game.
    """
    return recipe.n_critic if isinstance(recipe, GANRecipe) else 1


def begin(recipe: Recipe, train: ImageDataset | None = None) -> State:
    """Put together what a run starts with.

    Args:
        recipe: what is trained.
        train: digits to train on; None takes `digits`.

    Returns:
        The state before the first step.
    """
    return recipe.start(recipe.build(), digits() if train is None else train, 0)


def ours(
    recipe: Recipe,
    *,
    state: State | None = None,
    bfloat16: bool = False,
    then: Callable[[State], object] = lambda state: None,
) -> Advance:
    """Train a recipe as `Recipe.fit` does, some steps at a time.

    Args:
        recipe: what is trained; a lead of its critic, which belongs to the beginning of a long run, is left out.
        state: to go on with; None begins.
        bfloat16: whether networks compute in bfloat16.
        then: called after each step.

    Returns:
        What trains so many steps more.
    """
    recipe = replace(recipe, warmup=False) if isinstance(recipe, GANRecipe) else recipe
    run = state or begin(recipe)

    def advance(steps: int) -> None:
        last = run.step + steps

        def on_step(state: State) -> None:
            then(state)
            if state.step >= last:
                raise StopTraining

        train_in(None, run, partial(recipe.loop(), epochs=ENDLESS, bfloat16=bfloat16), on_step=on_step)

    return advance
