"""A trained run: its recipe, its model, and the record of how it was made. On disk it is one safetensors file."""

import hashlib
import json
import math
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from gmlib.errors import InputError
from gmlib.experiments.recipe import Recipe
from gmlib.files import require_writable, to_json, write_whole
from gmlib.models.gan import GAN
from gmlib.models.vae import VAE
from gmlib.training.history import History

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
            also the digest of its file.
    """

    recipe: Recipe
    model: Any  # VAE | GAN | Classifier: the recipe decides
    history: History
    metrics: Metrics
    about: dict[str, Any]


def networks_of(model: nn.Module) -> dict[str, nn.Module]:
    """Return the networks of a model by their names in files: "vae", "classifier", or "generator" and "critic"."""
    if isinstance(model, GAN):
        return {name: network for name, network in model.named_children() if name in ("generator", "critic")}
    return {"vae" if isinstance(model, VAE) else "classifier": model}


def model_of(networks: Mapping[str, nn.Module]) -> Any:
    """Return the model that networks are made of: the inverse of `networks_of`."""
    if "generator" in networks:
        return GAN(networks["generator"], networks.get("critic"))
    (network,) = networks.values()
    return network


def save_run(run: Run, folder: Path | str, measure: Callable[[Run], Metrics]) -> Run:
    """Write `NAME.safetensors`: the networks, and in the metadata the record with history and metrics.

    Parameters become float16, buffers stay. The file is written under a temporary name and renamed at the end: if anything
    fails, a run that was there before is untouched.

    Args:
        run: what to write; of a GAN whose recipe does not ship the critic, the generator alone is written.
        folder: the folder of the run.
        measure: measures the run with the parameters that are written.

    Returns:
        The run as it is on disk, with its metrics.

    Raises:
        InputError: if a weight is too large for float16, the record has something that JSON cannot hold, a metric is NaN or
            infinite, or the folder cannot be written to.
    """
    path = Path(folder) / f"{run.recipe.name}.safetensors"
    require_writable(path)
    to_json({**run.about, "history": run.history.rows}, str(path))  # what JSON cannot hold is refused before the work
    tensors = _half(run)
    found = replace(run, model=filled(run.recipe, load(save(tensors)), run.about))
    found.metrics = measure(found)
    sick = [f"{name} = {value}" for name, value in found.metrics.items() if not math.isfinite(value)]
    if sick:
        raise InputError(
            f"measured {', '.join(sick)}, expected finite numbers: the trained network is of no use; try a lower learning rate"
        )
    record = write_run(path, {**run.about, "metrics": found.metrics, "history": run.history.rows}, tensors)
    found.about = run.about | {"sha256": record["sha256"]}
    return found


def write_run(path: Path, record: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Write the file of a run, and return its record with the digest."""
    record = record | {"sha256": _digest(record, save(tensors))}
    write_whole(path, save(tensors, metadata={"record": to_json(record, str(path))}))
    return record


def read_run(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the file of a run: its record, and its tensors.

    Args:
        path: what `write_run` wrote.

    Returns:
        The record with "metrics" and "history", and the tensors under the names of network and parameter.

    Raises:
        ValueError: if it is not the file of a run, or was changed. A damaged one also raises what safetensors raises.
    """
    content = path.read_bytes()
    tensors = load(content)
    header = json.loads(content[8 : _start_of_tensors(content)])
    record = json.loads(header.get("__metadata__", {}).get("record", "{}"))
    digest = record.pop("sha256", None)
    if digest is None:
        raise ValueError("it has no record in its metadata")
    if digest != _digest(record, content):
        raise ValueError("it was changed since it was written")
    return record | {"sha256": digest}, tensors


def _digest(record: dict[str, Any], content: bytes) -> str:
    """Return the digest of a record and of the tensors in a safetensors file."""
    return hashlib.sha256(json.dumps(record).encode() + content[_start_of_tensors(content) :]).hexdigest()


def _start_of_tensors(content: bytes) -> int:
    """Return where the header of a safetensors file ends: its first 8 bytes hold the header's length."""
    return 8 + int.from_bytes(content[:8], "little")


def _half(run: Run) -> dict[str, Tensor]:
    """Return the tensors of the networks that the recipe keeps, parameters in float16."""
    half = {}
    for name, network in networks_of(run.model).items():
        if not run.recipe.keeps(name):
            continue
        parameters = {key for key, _ in network.named_parameters()}
        for key, value in network.state_dict().items():
            kept = value.half() if key in parameters else value
            if not kept.isfinite().all():
                raise InputError(
                    f"got the tensor {name}.{key} with a value of size {float(value.abs().max()):g}, expected finite numbers, of "
                    "weights up to 65,504, since they are kept in float16: training has diverged; try a lower learning rate"
                )
            half[f"{name}.{key}"] = kept.contiguous().cpu()
    return half


def filled(recipe: Recipe, tensors: dict[str, Tensor], about: dict[str, Any]) -> Any:
    """Return the model of a recipe with the tensors of a run, float32 on the CPU, in eval mode."""
    model = recipe.build(num_classes=len(about.get("classes", range(10))))
    if isinstance(model, GAN) and not recipe.keeps("critic"):
        model = GAN(model.generator)
    for name, network in networks_of(model).items():
        own = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
        network.load_state_dict(own)
    return model.eval()


def versions() -> dict[str, str]:
    """Return the versions of gmlib, Python and torch."""
    return {"gmlib": version("gmlib"), "python": platform.python_version(), "torch": str(torch.__version__)}
