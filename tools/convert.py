"""Convert runs of two files, NAME.json and NAME.safetensors, into one: `python -m tools.convert FOLDER…`.

gmlib 1.0 wrote the record of a run into a json file beside its weights. This script writes the record into the metadata of
the weights, reads the new file back, and removes the json file if tensors, history and metrics are those of the two files.

- The hash that 1.0 gave to a recipe becomes the hash of today, if `tools/hashes-1.0.json` has it. PixelCNN and PixelVAEs are
  left out, since the tensors of these networks have other names today.
- A metric named `…_floor` in 1.0 is named `…_real` today.
"""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors.torch import load
from torch import Tensor

from gmlib import recipes
from gmlib.experiments.run import read_run, write_run

HASHES = Path(__file__).with_name("hashes-1.0.json")
PENDING = replace(recipes.WGAN_GP, n_critic=1, critic_lr=1e-3, lr=2.5e-4, decay=True)  # in pending/


def hashes() -> dict[str, str]:
    """Return the hash of today for each hash of 1.0."""
    earlier = json.loads(HASHES.read_text(encoding="utf-8"))
    known = {name: PENDING if name == "pending" else recipes.by_name(name) for name in earlier}
    return {earlier[name]: recipe.hash for name, recipe in known.items() if not getattr(recipe, "pixelcnn", None)}


def renamed(metrics: dict[str, float]) -> dict[str, float]:
    """Return the metrics of 1.0 under their names of today."""
    return {name.replace("_floor", "_real"): value for name, value in metrics.items()}


def convert(path: Path, table: dict[str, str]) -> None:
    """Convert the run whose record is in a json file; leave the script with one sentence if the new file is not equal."""
    weights = path.with_suffix(".safetensors")
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    content = weights.read_bytes()
    if record.pop("sha256", None) not in (None, hashlib.sha256(content).hexdigest()):
        sys.exit(f"convert: {weights} was changed since {path} was written; nothing was converted")
    tensors = load(content)
    record["recipe_hash"] = table.get(record["recipe_hash"], record["recipe_hash"])
    record["metrics"] = renamed(record["metrics"])
    write_run(weights, record, tensors)
    record_again, tensors_again = read_run(weights)
    del record_again["sha256"]
    if record_again != record or not same(tensors, tensors_again):
        weights.write_bytes(content)
        sys.exit(f"convert: {weights} would not hold what the two files hold; it is as it was")
    path.unlink()
    print(
        f"{weights}: {len(tensors)} tensors, {len(record['metrics'])} metrics and {len(record['history'])} epochs as before"
    )


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    """Return whether two sets of tensors have equal names, types and values."""
    return ours.keys() == theirs.keys() and all(
        tensor.dtype == theirs[name].dtype and tensor.equal(theirs[name]) for name, tensor in ours.items()
    )


def main(folders: list[str]) -> None:
    """Convert every run in the folders."""
    if not folders:
        sys.exit(f"usage: python -m tools.convert FOLDER…\n\n{__doc__}")
    table = hashes()
    for folder in folders:
        runs = [path for path in sorted(Path(folder).glob("*.json")) if path.with_suffix(".safetensors").is_file()]
        if not runs:
            sys.exit(
                f"convert: found no NAME.json with NAME.safetensors in {folder}: name the folder of a run of two files"
            )
        for path in runs:
            convert(path, table)


if __name__ == "__main__":
    main(sys.argv[1:])
