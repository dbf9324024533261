"""A panel that trains: the reader changes settings, and sees samples and losses during training."""

import html
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Event, Lock, Thread
from typing import Any

import ipywidgets
import torch

from gmlib.errors import InputError, one_line
from gmlib.experiments.fit import fit_profile
from gmlib.experiments.recipe import GANRecipe, Recipe
from gmlib.experiments.run import Run, model_of
from gmlib.figures.style import png
from gmlib.figures.training import samples_and_curves
from gmlib.models.gan import GAN
from gmlib.models.vae import VAE
from gmlib.progress import headline
from gmlib.seeds import stream
from gmlib.shapes import Image
from gmlib.training.history import History
from gmlib.training.state import State, StopTraining
from gmlib.widgets.poster import WithPoster, image

SAMPLES = 16
PAUSE = 0.5  # seconds between two pictures, at least
SHARE = 2  # and at least so many times as long as drawing one takes
LONGEST = 10  # times the recipe's own number of epochs
ALONE = Lock()  # one panel trains at a time: two would slow each other down

VAE_CURVES = {
    "ELBO, nats": {"train_elbo": "training", "validation_elbo": "validation"},
    "KL, nats": {"train_kl": "training", "validation_kl": "validation"},
}
GAN_CURVES = {
    "loss": {"critic_loss": "critic", "generator_loss": "generator"},
    "FID": {"validation_fid": "validation"},
}


class TrainingPanel(WithPoster, ipywidgets.VBox):
    """Train a recipe with other settings, in a thread, and stop it at any time.

    Where a kernel runs, it is a widget: `controls` holds its settings, `train` and `stop` its buttons. `run` is the run of the
    last training, and None before the first; a training that is not stopped returns the same run as `fit_profile`. Each run is
    drawn beside the one before. Where no kernel runs, a figure of finished runs is shown.
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
        """Build the panel; nothing is trained yet.

        Args:
            recipe: what is trained: of a VAE or a GAN of single digits, not autoregressive.
            change: name of each setting to the numbers to choose from, or from names to values of any kind. The recipe's own
                value is among them. The number of epochs can always be set.
            shown: title of each finished run to the run, for the figure; the first training is drawn beside the one of this
                recipe, or else the first.
            profile: "quick" or "full".
            seed: of every training.
            device: where to train; None takes a GPU if CUDA finds one. `run` is on the CPU in any case.

        Raises:
            InputError: if a recipe cannot have one of the values, or there is no such profile.
        """
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
        self._due = 0.0  # when the next picture is due
        models = {title: (run.model, run.history) for title, run in shown.items()}
        own = [title for title, run in shown.items() if run.recipe == recipe]
        title = [*own, *shown][0]
        self._before = title, models[title]
        self.poster, self.alt = self._drawn(models)
        self._status = ipywidgets.HTML()
        self._picture = ipywidgets.HTML(image(self.poster, self.alt))
        row = ipywidgets.Layout(flex_flow="row wrap", grid_gap="0 1rem")
        settings = ipywidgets.HBox([*self.controls.values()], layout=row)
        super().__init__([settings, ipywidgets.HBox([self.train, self.stop], layout=row), self._status, self._picture])

    def __repr__(self) -> str:
        return f"TrainingPanel({self.recipe.name!r})"

    def html(self) -> str:
        """Return the panel for a page without a kernel.

        Returns:
            A `figure` element: finished runs, and a sentence on what the panel does in a notebook.
        """
        settings = ", ".join(name for name in self.controls if name != "epochs")
        words = (
            f"In a notebook this is a panel that trains: choose another {settings} or number of epochs, and watch samples and "
            "losses as they come. Here are runs that have ended."
        )
        return f'<figure class="gm-panel">{image(self.poster, self.alt)}<p>{html.escape(words)}</p></figure>'

    def _begin(self, _: ipywidgets.Button) -> None:
        """Start a thread that trains with the present values of the controls."""
        if not ALONE.acquire(blocking=False):
            self._report("Another panel is training: stop it, or wait until it is done.")
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
        """Train until the end, until Stop is pressed or until an error, and display which it was."""
        self._due = 0.0
        epochs = changed["epochs"]

        def look(state: State) -> None:
            if self._stopping.is_set():
                raise StopTraining
            if time.perf_counter() >= self._due:
                self._show(title, model_of(state.result()), state.history)
                done = state.step / (epochs * len(state.batches))
                bar = f'<progress value="{done:.3f}" max="1" aria-label="training"></progress>'
                self._report(f"epoch {state.epoch + 1} of {epochs}.", state.history.rows, bar)

        try:
            recipe = replace(self.recipe, **changed, quick_epochs=epochs)
            run = fit_profile(recipe, self.profile, self.seed, device=self.device, on_step=look)
            run.model.cpu()
            self._show(title, run.model, run.history)
            self.run, self._before = run, (title.replace("now", "before", 1), (run.model, run.history))
            ended = "Stopped" if run.record["epochs"] < epochs else "Done"
            self._report(f"{ended} after {run.record['epochs']} of {epochs} epochs.", run.history.rows)
        except InputError as error:
            self._report(f"No run: {error}.")
        except Exception as error:  # of any kind: the panel is the only place where an error in a thread is seen
            self._report(f"No run: {type(error).__name__}, {one_line(error)}.")
        finally:
            self.train.disabled, self.stop.disabled = False, True
            ALONE.release()

    def _report(self, sentence: str, rows: Sequence[Any] = (), bar: str = "") -> None:
        """Display the status: a progress bar during training, a sentence, and the main metrics of the last epoch."""
        numbers = headline(rows[-1]) if rows else ""
        role = "" if bar else ' role="status"'  # a screen reader announces the end of training, not every step
        self._status.value = f"<p{role}>{bar} {html.escape(f'{sentence} {numbers}')}</p>"

    def _show(self, title: str, model: VAE | GAN, history: History) -> None:
        """Display a model beside the one before it."""
        started = time.perf_counter()
        self._picture.value = image(*self._drawn(dict([self._before]) | {title: (model, history)}))
        now = time.perf_counter()
        self._due = now + max(PAUSE, SHARE * (now - started))

    def _drawn(self, runs: Mapping[str, tuple[VAE | GAN, History]]) -> tuple[bytes, str]:
        """Return a picture of samples and curves of models, and its alternative text."""
        curves = GAN_CURVES if isinstance(self.recipe, GANRecipe) else VAE_CURVES
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
        """Return samples from the same latents each time; the mode of a model in training does not change."""
        device = next(model.parameters()).device
        z = torch.randn(SAMPLES, model.latent_dim, generator=stream(self.seed, "panel"), dtype=torch.float32).to(device)
        return model.decode(z, torch.arange(SAMPLES, device=device) % model.num_classes if model.num_classes else None)


def _control(recipe: Recipe, name: str, values: Sequence[float] | Mapping[str, Any]) -> ipywidgets.Dropdown:
    """Return the control of a setting: a list, which offers exact values and works with screen readers."""
    named = dict(values) if isinstance(values, Mapping) else {f"{value:g}": value for value in values}
    for value in named.values():
        changed: dict[str, Any] = {name: value}
        replace(recipe, **changed)  # raises if no recipe can have this value
    own = recipe.settings()[name]
    return ipywidgets.Dropdown(options=list(named.items()), value=own, description=name, **_sized("auto"))


def _sized(width: str) -> dict[str, Any]:
    """Return the options of a control that is as wide as its text."""
    return {"layout": {"width": width}, "style": {"description_width": "initial"}}
