"""A panel that trains: change a setting, and watch what becomes of samples and losses."""

import html
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Event, Lock, Thread
from typing import Any

import ipywidgets
import torch

from gmlib.errors import InputError, nearest, one_line
from gmlib.experiments.fit import fit_profile
from gmlib.experiments.recipe import GANRecipe, Recipe, VAERecipe
from gmlib.experiments.run import Run, model_of
from gmlib.figures.style import png
from gmlib.figures.training import samples_and_curves
from gmlib.models.gan import GAN
from gmlib.models.vae import VAE
from gmlib.numbers import plain_number
from gmlib.progress import headline
from gmlib.seeds import require_seed, stream
from gmlib.shapes import Image
from gmlib.training.history import History
from gmlib.training.state import State, StopTraining
from gmlib.widgets.poster import WithPoster, image

SAMPLES = 16
PAUSE = 0.5  # seconds between two pictures, at least
SHARE = 2  # and so many times as long as drawing one takes
LONGEST = 10  # times as many epochs as the recipe has
ALONE = Lock()  # one panel trains at a time: two would slow each other down

CURVES: dict[type[Recipe], dict[str, dict[str, str]]] = {
    VAERecipe: {
        "ELBO, nats": {"train_elbo": "training", "validation_elbo": "validation"},
        "KL, nats": {"train_kl": "training", "validation_kl": "validation"},
    },
    GANRecipe: {
        "loss": {"critic_loss": "critic", "generator_loss": "generator"},
        "FID": {"validation_fid": "validation"},
    },
}


class TrainingPanel(WithPoster, ipywidgets.VBox):
    """Train a recipe with other settings, in a thread of its own, and stop it at any time.

    Where a kernel runs, it is a widget: `controls` are its settings, `train` and `stop` its buttons, `run` is what it has
    trained so far, None before. Each run is shown beside the one before it; trained to its end, it is what `fit_profile`
    gives. Where no kernel runs, a figure of finished runs stands for it.
    """

    def __init__(
        self,
        recipe: Recipe,
        change: Mapping[str, Sequence[float] | Mapping[str, Any]],
        *,
        shown: Mapping[str, Run],
        profile: str = "quick",
        seed: int = 0,
        device: str | None = None,
    ) -> None:
        """Lay the panel out; nothing is trained yet.

        Args:
            recipe: what is trained: a VAE or a GAN of single digits, whose pixels are drawn all at once.
            change: name of each setting on offer to the numbers to choose from, or from names to values of any kind. The
                recipe's own value is among them. How many epochs can be set in any case.
            shown: title of each finished run to the run, for the figure; the first training is shown beside the one of this recipe,
                or else the first.
            profile: "quick" or "full".
            seed: of every training.
            device: where to train; None takes a GPU if CUDA finds one. `run` is on the CPU in any case.

        Raises:
            InputError: if the recipe is of another kind, a setting or a value of it cannot be chosen, or no run is shown.
        """
        _require_fitting(recipe, shown)
        seed = require_seed(seed)
        length = recipe.length(profile)
        self.recipe, self.profile, self.seed = recipe, profile, seed
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.run: Run | None = None
        self.thread: Thread | None = None
        self._stopping = Event()
        self.controls = {name: _control(recipe, name, values) for name, values in change.items()}
        self.controls["epochs"] = ipywidgets.BoundedIntText(
            length, min=1, max=LONGEST * length, description="epochs", **_sized("10rem")
        )
        self.train = ipywidgets.Button(description="Train", button_style="primary")
        self.stop = ipywidgets.Button(description="Stop", disabled=True)
        self.train.on_click(self._begin)
        self.stop.on_click(lambda _: self._stopping.set())
        self._due = 0.0  # when the next picture is
        first = next(iter(shown))
        models = {title: (run.model, run.history) for title, run in shown.items()}
        self._before = next(
            ((title, models[title]) for title, run in shown.items() if run.recipe == recipe), (first, models[first])
        )
        self.poster, self.alt = self._drawn(models)
        self._status = ipywidgets.HTML()
        self._picture = ipywidgets.HTML(image(self.poster, self.alt))
        row = ipywidgets.Layout(flex_flow="row wrap", grid_gap="0 1rem")
        settings = ipywidgets.HBox([*self.controls.values()], layout=row)
        super().__init__([settings, ipywidgets.HBox([self.train, self.stop], layout=row), self._status, self._picture])

    def __repr__(self) -> str:
        return f"TrainingPanel({self.recipe.name!r})"

    def html(self) -> str:
        """Write the panel for a page without a kernel.

        Returns:
            A `figure`: finished runs, and a sentence about what it is in a notebook.
        """
        settings = ", ".join(name for name in self.controls if name != "epochs")
        words = (
            f"In a notebook this is a panel that trains: choose another {settings} or number of epochs, and watch samples and "
            "losses as they come. Here are runs that have ended."
        )
        return f'<figure class="gm-panel">{image(self.poster, self.alt)}<p>{html.escape(words)}</p></figure>'

    def _begin(self, _: ipywidgets.Button) -> None:
        """Start a thread that trains with what the controls say now."""
        if not ALONE.acquire(blocking=False):
            self._say("Another panel is training: stop it, or wait until it is done.")
            return
        changed = {name: control.value for name, control in self.controls.items()}
        named = {name: getattr(control, "label", control.value) for name, control in self.controls.items()}
        title = ", ".join(f"{name} {value}" for name, value in named.items() if name != "epochs")
        self.run = None
        self._stopping.clear()
        self.train.disabled, self.stop.disabled = True, False
        self.thread = Thread(target=self._train, args=(changed, f"now: {title}"), daemon=True)
        self.thread.start()

    def _train(self, changed: dict[str, Any], title: str) -> None:
        """Train until the end, the press of Stop or an error, and say which it was."""
        self._due = 0.0
        epochs = changed["epochs"]

        def look(state: State) -> None:
            if self._stopping.is_set():
                raise StopTraining
            if time.perf_counter() >= self._due:
                self._show(title, model_of(state.result()), state.history)
                done = state.step / (epochs * len(state.batches))
                bar = f'<progress value="{done:.3f}" max="1" aria-label="training"></progress>'
                self._say(f"epoch {state.epoch + 1} of {epochs}.", state.history.rows, bar)

        try:
            recipe = replace(self.recipe, **changed, quick_epochs=epochs)
            run = fit_profile(recipe, self.profile, self.seed, device=self.device, on_step=look)
            run.model.cpu()
            self._show(title, run.model, run.history)
            self.run, self._before = run, (title.replace("now", "before"), (run.model, run.history))
            ended = "Stopped" if run.about["epochs"] < epochs else "Done"
            self._say(f"{ended} after {run.about['epochs']} of {epochs} epochs.", run.history.rows)
        except InputError as error:
            self._say(f"No run: {error}.")
        except Exception as error:  # whatever it is, in a thread nobody would see it
            self._say(f"No run: {type(error).__name__}, {one_line(error)}.")
        finally:
            self.train.disabled, self.stop.disabled = False, True
            ALONE.release()

    def _say(self, sentence: str, rows: Sequence[Any] = (), bar: str = "") -> None:
        """Write the line of status: a bar while it trains, a sentence, and the numbers that matter of the last row."""
        numbers = headline(rows[-1]) if rows else ""
        role = "" if bar else ' role="status"'  # a screen reader hears how it ended, and not each number along the way
        self._status.value = f"<p{role}>{bar} {html.escape(f'{sentence} {numbers}')}</p>"

    def _show(self, title: str, model: VAE | GAN, history: History) -> None:
        """Show a model beside the one before it."""
        started = time.perf_counter()
        self._picture.value = image(*self._drawn(dict([self._before]) | {title: (model, history)}))
        now = time.perf_counter()
        self._due = now + max(PAUSE, SHARE * (now - started))

    def _drawn(self, runs: Mapping[str, tuple[VAE | GAN, History]]) -> tuple[bytes, str]:
        """Draw samples and curves of models, and describe them in words."""
        curves = next(curves for kind, curves in CURVES.items() if isinstance(self.recipe, kind))
        figure = samples_and_curves(
            {title: (self._samples(model), history) for title, (model, history) in runs.items()}, curves
        )
        seen = (
            f"{title}: {SAMPLES} samples after {len(history)} epochs"
            + (f", {headline(history.rows[-1])}" if history.rows else "")
            for title, (_, history) in runs.items()
        )
        return png(figure, colours=64), "Samples and curves of runs. " + "; ".join(seen) + "."

    def _samples(self, model: VAE | GAN) -> Image:
        """Decode the same latents each time; a model in training is left as it was."""
        device = next(model.parameters()).device
        z = torch.randn(SAMPLES, model.latent_dim, generator=stream(self.seed, "panel"), dtype=torch.float32).to(device)
        return model.decode(z, torch.arange(SAMPLES, device=device) % model.num_classes if model.num_classes else None)


def _control(recipe: Recipe, name: str, values: Sequence[float] | Mapping[str, Any]) -> ipywidgets.Dropdown:
    """Make the control of a setting: a list to choose from, which has exact values and reads well aloud."""
    known = recipe.settings()
    if name not in known or name == "epochs":
        raise InputError(
            f"got the setting {name!r}, expected one of the recipe's, other than epochs, which has its control already"
            f"{nearest(name, known)}"
        )
    named = dict(values) if isinstance(values, Mapping) else {_written(name, value): value for value in values}
    for value in named.values():
        changed: dict[str, Any] = {name: value}
        replace(recipe, **changed)  # which refuses what is no such setting
    if known[name] not in named.values():
        raise InputError(
            f"got {name} from {', '.join(named) or 'nothing'}, expected {recipe.name}'s own {known[name]} among them: the panel begins "
            "with the recipe as it is"
        )
    return ipywidgets.Dropdown(options=list(named.items()), value=known[name], description=name, **_sized("auto"))


def _written(name: str, value: float) -> str:
    """Write a number as the reader chooses it, and refuse what is none."""
    value = plain_number(value)
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InputError(
            f"got {value!r} for {name}, expected numbers from 0 on: give values of another kind as names to values"
        )
    return f"{value:g}"


def _sized(width: str) -> dict[str, Any]:
    """Let a control be as wide as what it says."""
    return {"layout": {"width": width}, "style": {"description_width": "initial"}}


def _require_fitting(recipe: Recipe, shown: Mapping[str, Run]) -> None:
    """Refuse what cannot be trained and watched here."""
    autoregressive = isinstance(recipe, VAERecipe) and recipe.pixelcnn
    stack = isinstance(recipe, GANRecipe) and recipe.stack > 1
    if not isinstance(recipe, tuple(CURVES)) or autoregressive or stack:
        raise InputError(
            f"got the recipe {recipe.name}, expected a VAE or a GAN of single digits whose pixels are drawn all at once, such as "
            "recipes.VAE: it is drawn twice a second"
        )
    if not shown or not all(isinstance(run.recipe, type(recipe)) for run in shown.values()):
        raise InputError(
            f"got {len(shown)} runs to show, expected at least one, and all of {recipe.name}'s kind: train one with fit, or "
            "take a pretrained one"
        )
