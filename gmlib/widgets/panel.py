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
PAUSE = 1.0  # seconds of training between two figures: drawing one takes up to half a second
WHOLE_NAME = {"description_width": "initial"}  # do not cut the name of a setting
TRAINING = Lock()  # held by the panel that trains: two at a time would slow each other down

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

    Where a kernel runs, it is a widget: `controls` holds its settings by name, `train_button` and `stop_button` its buttons.
    `run` is the last run, and None before its training has ended; a training that is not stopped returns the same run as
    `fit_profile`. Each run is drawn beside the previous one. Without a kernel, a figure of finished runs is shown.
    """

    def __init__(
        self,
        recipe: Recipe,
        change: Mapping[str, Sequence[float] | Mapping[str, Any]],
        *,
        shown: Mapping[str, Run],
        profile: str = "quick",
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        """Build the panel; nothing is trained yet.

        Args:
            recipe: of a VAE or a GAN of single digits, not autoregressive.
            change: name of each setting to the numbers to choose from, or from names to values of any kind. The recipe's own
                value is among them. The number of epochs can always be set, up to ten times the recipe's own.
            shown: title of each finished run to the run, for the figure; the first training is drawn beside the one of this
                recipe, or else the first.
            profile: "quick" or "full".
            seed: of every training.
            device: where to train: "cpu", "cuda", "mps", or "auto" for a GPU if there is one. `run` is on the CPU in any case.

        Raises:
            InputError: if there is no such profile.
        """
        epochs = recipe.length(profile)
        self.recipe, self.profile, self.seed, self.device = recipe, profile, seed, device
        self.run: Run | None = None
        self.thread: Thread | None = None
        self._stopping = Event()
        self.controls = {name: _dropdown(name, values, recipe.settings()[name]) for name, values in change.items()}
        self.controls["epochs"] = ipywidgets.BoundedIntText(
            epochs, min=1, max=10 * epochs, description="epochs", layout={"width": "10rem"}, style=WHOLE_NAME
        )
        self.train_button = ipywidgets.Button(description="Train", button_style="primary")
        self.stop_button = ipywidgets.Button(description="Stop", disabled=True)
        self.train_button.on_click(self._start_thread)
        self.stop_button.on_click(lambda _: self._stopping.set())
        models = {title: (run.model, run.history) for title, run in shown.items()}
        same_recipe = [title for title, run in shown.items() if run.recipe == recipe]
        title = [*same_recipe, *shown][0]
        self._previous = {title: models[title]}
        self.poster, self.alt = self._draw(models)
        self._status = ipywidgets.HTML()
        self._figure = ipywidgets.HTML(image(self.poster, self.alt))
        row = ipywidgets.Layout(flex_flow="row wrap", grid_gap="0 1rem")
        settings = ipywidgets.HBox([*self.controls.values()], layout=row)
        buttons = ipywidgets.HBox([self.train_button, self.stop_button], layout=row)
        super().__init__([settings, buttons, self._status, self._figure])

    def __repr__(self) -> str:
        return f"TrainingPanel({self.recipe.name!r})"

    def html(self) -> str:
        """Return the panel for a page without a kernel: a `figure` element with finished runs, and a note."""
        settings = ", ".join(name for name in self.controls if name != "epochs")
        note = (
            f"In a notebook, this panel trains: choose other values of {settings} and the number of epochs, and see samples "
            "and losses during training. The figure shows finished runs."
        )
        return f'<figure class="gm-panel">{image(self.poster, self.alt)}<p>{html.escape(note)}</p></figure>'

    def _start_thread(self, _: ipywidgets.Button) -> None:
        """Start a thread that trains with the present values of the controls."""
        if not TRAINING.acquire(blocking=False):
            self._show_status("Another panel is training: stop it, or wait until it has finished.")
            return
        settings = {name: control.value for name, control in self.controls.items()}
        title = ", ".join(f"{name} {control.label}" for name, control in self.controls.items() if name != "epochs")
        self.run = None
        self._stopping.clear()
        self.train_button.disabled, self.stop_button.disabled = True, False
        self.thread = Thread(target=self._train, args=(settings, title), daemon=True)
        self.thread.start()

    def _train(self, settings: dict[str, Any], title: str) -> None:
        """Train until the last epoch, until Stop is pressed or until an error, and show the result."""
        epochs = settings["epochs"]
        next_figure = 0.0  # seconds, on the clock of `time.perf_counter`

        def on_step(state: State) -> None:
            nonlocal next_figure
            if self._stopping.is_set():
                raise StopTraining
            if time.perf_counter() >= next_figure:
                self._show_figure(title, model_of(state.result()), state.history)
                done = state.step / (epochs * len(state.batches))
                bar = f'<progress value="{done:.3f}" max="1" aria-label="training"></progress>'
                self._show_status(f"epoch {state.epoch + 1} of {epochs}.", state.history.rows, bar)
                next_figure = time.perf_counter() + PAUSE

        try:
            recipe = replace(self.recipe, **settings, quick_epochs=epochs)
            run = fit_profile(recipe, self.profile, self.seed, device=self.device, on_step=on_step)
            self._show_figure(title, run.model, run.history)
            self.run, self._previous = run, {f"before: {title}": (run.model, run.history)}
            ended = "Stopped" if run.record["epochs"] < epochs else "Finished"
            self._show_status(f"{ended} after {run.record['epochs']} of {epochs} epochs.", run.history.rows)
        except InputError as error:
            self._show_status(f"No run: {error}.")
        except Exception as error:  # of any kind: nothing else shows an error of this thread
            self._show_status(f"No run: {type(error).__name__}, {one_line(error)}.")
        finally:
            self.train_button.disabled, self.stop_button.disabled = False, True
            TRAINING.release()

    def _show_status(self, sentence: str, rows: Sequence[Any] = (), bar: str = "") -> None:
        """Show a sentence with the main metrics of the last epoch, during training after a progress bar."""
        metrics = headline(rows[-1]) if rows else ""
        role = "" if bar else ' role="status"'  # a screen reader announces the end of training, not every step
        self._status.value = f"<p{role}>{bar} {html.escape(f'{sentence} {metrics}')}</p>"

    def _show_figure(self, title: str, model: VAE | GAN, history: History) -> None:
        """Show the model in training beside the previous one."""
        self._figure.value = image(*self._draw(self._previous | {f"now: {title}": (model, history)}))

    def _draw(self, models: Mapping[str, tuple[VAE | GAN, History]]) -> tuple[bytes, str]:
        """Return a figure of the samples and curves of models as a PNG, and its alternative text."""
        curves = GAN_CURVES if isinstance(self.recipe, GANRecipe) else VAE_CURVES
        figure = samples_and_curves(
            {title: (self._samples(model), history) for title, (model, history) in models.items()}, curves
        )
        descriptions = (
            f"{title}: {SAMPLES} samples after {len(history)} epochs"
            + (f", {headline(history.rows[-1])}" if history.rows else "")
            for title, (_, history) in models.items()
        )
        return png(figure, colours=64), "Samples and curves of runs. " + "; ".join(descriptions) + "."

    def _samples(self, model: VAE | GAN) -> Image:
        """Return samples for the same latents at each call."""
        device = next(model.parameters()).device
        z = torch.randn(SAMPLES, model.latent_dim, generator=stream(self.seed, "panel"), dtype=torch.float32).to(device)
        return model.decode(z, torch.arange(SAMPLES, device=device) % model.num_classes if model.num_classes else None)


def _dropdown(name: str, values: Sequence[float] | Mapping[str, Any], value: Any) -> ipywidgets.Dropdown:
    """Return a list of values to choose from, which also works with a screen reader."""
    options = values if isinstance(values, Mapping) else {f"{number:g}": number for number in values}
    return ipywidgets.Dropdown(
        options=[*options.items()], value=value, description=name, layout={"width": "auto"}, style=WHOLE_NAME
    )
