"""Training as gmlib does it, a given number of steps per call."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

from benchmarks.timing import Advance
from gmlib import mnist
from gmlib.data import ImageDataset
from gmlib.experiments.fit import training_loop
from gmlib.experiments.recipe import GANRecipe, Recipe
from gmlib.training import StopTraining
from gmlib.training.checkpoint import train_in
from gmlib.training.state import State

ENDLESS = 10**6  # epochs: no measurement reaches them


@cache
def digits(copies: int = 10) -> ImageDataset:
    """Return the embedded training digits several times over, for epochs as long as those of a full run."""
    once = mnist("train")
    return ImageDataset(
        once.images.repeat(copies, 1, 1, 1), once.require_labels().repeat(copies), once.classes, once.name
    )


def critic_steps(recipe: Recipe) -> int:
    """Return the number of critic steps per generator step."""
    return recipe.n_critic if isinstance(recipe, GANRecipe) else 1


def begin(recipe: Recipe, train: ImageDataset | None = None) -> Callable[..., State]:
    """Return the loop of a recipe with fresh networks."""
    return training_loop(recipe, recipe.build(), digits() if train is None else train, 0)


def ours(
    recipe: Recipe,
    *,
    loop: Callable[..., State] | None = None,
    bfloat16: bool = False,
    then: Callable[[State], object] = lambda state: None,
) -> Advance:
    """Return the training of a recipe as `gmlib.experiments.fit` does it, without the critic's warm-up."""
    recipe = replace(recipe, warmup=False) if isinstance(recipe, GANRecipe) else recipe
    train = loop or begin(recipe)
    states: list[State] = []

    def advance(steps: int) -> None:
        last = steps + (states[0].step if states else 0)

        def on_start(state: State) -> None:
            if states:  # continue after the last step of the previous call
                state.__dict__ = states[0].__dict__
            states[:] = [state]

        def on_step(state: State) -> None:
            then(state)
            if state.step >= last:
                raise StopTraining

        train_in(None, partial(train, epochs=ENDLESS, bfloat16=bfloat16), on_start=on_start, on_step=on_step)

    return advance
