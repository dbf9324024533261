"""The command line: gmlib list | train | sample | evaluate | show | grade."""

import io
import math
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Generator

from gmlib import parallel, recipes, zoo
from gmlib.device import choose_device
from gmlib.display import show
from gmlib.errors import InputError, nearest
from gmlib.experiments.fit import default_epochs, fit
from gmlib.experiments.profiles import PROFILES
from gmlib.experiments.recipe import ClassifierRecipe, Recipe, VAERecipe
from gmlib.experiments.recipe_file import RecipeFile, names_recipe_file, read_recipe_file, recipe_from
from gmlib.experiments.run import Run, networks_of, save_run
from gmlib.experiments.tables import metrics_table
from gmlib.files import require_writable, to_json, write_whole
from gmlib.measuring import Splits, evaluate_run
from gmlib.metrics.scorer import MNIST_NAMES
from gmlib.progress import Progress, TensorBoard
from gmlib.seeds import require_seed
from gmlib.training.checkpoint import checkpoints
from gmlib.training.state import State

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # a mistake gets a plain sentence, not a box
    pretty_exceptions_enable=False,
    help="Deep generative models on handwritten digits: train them, sample from them, read their recipes.",
)

DATA_HELP = (
    "mnist5k, mnist, fashion_mnist or kmnist, whose files are looked for in $GMLIB_DATA and the cache; or a path: a folder of "
    "IDX files, a folder of pictures with one folder per class, or an .npz file"
)
RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME-or-FILE.py:NAME",
        help="a recipe, as `gmlib list` prints it, or classifier; or a recipe in a Python file of your own, such as my.py:MY_VAE",
    ),
]
RunArgument = Annotated[str, typer.Argument(metavar="NAME-or-RUN", help="a shipped recipe, or the folder of a run")]
ClassesOption = Annotated[
    str | None, typer.Option(metavar="FILE", help="names of the classes, one per line, for a --data of your own")
]


class StoppedError(InputError):
    """Training was stopped by Ctrl-C; the message names what is kept, and the command that continues."""

    def __init__(self, folder: Path | None, again: str = "the same command and --resume") -> None:
        """Write the message; the folder of the run is None before its name is known."""
        super().__init__(
            f"stopped; {folder} keeps the run up to its last checkpoint: go on with {again}"
            if folder and checkpoints(folder)
            else "stopped before the first step was done: nothing was kept, start again with the same command"
        )


@app.command("list")
def list_recipes() -> None:
    """List the recipes, and which of them ship with the weights of a full run."""
    width = max(map(len, recipes.ALL))
    for name, recipe in recipes.ALL.items():
        shipped = "shipped" if zoo.is_shipped(name) else "not shipped"
        typer.echo(f"{name:<{width}} {shipped:<12} {recipe.about}")


@app.command("show")
def show_recipe(name: RecipeArgument) -> None:
    """Print a recipe: its settings, where it departs from its source, and its layers."""
    recipe, _ = find_recipe(name)
    typer.echo(show(recipe))
    for network in networks_of(recipe.build()).values():
        typer.echo(f"\n{show(network)}")


@app.command()
def train(
    source: RecipeArgument,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="quick|full",
            help="quick: the embedded 5,000 digits; full: all of MNIST; with --data, the number of epochs only [default: quick]",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="fixes weights, order and noise")] = 0,
    epochs: Annotated[int | None, typer.Option(help="how long to train [default: the recipe's]")] = None,
    data: Annotated[str | None, typer.Option(metavar="NAME-or-PATH", help=DATA_HELP)] = None,
    classes: ClassesOption = None,
    download: Annotated[
        bool, typer.Option("--download", help="fetch the dataset into the cache folder if missing")
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="folder of the run [default: runs/NAME-PROFILE-SEED or runs/NAME-DATA-SEED]"),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="continue from the newest checkpoint in the folder of the run, if there is one"),
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
    precision: Annotated[
        str | None, typer.Option(help="float32 or bfloat16, in which networks compute [default: the recipe's]")
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="write curves for TensorBoard too")] = False,
) -> None:
    """Train a recipe; the folder of the run gets checkpoints on the way, and weights, history and metrics at the end.

    Started by torchrun, several processes train together.
    """
    recipe, file = find_recipe(source)
    folder, data_path = path_of("--out", out), path_of("--data", data)
    recipe.length(profile or "quick")  # raises InputError if there is no such profile
    if epochs is not None and epochs < 1:
        raise InputError(f"got --epochs {epochs}, expected 1 or more: omit it for the recipe's own number")
    chosen_device = parallel.init(choose_device(device))
    try:
        splits = Splits.read(data or PROFILES[profile or "quick"], path_of("--classes", classes), download=download)
        epochs = epochs or default_epochs(recipe, splits.train, profile)
        folder = folder or Path("runs") / f"{recipe.name}-{splits.name if data_path else profile or 'quick'}-{seed}"
        options = {"epochs": epochs, "seed": seed, "device": chosen_device, "precision": precision, "resume": resume}
        train_on(splits, recipe, folder, file, tensorboard=tensorboard, **options)
    except KeyboardInterrupt:
        raise StoppedError(folder) from None
    finally:
        parallel.shutdown()


@app.command()
def sample(
    source: RunArgument,
    n: Annotated[int, typer.Option("-n", help="how many images")] = 100,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS", help="number or name of the class to draw, for a conditional recipe [default: all]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="fixes the draws")] = 0,
    mean: Annotated[bool, typer.Option("--mean", help="show probabilities instead of draws")] = False,
    out: Annotated[str, typer.Option(metavar="FILE", help="the picture to write")] = "samples.png",
) -> None:
    """Draw images from a model and write them as one picture."""
    from gmlib.figures import image_grid  # matplotlib takes half a second
    from gmlib.figures.style import png

    picture = path_of("--out", out)
    if picture.suffix.lower() != ".png":
        raise InputError(f"got --out {picture}, expected a name that ends in .png")
    if not 1 <= n <= 10_000:
        raise InputError(f"got n = {n} samples, expected 1 or more, and at most 10,000 on one picture")
    require_seed(seed)
    require_writable(picture)
    run = find_run(source)
    if isinstance(run.recipe, ClassifierRecipe):
        raise InputError(f"got the classifier, expected a model that draws images ({', '.join(recipes.ALL)})")
    if mean and not isinstance(run.recipe, VAERecipe):
        raise InputError("got --mean for a GAN, expected draws: its images are not probabilities, so omit --mean")
    columns, remark = math.ceil(math.sqrt(n)), ""
    labels = None if label is None else class_number(label, run)
    if label is None and (num_classes := run.model.num_classes):
        columns, labels = min(n, num_classes), torch.arange(n) % num_classes
        remark = f"; no --label was given, so each column is a class, from 0 to {columns - 1}"
    images = run.model.sample(n, labels, generator=Generator().manual_seed(seed), **({"mean": True} if mean else {}))
    write_whole(picture, png(image_grid(images, columns=columns)))
    typer.echo(
        f"wrote {picture}: {n} {'probability maps' if mean else 'draws'} from {run.recipe.name}, seed {seed}{remark}"
    )


@app.command()
def evaluate(
    source: RunArgument,
    data: Annotated[
        str | None,
        typer.Option(metavar="NAME-or-PATH", help=f"{DATA_HELP} [default: what the run was trained on]"),
    ] = None,
    classes: ClassesOption = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="folder of a classifier that was trained on the same data [default: the shipped one, or runs/classifier-DATA-0]",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="the json to write [default: evaluation.json in the folder of the run, or runs/evaluate/NAME.json for what ships]",
        ),
    ] = None,
) -> None:
    """Measure a model on test images. A model of MNIST is measured on the embedded digits, and on the official 10,000 if they are found."""
    file, scorer_folder = path_of("--out", out), path_of("--scorer", scorer)
    class_file, _ = path_of("--classes", classes), path_of("--data", data)
    run = find_run(source)
    if file is None:
        for_shipped = Path("runs") / "evaluate" / f"{run.recipe.name}.json"
        file = Path(source) / "evaluation.json" if Path(source).is_dir() else for_shipped
    require_evaluation_file(file)
    evaluation = evaluate_run(run, data, class_file, scorer_folder)
    write_whole(
        file, to_json({**run.record, "evaluated_on": evaluation.data, "metrics": evaluation.metrics}, str(file))
    )
    typer.echo(metrics_table(evaluation.metrics))
    changed = [f"{each.name} was {each.stored}" for each in evaluation.comparisons if not each.same]
    if changed:
        typer.echo(f"not as stored: {', '.join(changed)}")
    elif evaluation.comparisons:
        typer.echo(f"all {len(evaluation.comparisons)} as stored with the run")
    if evaluation.not_measured:
        typer.echo(evaluation.not_measured)
    typer.echo(f"wrote {file}")


@app.command("grade")
def grade_notebooks(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="handed-in notebooks")],
    yes: Annotated[bool, typer.Option("--yes", help="execute their code without asking")] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="longest time per notebook")] = 600,
) -> None:
    """Run handed-in notebooks and print which of their checks are right. Their code is executed with your rights."""
    from gmlib import grading

    if not timeout > 0:
        raise InputError(f"got --timeout {timeout:g}, expected a number of seconds above 0")
    notebooks, unread = {}, False
    for file in files:
        try:
            notebooks[file] = grading.read_notebook(file)
        except InputError as error:
            unread = True
            typer.echo(f"gmlib: {error}", err=True)
    if notebooks:
        require_consent(", ".join(notebooks), timeout, yes)
        for line in grading.tables(notebooks, timeout):
            typer.echo(line)
    if unread:
        raise typer.Exit(2)


def find_recipe(source: str) -> tuple[Recipe, RecipeFile | None]:
    """Return the recipe of a name and None, or the recipe from FILE.py:NAME and this file."""
    if names_recipe_file(source):
        file = read_recipe_file(source)
        return recipe_from(file), file
    if ".py" in source:
        raise InputError(
            f"got {source!r}, expected FILE.py:NAME, such as my.py:MY_VAE: add the name of a recipe in the file"
        )
    return recipes.by_name(source), None


def find_run(source: str) -> Run:
    """Load a run by its folder or by the name of a shipped recipe; print a line if there are both of this name."""
    if source in zoo.shipped() and Path(source).is_dir():
        typer.echo(f"gmlib: reading the folder {source}, not the shipped run of that name", err=True)
    return zoo.find_run(source)


def train_on(
    splits: Splits,
    recipe: Recipe,
    folder: Path,
    file: RecipeFile | None = None,
    *,
    tensorboard: bool = False,
    **options: Any,
) -> None:
    """Train a recipe on a dataset, compute the metrics, write the run, and print its metrics; `options` are those of `fit`.

    Of several processes, only the first one computes metrics, writes and prints.
    """
    first = parallel.rank() == 0
    splits.require_labels(recipe)
    scorer, not_measured = splits.scorer(recipe, training=True)
    if file:
        file.require_place(folder)
    if first and splits.source not in MNIST_NAMES:
        typer.echo(f"{splits.description()}; {options['epochs']} epochs")
    if first and not_measured:
        typer.echo(not_measured)
    progress = Progress(options["epochs"], typer.echo if first else lambda row: None)
    board = TensorBoard(folder) if tensorboard and first else None

    def on_epoch(state: State) -> None:
        progress.epoch(state)
        if board:
            board.epoch(state)

    try:
        run = fit(
            recipe,
            splits.train,
            splits.validation,
            scorer=scorer,
            out=folder,
            on_step=progress.step,
            on_epoch=on_epoch,
            **options,
        )
    finally:
        progress.close()
        if board:
            board.close()
    if not first:
        return
    run.record |= {"data_from": splits.source} | (file.record if file else {})
    if file:
        file.copy_to(folder)
    run = save_run(run, folder, lambda run: splits.metrics_of(run, scorer))
    typer.echo(metrics_table(run.metrics))
    if died := run.history.critic_died():
        typer.echo(f"note: {died}")
    next_command = "" if isinstance(recipe, ClassifierRecipe) else f"; look at it with: gmlib sample {folder}"
    typer.echo(f"wrote {folder / recipe.name}.safetensors{next_command}")


def class_number(label: str, run: Run) -> int:
    """Return the number of the class that --label names, by its name or, if no class has this name, by its number."""
    num_classes, names = run.model.num_classes, [str(name) for name in run.record.get("classes", [])]
    if not num_classes:
        raise InputError(
            f"got --label {label} for {run.recipe.name}, an unconditional model, expected none: omit it, or take a conditional recipe"
        )
    if label in names:
        return names.index(label)
    if not label.isdecimal() or int(label) >= num_classes:
        known = f" or one of {', '.join(names)}" if names and names != [*map(str, range(num_classes))] else ""
        raise InputError(
            f"got --label {label}, expected a class from 0 to {num_classes - 1}{known}{nearest(label, names)}"
        )
    return int(label)


def require_consent(names: str, timeout: float, yes: bool) -> None:
    """Print which notebooks will be executed; without --yes, ask once, and end if the answer is no or nobody can answer."""
    typer.echo(
        f"gmlib grade executes the code of these notebooks with your rights, each in a temporary folder and for at most {timeout:g} s: "
        f"{names}"
    )
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError(
            "got no --yes, and no terminal to ask in: nothing was executed; add --yes to execute the notebooks"
        )
    typer.confirm("Execute them?", abort=True)


def path_of(option: str, text: str | None) -> Any:
    """Return the value of an option as a path, or None if it is omitted; raise InputError for "", from an unset variable."""
    if text == "":
        raise InputError(f"got an empty {option}, expected a path: name one, or omit {option}")
    return None if text is None else Path(text)


def require_evaluation_file(path: Path) -> None:
    """Raise InputError if an evaluation cannot be written here, or would replace anything but an earlier evaluation."""
    if path.suffix.lower() != ".json":
        raise InputError(f"got --out {path}, expected a name that ends in .json")
    require_writable(path)
    if path.exists() and b'"evaluated_on"' not in path.read_bytes():
        raise InputError(f"{path} exists and holds no evaluation by gmlib, so it is not replaced: choose another --out")


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; for a user's mistake, print one sentence and exit with status 2."""
    os.environ["MPLBACKEND"] = "agg"  # pictures are written to files, without a window
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell
            setattr(sys, name, io.StringIO())
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a letter that the terminal cannot show becomes a question mark
    prints = parallel.rank() == 0  # of several processes, the first one alone
    try:
        return app(arguments)
    except InputError as error:
        message = str(error)
        prints = prints or isinstance(error, parallel.AloneError)
    except OSError as error:  # a path without permission, or too long for the file system
        message = (
            f"cannot use {error.filename or 'the output'} ({error.strerror}): name a path that you may read and write"
        )
    except RuntimeError:
        if parallel.rank() == 0:
            raise
        sys.exit(2)  # the first process has exited with its message
    if prints:
        typer.echo(f"gmlib: {message}", err=True)
    sys.exit(2)
