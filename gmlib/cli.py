"""The command line: gmlib list | train | sample | evaluate | show."""

import io
import json
import math
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import typer
from torch import Generator
from tqdm import tqdm

from gmlib import parallel, recipes, zoo
from gmlib.data import KNOWN, SPLITS, ImageDataset, known_folder, load, mnist_folder, require_classes
from gmlib.device import choose_device
from gmlib.display import show
from gmlib.errors import InputError, nearest
from gmlib.experiments.evaluate import evaluate as evaluate_on
from gmlib.experiments.evaluate import evaluate_digits
from gmlib.experiments.fit import epochs_on, fit
from gmlib.experiments.own import OwnFile, is_own, own_file, own_recipe
from gmlib.experiments.profiles import PROFILES
from gmlib.experiments.recipe import ClassifierRecipe, Recipe, VAERecipe
from gmlib.experiments.run import Run, networks_of, save_run
from gmlib.experiments.tables import Compared, compared, metrics_table
from gmlib.files import require_writable, to_json, write_whole
from gmlib.metrics.scorer import MNIST, Scorer
from gmlib.metrics.scorer import source as data_name
from gmlib.progress import Progress, TensorBoard
from gmlib.scorers import find_scorer, why_unmeasured
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
NAMES = ("mnist5k", *KNOWN)
NOT_AT_HAND = "the official test digits are not at hand: name their folder with --data to measure on them too"

Source = Annotated[
    str,
    typer.Argument(
        metavar="NAME-or-FILE.py:NAME",
        help="a recipe, as `gmlib list` prints it, or classifier; or a recipe in a Python file of your own, such as my.py:MY_VAE",
    ),
]


class StoppedError(InputError):
    """Ctrl-C in training: what is kept, and how to go on."""

    def __init__(self, folder: Path | None, again: str = "the same command and --resume") -> None:
        """Look at what the folder keeps.

        Args:
            folder: of the run; None if its name was not known yet.
            again: how a run with checkpoints goes on.
        """
        super().__init__(
            f"stopped; {folder} keeps the run up to its last checkpoint: go on with {again}"
            if folder and checkpoints(folder)
            else "stopped before the first step was done: nothing was kept, start again with the same command"
        )


@dataclass(frozen=True)
class Sets:
    """A dataset, as a command was given it.

    Args:
        given: its name or path.
        root: the folder in which a set with a name was found; None for the usual place, and for a path.
        train: images to train on.
        validation: images to measure on after each epoch.
        test: images to measure on at the end.
    """

    given: str
    root: Path | None
    train: ImageDataset
    validation: ImageDataset
    test: ImageDataset

    @property
    def name(self) -> str:
        """Name of the set, without the split."""
        return data_name(self.train)


@app.command("list")
def list_recipes() -> None:
    """List the recipes, and which of them ship with the weights of a full run."""
    width = max(map(len, recipes.ALL))
    for name, recipe in recipes.ALL.items():
        shipped = "shipped" if zoo.is_shipped(name) else "not shipped"
        typer.echo(f"{name:<{width}} {shipped:<12} {recipe.about}")


@app.command("show")
def show_recipe(name: Source) -> None:
    """Print a recipe: its settings, where it departs from its source, and its layers.

    Args:
        name: of the recipe.
    """
    recipe, _ = find_recipe(name)
    typer.echo(show(recipe))
    for network in networks_of(recipe.build()).values():
        typer.echo(f"\n{show(network)}")


@app.command()
def train(
    source: Source,
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
    classes: Annotated[
        str | None, typer.Option(metavar="FILE", help="names of the classes, one per line, for a --data of your own")
    ] = None,
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

    Args:
        source: name of the recipe, or FILE.py:NAME.
        profile: "quick" or "full".
        seed: of the run.
        epochs: in place of the recipe's.
        data: name or path of a dataset; None takes the profile's.
        classes: file with names of the classes.
        download: whether the dataset may be fetched.
        out: folder of the run.
        resume: whether to continue what is there.
        device: where to train.
        precision: in which the networks compute.
        tensorboard: whether TensorBoard gets the numbers of each epoch.
    """
    recipe, file = find_recipe(source)
    folder, given = path_of("--out", out), path_of("--data", data)
    require_length(recipe, profile, epochs)
    where = parallel.init(choose_device(device))
    try:
        sets = read_sets(data or PROFILES[profile or "quick"], path_of("--classes", classes), download=download)
        length = epochs or epochs_on(recipe, sets.train, profile)
        folder = folder or Path("runs") / f"{recipe.name}-{sets.name if given else profile or 'quick'}-{seed}"
        run = train_on(
            sets,
            recipe,
            folder,
            file,
            tensorboard=tensorboard,
            epochs=length,
            seed=seed,
            device=where,
            precision=precision,
            resume=resume,
        )
    except KeyboardInterrupt:
        raise StoppedError(folder) from None
    finally:
        parallel.shutdown()
    if run:
        echo_trained(run, folder)


@app.command()
def sample(
    source: Annotated[str, typer.Argument(metavar="NAME-or-RUN", help="a shipped recipe, or the folder of a run")],
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
    """Draw images from a model and write them as one picture.

    Args:
        source: name of a shipped recipe, or folder of a run.
        n: how many images.
        label: number or name of the class, for a conditional recipe.
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
    require_seed(seed)
    require_writable(picture)
    run = find_run(source)
    if isinstance(run.recipe, ClassifierRecipe):
        raise InputError(f"got the classifier, expected a model that draws images ({', '.join(recipes.ALL)})")
    columns, note = math.ceil(math.sqrt(n)), ""
    labels = None if label is None else class_number(label, run)
    if label is None and (count := run.model.num_classes):
        columns, labels = min(n, count), torch.arange(n) % count
        note = f"; no --label was given, so each column is a class, from 0 to {columns - 1}"
    if mean and not isinstance(run.recipe, VAERecipe):
        raise InputError("got --mean for a GAN, expected draws: its images are not probabilities, so omit --mean")
    images = run.model.sample(n, labels, generator=Generator().manual_seed(seed), **({"mean": True} if mean else {}))
    write_whole(picture, png(image_grid(images, columns=columns)))
    typer.echo(
        f"wrote {picture}: {n} {'probability maps' if mean else 'draws'} from {run.recipe.name}, seed {seed}{note}"
    )


@app.command()
def evaluate(
    source: Annotated[str, typer.Argument(metavar="NAME-or-RUN", help="a shipped recipe, or the folder of a run")],
    data: Annotated[
        str | None,
        typer.Option(metavar="NAME-or-PATH", help=f"{DATA_HELP} [default: what the run was trained on]"),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(metavar="FILE", help="names of the classes, one per line, for a --data of your own")
    ] = None,
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
    """Measure a model on test images. A model of MNIST is measured on the embedded digits, and on the official 10,000 if they are found.

    Args:
        source: name of a shipped recipe, or folder of a run.
        data: name or path of the dataset.
        classes: file with names of the classes.
        scorer: folder of a trained classifier of the dataset.
        out: the json file.
    """
    file, folder = path_of("--out", out), path_of("--scorer", scorer)
    path_of("--data", data)
    run = find_run(source)
    file = file or evaluation_file(source, run)
    require_evaluation(file)
    chosen = data or data_of(run)
    if of_mnist(chosen):
        found = measure_digits(run, chosen, folder)
    else:
        names = path_of("--classes", classes) or (None if data else run.about.get("classes") or None)
        found = measure_own(run, chosen, names, folder)
    write_whole(file, to_json({**run.about, "evaluated_on": chosen, "metrics": found.metrics}, str(file)))
    typer.echo(metrics_table(found.metrics))
    others = [row for row in found.rows if not row.same]
    if others:
        typer.echo("not as stored: " + ", ".join(f"{row.name} was {row.stored}" for row in others))
    elif found.rows:
        typer.echo(f"all {len(found.rows)} as stored with the run")
    if found.note:
        typer.echo(found.note)
    typer.echo(f"wrote {file}")


def find_recipe(source: str) -> tuple[Recipe, OwnFile | None]:
    """Find a recipe by its name, or in a file.

    Args:
        source: a name, or FILE.py:NAME.

    Returns:
        The recipe, and its file if it is in one.

    Raises:
        InputError: if there is no such recipe, or the file cannot be imported.
    """
    if is_own(source):
        file = own_file(source)
        return own_recipe(file), file
    if ".py" in source:
        raise InputError(
            f"got {source!r}, expected FILE.py:NAME, such as my.py:MY_VAE: add the name of a recipe in the file"
        )
    return recipes.by_name(source), None


def require_length(recipe: Recipe, profile: str | None, epochs: int | None) -> None:
    """Refuse a profile that does not exist, or a run without an epoch.

    Args:
        recipe: to be trained.
        profile: as given.
        epochs: as given.

    Raises:
        InputError: if one of them is wrong.
    """
    if profile is not None:
        recipe.length(profile)
    if epochs is not None and epochs < 1:
        raise InputError(f"got --epochs {epochs}, expected 1 or more: omit it for the recipe's own number")


def read_sets(given: str, classes: Path | None = None, *, download: bool = False) -> Sets:
    """Read all splits of a dataset, so that damaged files are noticed before training.

    Args:
        given: name or path.
        classes: file with names of the classes.
        download: whether the files may be fetched.

    Returns:
        The splits.

    Raises:
        InputError: if there is no such set, a file is missing or damaged, or the set cannot be fetched.
    """
    if download and given not in KNOWN:
        raise InputError(
            f"got --download with {given}, expected one of {', '.join(KNOWN)}: omit it, or name one of them with --data"
        )
    root = known_folder(given, download=True) if download else None
    return Sets(given, root, *(load(given, split, root, classes=classes) for split in SPLITS))


def describe(sets: Sets) -> str:
    """Describe a dataset in one line.

    Args:
        sets: its splits.

    Returns:
        Its name, number of images and classes.
    """
    counts = ", ".join(f"{len(getattr(sets, split)):,} {split}" for split in SPLITS)
    names = sets.train.classes
    labels = f"{len(names)} classes" if sets.train.labels is not None else "no labels"
    if names and sets.name not in NAMES and names == tuple(map(str, range(len(names)))):
        labels += f", named 0 to {len(names) - 1} (--classes FILE gives them names)"
    return f"data: {sets.name}, {counts}, {labels}"


def train_on(
    sets: Sets, recipe: Recipe, folder: Path, file: OwnFile | None = None, *, tensorboard: bool = False, **options: Any
) -> Run | None:
    """Train a recipe on a dataset, measure it, and write the run.

    Args:
        sets: splits of the dataset.
        recipe: what to train.
        folder: of the run.
        file: the reader's file that the recipe is in, if it is.
        tensorboard: whether TensorBoard gets the numbers of each epoch.
        **options: for `fit`: epochs, seed, device, precision and resume.

    Returns:
        The run as it is on disk; None in a process that is not the first, since the first one measures and writes.
    """
    first, classifier = parallel.rank() == 0, isinstance(recipe, ClassifierRecipe)
    if classifier or getattr(recipe, "conditional", False):
        sets.train.require_labels()
    if sets.train.labels is not None:
        require_classes(sets.test)
    scorer = None if classifier else find_scorer(sets.train)
    note = "" if classifier else why_unmeasured(sets.train, (sets.validation, sets.test), scorer, sets.given)
    scorer = None if note else scorer
    if file:
        file.require_place(folder)
    if first and sets.given not in MNIST:
        typer.echo(f"{describe(sets)}; {options['epochs']} epochs")
    if first and note:
        typer.echo(note)
    progress = Progress(options["epochs"], typer.echo if first else lambda row: None)
    board = TensorBoard(folder) if tensorboard and first else None

    def on_epoch(state: State) -> None:
        progress.epoch(state)
        if board:
            board.epoch(state)

    try:
        run = fit(
            recipe,
            sets.train,
            sets.validation,
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
        return None
    run.about |= {"data_from": sets.given} | (file.about if file else {})
    if file:
        file.copy_to(folder)
    return save_run(run, folder, lambda run: measured(run, sets, scorer))


def measured(run: Run, sets: Sets, scorer: Scorer | None) -> dict[str, float]:
    """Measure a run that was just trained, on the test images of its dataset.

    Args:
        run: as it was read back from disk.
        sets: splits of its dataset.
        scorer: of the dataset, if there is one.

    Returns:
        The metrics; of MNIST those of the embedded digits too.
    """
    if sets.name not in MNIST:
        return evaluate_on(run.recipe, run.model, sets.test, sets.train, scorer, watch)
    root = sets.root if sets.given in NAMES else Path(sets.given)
    return evaluate_digits(run.recipe, run.model, full=sets.name == "mnist", root=root, scorer=scorer, watch=watch)


def echo_trained(run: Run, folder: Path) -> None:
    """Print the metrics of a run, and where it is.

    Args:
        run: what was trained.
        folder: where it was written.
    """
    typer.echo(metrics_table(run.metrics))
    look = "" if isinstance(run.recipe, ClassifierRecipe) else f"; look at it with: gmlib sample {folder}"
    typer.echo(f"wrote {folder / run.recipe.name}.safetensors{look}")


class Found(NamedTuple):
    """What `gmlib evaluate` found: metrics, those of them that the run has stored, and what to add to them."""

    metrics: dict[str, float]
    rows: list[Compared]
    note: str


def data_of(run: Run) -> str:
    """Return what a run is measured on if no --data is given.

    Args:
        run: what was trained.

    Returns:
        Name or path of the dataset that it was trained on; "mnist" for MNIST, unless the folder of its files is known.

    Raises:
        InputError: if the dataset is not where it was.
    """
    name = str(run.about["data"])
    name = name.rpartition("/")[0] or name
    given = str(run.about.get("data_from", name))
    there = given not in NAMES and Path(given).exists()
    if name in MNIST and not there:
        return "mnist"
    if given not in NAMES and not there:
        raise InputError(f"found no {given}, which the run was trained on: name its folder with --data")
    return given


def of_mnist(chosen: str) -> bool:
    """Return whether a dataset is MNIST, by its name or by the files of the folder.

    Args:
        chosen: name or path of the dataset.

    Returns:
        Whether it is.
    """
    return chosen in MNIST or (chosen not in NAMES and data_name(load(chosen, "test")) in MNIST)


def measure_digits(run: Run, chosen: str, folder: Path | None) -> Found:
    """Measure a run on the embedded digits, and on the official test digits if they are found.

    Args:
        run: what to measure.
        chosen: "mnist", "mnist5k" for the embedded digits alone, or the folder of MNIST's files.
        folder: of a classifier of MNIST; None takes the shipped one.

    Returns:
        The metrics, compared with the stored ones if the run was trained on MNIST.
    """
    root = None if chosen in NAMES else Path(chosen)
    full = chosen != "mnist5k" and has_mnist(root)
    scorer = None if folder is None else find_scorer(load("mnist5k", "train"), folder)
    metrics = evaluate_digits(run.recipe, run.model, full=full, root=root, scorer=scorer, watch=watch)
    trained = str(run.about["data"]).rpartition("/")[0] in MNIST
    rows = compared(run.metrics, metrics, full=full) if trained else []
    return Found(metrics, rows, "" if full else NOT_AT_HAND)


def measure_own(run: Run, chosen: str, classes: Sequence[str] | Path | None, folder: Path | None) -> Found:
    """Measure a run on the test images of another dataset than MNIST.

    Args:
        run: what to measure.
        chosen: name or path of the dataset.
        classes: names of the classes, or the file that has them.
        folder: of a classifier of the dataset; None looks into the default one.

    Returns:
        The metrics, compared with the stored ones if the run was trained on the same images.

    Raises:
        InputError: if the model has other classes, or the scorer is of another dataset.
    """
    test, train = (load(chosen, split, classes=classes) for split in ("test", "train"))
    count = run.model.num_classes
    if count and len(train.require_labels()) and train.num_classes != count:
        raise InputError(
            f"got {chosen} with {train.num_classes} classes, expected the {count} classes that {run.recipe.name} was trained with: "
            "name them with --classes, or choose another --data"
        )
    classifier = isinstance(run.recipe, ClassifierRecipe)
    if train.labels is not None:
        require_classes(test)
    scorer = None if classifier else find_scorer(train, folder)
    note = "" if classifier else why_unmeasured(train, [test], scorer, chosen)
    if note and folder:
        raise InputError(f"got --scorer {folder}, but {note}")
    scorer = None if note else scorer
    metrics = evaluate_on(run.recipe, run.model, test, train, scorer, watch)
    rows = compared(run.metrics, metrics, full=True) if run.about.get("data_digest") == train.digest else []
    return Found(metrics, rows, note)


def class_number(label: str, run: Run) -> int:
    """Return the number of a class.

    Args:
        label: its name or its number; a name comes first.
        run: whose record has the names.

    Returns:
        From 0.

    Raises:
        InputError: if the model has no such class.
    """
    count, names = run.model.num_classes, [str(name) for name in run.about.get("classes", [])]
    if not count:
        raise InputError(
            f"got --label {label} for {run.recipe.name}, an unconditional model, expected none: omit it, or take a conditional recipe"
        )
    if label in names:
        return names.index(label)
    if not label.isdecimal() or int(label) >= count:
        known = f" or one of {', '.join(names)}" if names and names != [*map(str, range(count))] else ""
        raise InputError(f"got --label {label}, expected a class from 0 to {count - 1}{known}{nearest(label, names)}")
    return int(label)


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


def evaluation_file(source: str, run: Run) -> Path:
    """Return where an evaluation is written unless --out names another place.

    Args:
        source: name of a shipped recipe, or folder of a run.
        run: what it stands for.

    Returns:
        A file in the folder of the run; of what ships, one below runs/evaluate.
    """
    folder = Path(source)
    return folder / "evaluation.json" if folder.is_dir() else Path("runs") / "evaluate" / f"{run.recipe.name}.json"


def require_evaluation(path: Path) -> None:
    """Refuse to write an evaluation where it would replace a run's record, or anything but an earlier evaluation.

    Args:
        path: the json to write.

    Raises:
        InputError: if its name has another ending, or it exists and is something else, or it cannot be written.
    """
    if path.suffix.lower() != ".json":
        raise InputError(f"got --out {path}, expected a name that ends in .json")
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
            return zoo.pretrained(source)
        raise InputError(no_run(source, known))
    hides = source in known and zoo.is_shipped(source)
    hint = f"; the shipped run {source} is read where no folder has that name" if hides else ""
    names = zoo.runs_in(folder)
    if not names:
        raise InputError(
            f"found no finished run in {folder}, expected NAME.safetensors: "
            f"finish it with gmlib train NAME --resume and the same --out{hint}"
        )
    if hint:
        typer.echo(f"gmlib: reading the folder {source}{hint}", err=True)
    if len(names) > 1:
        raise InputError(
            f"found several runs in {folder} ({', '.join(names)}), expected one: keep each in its own folder"
        )
    return zoo.load_run(folder, names[0])


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
