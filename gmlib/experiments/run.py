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
        recipe: settings of the model and of its training.
        model: the trained model, in eval mode: a VAE and a GAN sample, a classifier classifies.
        history: one row per epoch.
        metrics: name to number; the function that computes a metric documents its unit.
        record: name and hash of the recipe, dataset and its digest, epochs, images (or stacks of them) in the batches of all
            epochs, seed, device, seconds and versions; for a run on disk also the digest of its file.
    """

    recipe: Recipe
    model: Any  # VAE | GAN | Classifier, depending on the recipe
    history: History
    metrics: Metrics
    record: dict[str, Any]


def networks_of(model: nn.Module) -> dict[str, nn.Module]:
    """Return the networks of a model by their names in files: "vae", "classifier", or "generator" and "critic"."""
    if isinstance(model, GAN):
        return {name: network for name, network in model.named_children() if name in ("generator", "critic")}
    return {"vae" if isinstance(model, VAE) else "classifier": model}


def model_of(networks: Mapping[str, nn.Module]) -> Any:
    """Return the model that consists of these networks: the inverse of `networks_of`."""
    if "generator" in networks:
        return GAN(networks["generator"], networks.get("critic"))
    (network,) = networks.values()
    return network


def save_run(run: Run, folder: Path | str, measure: Callable[[Run], Metrics]) -> Run:
    """Write `NAME.safetensors`, and return the run as it is on disk, with its metrics.

    The file holds the networks that the recipe keeps, their parameters rounded to float16, and the record with history and
    metrics as metadata. `measure` computes the metrics from the rounded parameters. If anything fails, for example because a
    weight is too large for float16 or a metric is NaN, an earlier file of this name is unchanged.
    """
    path = Path(folder) / f"{run.recipe.name}.safetensors"
    require_writable(path)
    tensors = _rounded(run)
    saved = replace(run, model=model_with(run.recipe, load(save(tensors)), run.record))
    saved.metrics = measure(saved)
    not_finite = [f"{name} = {value}" for name, value in saved.metrics.items() if not math.isfinite(value)]
    if not_finite:
        raise InputError(
            f"measured {', '.join(not_finite)}, expected finite numbers: training has diverged; try a lower learning rate"
        )
    record = write_run(path, {**run.record, "metrics": saved.metrics, "history": run.history.rows}, tensors)
    saved.record = run.record | {"sha256": record["sha256"]}
    return saved


def write_run(path: Path, record: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Write the file of a run, and return its record with the digest."""
    record = record | {"sha256": _digest(record, save(tensors))}
    write_whole(path, save(tensors, metadata={"record": to_json(record, str(path))}))
    return record


def read_run(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the record in the file of a run, with "metrics" and "history", and its tensors by network and parameter.

    Raise ValueError if the file holds no run or was changed; for a damaged file, safetensors raises its own error.
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


def model_with(recipe: Recipe, tensors: dict[str, Tensor], record: dict[str, Any]) -> Any:
    """Return the model of a recipe with the tensors of a run, in float32 on the CPU and in eval mode."""
    model = recipe.build(num_classes=len(record.get("classes", range(10))))
    if isinstance(model, GAN) and not recipe.keeps("critic"):
        model = GAN(model.generator)
    for network_name, network in networks_of(model).items():
        prefix = f"{network_name}."
        network.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    return model.eval()


def versions() -> dict[str, str]:
    """Return the versions of gmlib, Python and torch."""
    return {"gmlib": version("gmlib"), "python": platform.python_version(), "torch": str(torch.__version__)}


def _rounded(run: Run) -> dict[str, Tensor]:
    """Return the tensors of the networks that the recipe keeps: parameters in float16, buffers as they are."""
    rounded = {}
    for network_name, network in networks_of(run.model).items():
        if not run.recipe.keeps(network_name):
            continue
        parameters = {name for name, _ in network.named_parameters()}
        for name, value in network.state_dict().items():
            tensor = value.half() if name in parameters else value
            if not tensor.isfinite().all():
                raise InputError(
                    f"got the tensor {network_name}.{name} with a value of size {float(value.abs().max()):g}, expected weights "
                    "up to 65,504, the largest number in float16: training has diverged; try a lower learning rate"
                )
            rounded[f"{network_name}.{name}"] = tensor.contiguous().cpu()
    return rounded


def _digest(record: dict[str, Any], content: bytes) -> str:
    """Return the digest of a record and of the tensors in a safetensors file."""
    return hashlib.sha256(json.dumps(record).encode() + content[_start_of_tensors(content) :]).hexdigest()


def _start_of_tensors(content: bytes) -> int:
    """Return where the header of a safetensors file ends: its first 8 bytes hold the header's length."""
    return 8 + int.from_bytes(content[:8], "little")
