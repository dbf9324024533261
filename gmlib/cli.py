"""The command line: gmlib list | train | retrain | sample | evaluate | show."""

import io
import json
import math
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Generator
from tqdm import tqdm

from gmlib import parallel, recipes
from gmlib.data import mnist_folder
from gmlib.device import choose_device
from gmlib.display import show
from gmlib.errors import InputError, nearest
from gmlib.experiment import require_measurable
from gmlib.files import require_writable, to_json, write_whole
from gmlib.progress import Progress, TensorBoard
from gmlib.report import compared, expected, metrics_table
from gmlib.run import Run
from gmlib.seeds import require_seed
from gmlib.train.folder import checkpoints
from gmlib.train.state import State

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # a mistake gets a plain sentence, not a box
    pretty_exceptions_enable=False,
    help="Deep generative models on handwritten digits: train them, sample from them, read their recipes.",
)

DATA_HELP = "folder of the four MNIST files [default: $GMLIB_DATA]"
NOT_AT_HAND = "the official test digits are not at hand: name their folder with --data to measure on them too"

Name = Annotated[str, typer.Argument(help="name of a recipe, as `gmlib list` prints it, or classifier")]


class StoppedError(InputError):
    """Ctrl-C in training: what is kept, and how to go on."""

    def __init__(self, folder: Path, again: str = "the same command and --resume") -> None:
        """Look at what the folder keeps.

        Args:
            folder: of the run.
            again: how a run with checkpoints goes on.
        """
        self.folder = folder
        super().__init__(
            f"stopped; {folder} keeps the run up to its last checkpoint: go on with {again}"
            if checkpoints(folder)
            else "stopped before the first step was done: nothing was kept, start again with the same command"
        )


@app.command("list")
def list_recipes() -> None:
    """List the recipes, and which of them ship with the weights of a full run."""
    width = max(map(len, recipes.ALL))
    for name, recipe in recipes.ALL.items():
        shipped = "shipped" if recipes.is_shipped(name) else "not shipped"
        typer.echo(f"{name:<{width}} {shipped:<12} {recipe.about}")


@app.command("show")
def show_recipe(name: Name) -> None:
    """Print a recipe: its settings, where it departs from its source, and its layers.

    Args:
        name: of the recipe.
    """
    recipe = recipes.by_name(name)
    typer.echo(show(recipe))
    for network in recipe.build().values():
        typer.echo(f"\n{show(network)}")


@app.command()
def train(
    name: Name,
    profile: Annotated[str, typer.Option(help="quick: the embedded 5,000 digits; full: all of MNIST")] = "quick",
    seed: Annotated[int, typer.Option(help="fixes weights, order and noise")] = 0,
    epochs: Annotated[int | None, typer.Option(help="how long to train [default: the recipe's]")] = None,
    data: Annotated[str | None, typer.Option(metavar="DIR", help=DATA_HELP)] = None,
    download: Annotated[bool, typer.Option("--download", help="fetch MNIST into the cache folder if missing")] = False,
    out: Annotated[
        str | None, typer.Option(metavar="DIR", help="folder of the run [default: runs/NAME-PROFILE-SEED]")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="go on from the newest checkpoint in the folder of the run, if there is one"),
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
    precision: Annotated[
        str | None, typer.Option(help="float32 or bfloat16, in which networks compute [default: the recipe's]")
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="write curves for TensorBoard too")] = False,
) -> None:
    """Train a recipe; the folder of the run gets checkpoints on the way, and weights, history and metrics at the end.

    Started by torchrun, several processes train together.

    Args:
        name: of the recipe.
        profile: "quick" or "full".
        seed: of the run.
        epochs: in place of the recipe's.
        data: folder of the full data.
        download: whether the full data may be fetched.
        out: folder of the run.
        resume: whether to go on with what is there.
        device: where to train.
        precision: in which the networks compute.
        tensorboard: whether TensorBoard gets the numbers of each epoch.
    """
    recipe, root = recipes.by_name(name), path_of("--data", data)
    folder = path_of("--out", out) or Path("runs") / f"{name}-{profile}-{seed}"
    recipe.length(profile)
    if epochs is not None:
        if epochs < 1:
            raise InputError(f"got --epochs {epochs}, expected 1 or more: omit it for the recipe's own number")
        recipe = replace(recipe, epochs=epochs) if profile == "full" else replace(recipe, quick_epochs=epochs)
    for option, given in {"--download": download, "--data": root}.items():
        if given and profile != "full":
            raise InputError(
                f"got {option} with the quick profile, whose digits are embedded: omit it, or add --profile full"
            )
    if download:
        root = mnist_folder(root, download=True)
    where = parallel.init(choose_device(device))
    progress = Progress(recipe.length(profile), typer.echo if parallel.rank() == 0 else lambda row: None)
    board = TensorBoard(folder) if tensorboard and parallel.rank() == 0 else None

    def on_epoch(state: State) -> None:
        progress.epoch(state)
        if board:
            board.epoch(state)

    try:
        if parallel.rank() == 0:
            require_measurable(recipe, profile, root)
        run = recipe.fit(
            profile,
            seed,
            root=root,
            device=where,
            precision=precision,
            out=folder,
            resume=resume,
            on_step=progress.step,
            on_epoch=on_epoch,
        )
        progress.close()
        if parallel.rank() > 0:
            return  # the first process measures and writes
        run = run.save(folder, root, watch)
    except KeyboardInterrupt:
        raise StoppedError(folder) from None
    finally:
        progress.close()
        if board:
            board.close()
        parallel.shutdown()
    typer.echo(metrics_table(run.metrics))
    look = f"; look at it with: gmlib sample {folder}" if name in recipes.ALL else ""
    typer.echo(f"wrote {folder / name}.safetensors and .json{look}")


@app.command()
def sample(
    source: Annotated[str, typer.Argument(metavar="NAME-or-RUN", help="a shipped recipe, or the folder of a run")],
    n: Annotated[int, typer.Option("-n", help="how many images")] = 100,
    label: Annotated[
        int | None, typer.Option(help="the digit to draw, for a conditional recipe [default: all ten]")
    ] = None,
    seed: Annotated[int, typer.Option(help="fixes the draws")] = 0,
    mean: Annotated[bool, typer.Option("--mean", help="show probabilities instead of draws")] = False,
    out: Annotated[str, typer.Option(metavar="FILE", help="the picture to write")] = "samples.png",
) -> None:
    """Draw images from a model and write them as one picture.

    Args:
        source: name of a shipped recipe, or folder of a run.
        n: how many images.
        label: the digit, for a conditional recipe.
        seed: of the draws.
        mean: whether to show the probability of each pixel.
        out: the PNG file.
    """
    from gmlib.figures import image_grid  # matplotlib takes half a second
    from gmlib.figures.style import png

    picture = path_of("--out", out)
    if picture.suffix.lower() != ".png":
        raise InputError(f"got --out {picture}, expected a name that ends in .png")
    if not 1 <= n <= 10_000:
        raise InputError(f"got n = {n} samples, expected 1 or more, and at most 10,000 on one picture")
    if label is not None and not 0 <= label <= 9:
        raise InputError(f"got --label {label}, expected a digit from 0 to 9")
    require_seed(seed)
    require_writable(picture)
    run = find_run(source)
    if run.recipe.name == recipes.CLASSIFIER.name:
        raise InputError(f"got the classifier, expected a model that draws images ({', '.join(recipes.ALL)})")
    columns = math.ceil(math.sqrt(n))
    labels, note = None if label is None else torch.full((n,), label), ""
    if label is None and run.num_classes:
        columns, labels = min(n, 10), torch.arange(n) % 10
        note = f"; no --label was given, so each column is a digit, from 0 to {columns - 1}"
    images = run.sample(n, labels, generator=Generator().manual_seed(seed), mean=mean)
    write_whole(picture, png(image_grid(images, columns=columns)))
    typer.echo(
        f"wrote {picture}: {n} {'probability maps' if mean else 'draws'} from {run.recipe.name}, seed {seed}{note}"
    )


@app.command()
def evaluate(
    source: Annotated[
        str | None, typer.Argument(metavar="NAME-or-RUN", help="a shipped recipe, or the folder of a run")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="measure all that ships, against what is stored")] = False,
    data: Annotated[str | None, typer.Option(metavar="DIR", help=DATA_HELP)] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="the json to write [default: evaluation.json in the folder of the run, or runs/evaluate/NAME.json for what ships]",
        ),
    ] = None,
) -> None:
    """Measure a model on test digits: the embedded ones, and the official 10,000 where they are at hand.

    With --all, every shipped model: a line for each metric, and status 1 if one is not as it is stored.

    Args:
        source: name of a shipped recipe, or folder of a run.
        everything: measure all that ships in place of one source.
        data: folder of the full data; without it, it is looked for, and left out if it is not there.
        out: the json file.
    """
    root, file = path_of("--data", data), path_of("--out", out)
    if everything:
        if source is not None or out is not None:
            raise InputError("got --all with a run or --out, expected it alone: it prints a table and writes no file")
        reproduce(root, has_mnist(root))
        return
    if source is None:
        raise InputError("got no run, expected the name of a shipped recipe or the folder of a run, or --all")
    run = find_run(source)
    default = Path(source) if Path(source).is_dir() else None
    file = file or (default / "evaluation.json" if default else Path("runs") / "evaluate" / f"{run.recipe.name}.json")
    if file.suffix.lower() != ".json":
        raise InputError(f"got --out {file}, expected a name that ends in .json")
    require_evaluation(file)
    full = has_mnist(root)
    metrics = run.recipe.measure(run.networks, full=full, root=root, watch=watch)
    write_whole(file, to_json({**run.about, "metrics": metrics}, str(file)))
    typer.echo(metrics_table(metrics))
    rows = compared(run.metrics, metrics, full=full)
    others = [row for row in rows if not row.same]
    if others:
        typer.echo("not as stored: " + ", ".join(f"{row.name} was {row.stored}" for row in others))
    elif rows:
        typer.echo(f"all {len(rows)} as stored with the run")
    if not full:
        typer.echo(NOT_AT_HAND)
    typer.echo(f"wrote {file}")


def path_of(option: str, text: str | None) -> Any:
    """Turn an option's text into a path.

    Args:
        option: its name.
        text: what was given, or None.

    Returns:
        The path, or None where nothing was given.

    Raises:
        InputError: if the text is empty, as an unset variable of the shell makes it.
    """
    if text == "":
        raise InputError(f"got an empty {option}, expected a path: name one, or omit {option}")
    return None if text is None else Path(text)


def require_evaluation(path: Path) -> None:
    """Refuse to write an evaluation where it would replace a run's record, or anything but an earlier evaluation.

    Args:
        path: the json to write.

    Raises:
        InputError: if it exists and is something else, or cannot be written.
    """
    require_writable(path)
    if not path.exists():
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        found = None
    if not (isinstance(found, dict) and {"recipe_hash", "metrics"} <= found.keys() and "history" not in found):
        raise InputError(f"{path} exists and holds no evaluation by gmlib, so it is not replaced: choose another --out")


def has_mnist(data: Path | None) -> bool:
    """Say whether the official digits are at hand.

    Args:
        data: their folder, or None for where they are usually sought.

    Returns:
        Whether they are.

    Raises:
        InputError: if a folder was named and they are not there.
    """
    try:
        mnist_folder(data)
    except InputError:
        if data is not None or os.environ.get("GMLIB_DATA"):
            raise
        return False
    return True


def reproduce(data: Path | None, full: bool) -> None:
    """Measure all that ships again, and say of each metric whether it is as stored.

    Args:
        data: folder of the full data.
        full: whether the official digits are at hand.

    Raises:
        Exit: with status 1, if a metric is not as it is stored.
    """
    runs = [recipes.pretrained(name) for name in recipes.shipped()]  # what is damaged says so before the work
    line = "{:<20} {:<40} {:>10} {:>10}  {}".format
    typer.echo(line("run", "metric", "stored", "again", "same"))
    count, others = 0, {}
    with tqdm(runs, unit="run", disable=not sys.stderr.isatty()) as bar:
        for run in bar:
            name = run.recipe.name
            bar.set_description(name)
            rows = compared(run.metrics, run.recipe.measure(run.networks, full=full, root=data, watch=watch), full=full)
            bar.write("\n".join(line(name, *row, "yes" if row.same else "no") for row in rows))
            count += len(rows)
            if not all(row.same for row in rows):
                others[name] = sum(not row.same for row in rows)
    if not full:
        typer.echo(NOT_AT_HAND)
    if others:
        typer.echo(f"not as stored in {recipes.WEIGHTS}: " + ", ".join(f"{n} of {name}" for name, n in others.items()))
        typer.echo(f"{recipes.remedy('NAME', recipes.WEIGHTS)}")
        raise typer.Exit(1)
    typer.echo(f"all {count} metrics of {len(runs)} runs are as stored")


@app.command()
def retrain(
    data: Annotated[str | None, typer.Option(metavar="DIR", help=DATA_HELP)] = None,
    out: Annotated[str, typer.Option(metavar="DIR", help="folder of the runs, one below it for each")] = "runs/full",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
) -> None:
    """Train the classifier and every recipe on all of MNIST, in order; started again, it goes on.

    Args:
        data: folder of the full data.
        out: folder of the runs.
        device: where to train.
    """
    root, folder = path_of("--data", data), path_of("--out", out)
    mnist_folder(root)
    choose_device(device)
    names = [recipes.CLASSIFIER.name, *recipes.ALL]
    typer.echo(expected(names))
    for name in names:
        try:
            about = recipes.load_run(folder / name, name).about
        except InputError:  # not yet, or of an earlier recipe: the checkpoint will tell
            about = {}
        recipe = recipes.by_name(name)
        if (about.get("profile"), about.get("seed"), about.get("epochs")) == ("full", 0, recipe.epochs):
            typer.echo(f"{name} is done: {folder / name}")
        else:
            typer.echo(f"training {name}")
            try:
                train(name, "full", 0, None, data, False, str(folder / name), True, device)
            except StoppedError as stop:
                raise StoppedError(stop.folder, "the same command, gmlib retrain") from None


def watch(steps: Iterable[Any]) -> Iterable[Any]:
    """Show how far a measurement has come, where there is a terminal.

    Args:
        steps: what it goes through.

    Returns:
        The same.
    """
    return tqdm(steps, desc="measuring", leave=False, disable=not sys.stderr.isatty())


def find_run(source: str) -> Run:
    """Find a run by the name of a shipped recipe or by its folder.

    Args:
        source: the name or the folder; a folder wins.

    Returns:
        The run.

    Raises:
        InputError: if it is neither, or the folder holds no finished run.
    """
    if not source:
        raise InputError("got an empty name, expected the name of a shipped recipe or the folder of a run")
    folder, known = Path(source), {*recipes.ALL, recipes.CLASSIFIER.name}
    if not folder.is_dir():
        if source in known:
            return recipes.pretrained(source)
        raise InputError(no_run(source, known))
    hides = source in known and recipes.is_shipped(source)
    hint = f"; the shipped run {source} is read where no folder has that name" if hides else ""
    names = sorted(path.stem for path in folder.glob("*.json") if path.stem in known)
    if not names:
        raise InputError(
            f"found no finished run in {folder}, expected NAME.json and NAME.safetensors: "
            f"finish it with gmlib train NAME --resume and the same --out{hint}"
        )
    if hint:
        typer.echo(f"gmlib: reading the folder {source}{hint}", err=True)
    if len(names) > 1:
        raise InputError(
            f"found several runs in {folder} ({', '.join(names)}), expected one: keep each in its own folder"
        )
    return recipes.load_run(folder, names[0])


def no_run(source: str, known: set[str]) -> str:
    """Return the sentence for a name that is neither a shipped recipe nor a folder, with the nearest name.

    Args:
        source: what was given.
        known: names of recipes.

    Returns:
        The sentence.
    """
    path = Path(source)
    if path.is_file():
        return f"got the file {source}, expected the folder of a run: give {path.parent}"
    folders = [str(near) for near in path.parent.glob("*") if near.is_dir()] if path.parent.is_dir() else []
    if path.name == source:
        wanted = "the name of a recipe that ships (gmlib list shows them) or the folder of a run"
        return f"got {source!r}, expected {wanted}{nearest(source, [*known, *folders])}"
    return f"found no folder {source}, expected the folder of a finished run{nearest(str(path), folders)}"


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; a user's mistake prints one sentence and leaves with status 2.

    Args:
        arguments: what stands behind `gmlib`; None takes them from the process.

    Returns:
        What the command gave.
    """
    os.environ["MPLBACKEND"] = "agg"  # pictures go to files, so a window is never needed
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell
            setattr(sys, name, io.StringIO())
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without a letter shows a question mark
    try:
        return app(arguments)
    except InputError as error:
        message, everyone = str(error), isinstance(error, parallel.AloneError)
    except OSError as error:  # a path that may not be looked at, or is too long for the file system
        everyone, place = False, error.filename or "the output"
        message = f"cannot use {place} ({error.strerror}): name a path that you may read and write"
    except RuntimeError:
        if parallel.rank() == 0:
            raise
        sys.exit(2)  # the first process has left and said why
    if everyone or parallel.rank() == 0:
        typer.echo(f"gmlib: {message}", err=True)
    sys.exit(2)
