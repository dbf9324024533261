"""A trained run: its recipe, its model, and the record of how it was made. On disk it is a file of weights and a record."""

import hashlib
import math
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load, save
from torch import Tensor, nn

from gmlib.errors import InputError
from gmlib.experiments.recipe import Recipe
from gmlib.files import replacing, to_json
from gmlib.models.classifier import Classifier
from gmlib.models.gan import GAN
from gmlib.models.vae import VAE
from gmlib.training.history import History

Model = VAE | GAN | Classifier
Metrics = dict[str, float]


@dataclass
class Run:
    """A trained recipe.

    Args:
        recipe: what was trained.
        model: the trained model, in eval mode: it samples, encodes and decodes.
        history: one row per epoch.
        metrics: name to number; each function that measures documents its unit.
        about: name and hash of the recipe, dataset and its digest, epochs, seed, device, seconds and versions; of a run on disk
            also the checksum of its weights.
    """

    recipe: Recipe
    model: Any  # VAE | GAN | Classifier: the recipe decides
    history: History
    metrics: Metrics
    about: dict[str, Any]


def networks_of(model: nn.Module) -> dict[str, nn.Module]:
    """Return the networks of a model by the names that they have in files and checkpoints.

    Args:
        model: of any kind.

    Returns:
        "vae", or "classifier", or "generator" and, if there is one, "critic".
    """
    if isinstance(model, GAN):
        return {name: network for name, network in model.named_children() if name in ("generator", "critic")}
    return {"vae" if isinstance(model, VAE) else "classifier": model}


def model_of(networks: Mapping[str, nn.Module]) -> Any:
    """Return the model that networks are made of: the inverse of `networks_of`.

    Args:
        networks: by their names in files and checkpoints.

    Returns:
        A GAN of "generator" and "critic", or the one network.
    """
    if "generator" in networks:
        return GAN(networks["generator"], networks.get("critic"))
    (network,) = networks.values()
    return network


def save_run(run: Run, folder: Path | str, measure: Callable[[Run], Metrics]) -> Run:
    """Write `NAME.safetensors` and `NAME.json`, with the metrics of what was written.

    Floating parameters become float16, buffers stay. Both files are written under temporary names and renamed at the end: if
    anything fails, a run that was there before is untouched.

    Args:
        run: what to write; of a GAN whose recipe does not ship the critic, the generator alone is written.
        folder: the folder of the run.
        measure: measures the run as it is read back from disk.

    Returns:
        The run as it is on disk, with its metrics.

    Raises:
        InputError: if a weight is too large for float16, the record has something that JSON cannot hold, a metric is NaN or
            infinite, or the folder cannot be written to.
    """
    folder = Path(folder)
    weights, record = folder / f"{run.recipe.name}.safetensors", folder / f"{run.recipe.name}.json"
    content = save({key: value.contiguous().cpu() for key, value in _half(run).items()})
    about = run.about | {"sha256": hashlib.sha256(content).hexdigest()}
    to_json({**about, "history": run.history.rows}, str(record))  # what JSON cannot hold is refused before the work
    with replacing(weights, record) as files:
        model = read_model(files.write(weights, content), run.recipe, about)
        found = replace(run, model=model, about=about)
        found.metrics = measure(found)
        sick = [f"{name} = {value}" for name, value in found.metrics.items() if not math.isfinite(value)]
        if sick:
            raise InputError(
                f"measured {', '.join(sick)}, expected finite numbers: the trained network is of no use; try a lower learning rate"
            )
        files.write(record, to_json({**about, "metrics": found.metrics, "history": run.history.rows}, str(record)))
    return found


def _half(run: Run) -> dict[str, Tensor]:
    """Return the tensors of the networks that the recipe keeps, parameters in float16."""
    half = {}
    for name, network in networks_of(run.model).items():
        if not run.recipe.keeps(name):
            continue
        parameters = {key for key, _ in network.named_parameters()}
        for key, value in network.state_dict().items():
            half[f"{name}.{key}"] = value.half() if key in parameters else value
            if not half[f"{name}.{key}"].isfinite().all():
                largest = float(value.abs().max())
                raise InputError(
                    f"got the tensor {name}.{key} with a value of size {largest:g}, expected finite numbers, of weights up to "
                    "65,504, since they are kept in float16: training has diverged; try a lower learning rate"
                )
    return half


def read_model(path: Path, recipe: Recipe, about: dict[str, Any]) -> Any:
    """Build the model of a recipe and fill it from a file of weights.

    Args:
        path: what `save_run` wrote.
        recipe: whose model it is.
        about: the record: the checksum of the file, if it has one, and the classes of the dataset, ten digits if it names none.

    Returns:
        The model, float32 on the CPU, in eval mode; a GAN whose critic was not kept has none.

    Raises:
        ValueError: if the file is not the one of that checksum. A damaged one, or one of another recipe, raises what
            safetensors and torch raise.
    """
    content = path.read_bytes()
    if about.get("sha256") not in (None, hashlib.sha256(content).hexdigest()):
        raise ValueError("it was changed since its record was written")
    model = recipe.build(num_classes=len(about.get("classes", range(10))))
    tensors = load(content)
    if isinstance(model, GAN) and not recipe.keeps("critic"):
        model = GAN(model.generator)
    for name, network in networks_of(model).items():
        prefix = f"{name}."
        network.load_state_dict(
            {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        )
    return model.eval()


def versions() -> dict[str, str]:
    """Return the versions of the software that a run is made with.

    Returns:
        Versions of gmlib, Python and torch.
    """
    from importlib.metadata import version

    import torch

    return {"gmlib": version("gmlib"), "python": platform.python_version(), "torch": str(torch.__version__)}
