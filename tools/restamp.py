"""Write today's recipe hashes into the records of trained runs: `python tools/restamp.py [--measure]`.

A record names its recipe by a hash. gmlib 1.0 made the hash from names in the code, `gmlib.identity` makes it from ids.
This script writes today's hash into the records in `gmlib/weights` and `pending`, and into `gmlib/restamped.json` the pairs
of both, by which gmlib reads runs and checkpoints of 1.0. It stops at the first record that is not as it should be:

- its hash is that of 1.0, or the one that the table gives for it;
- its weights have the checksum that it states, and today's networks take them;
- nothing in it changes but the hash.

The hashes that 1.0 gave to PixelCNN and PixelVAEs are not in the table: the tensors of these networks have other names
since, so that gmlib refuses their runs and checkpoints of 1.0 in one sentence.

With --measure it also measures each shipped run on the embedded digits and compares every metric with the stored one.
`tools/hashes-1.0.json` has the hashes of all recipes of 1.0. It can be run again whenever the rule of the hash changes.
"""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

from gmlib import recipes, zoo
from gmlib.experiments.evaluate import evaluate_digits
from gmlib.experiments.run import read_model
from gmlib.files import write_whole

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "gmlib" / "restamped.json"
PENDING = {"wgan_gp": replace(recipes.WGAN_GP, n_critic=1, critic_lr=1e-3, lr=2.5e-4, decay=True)}


def check(holds: bool, path: Path, reason: str) -> None:
    """Leave the script with a sentence about a record, unless a condition holds."""
    if not holds:
        sys.exit(f"restamp: {path}: {reason}; nothing was written for it")


def restamp(path: Path, recipe: recipes.Recipe, earlier: set[str]) -> None:
    """Write today's hash into one record."""
    text = path.read_text(encoding="utf-8")
    record = json.loads(text)
    old = record["recipe_hash"]
    check(old in earlier, path, "its hash is not that of gmlib 1.0 or of an earlier run of this script")
    weights = path.with_suffix(".safetensors")
    content = weights.read_bytes()
    check(hashlib.sha256(content).hexdigest() == record["sha256"], path, "its weights have another checksum")
    read_model(weights, recipe, record)
    new = text.replace(old, recipe.hash)
    check(json.loads(new) == record | {"recipe_hash": recipe.hash}, path, "more than the hash would change")
    write_whole(path, new)
    check(weights.read_bytes() == content, path, "its weights have changed")
    print(f"{path.relative_to(ROOT)}: {old[:12]} is {recipe.hash[:12]}, weights unchanged")


def main() -> None:
    """Restamp all records, and measure them if asked to."""
    original = json.loads((ROOT / "tools" / "hashes-1.0.json").read_text())
    before = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    known = {name: recipes.by_name(name) for name in original if name != "pending"}
    table = {original[name]: recipe.hash for name, recipe in known.items() if not getattr(recipe, "pixelcnn", None)}
    table[original["pending"]] = PENDING["wgan_gp"].hash
    write_whole(TABLE, json.dumps(table, indent=1) + "\n")

    def earlier(name: str) -> set[str]:
        today = PENDING["wgan_gp"].hash if name == "pending" else known[name].hash
        return {original[name], before.get(original[name], original[name]), today}

    for name in zoo.shipped():
        restamp(zoo.WEIGHTS / f"{name}.json", known[name], earlier(name))
    for name, recipe in PENDING.items():
        restamp(ROOT / "pending" / f"{name}.json", recipe, earlier("pending"))

    for name in zoo.shipped() if "--measure" in sys.argv else []:
        run = zoo.pretrained(name)
        found = evaluate_digits(run.recipe, run.model)
        others = {key: (value, run.metrics[key]) for key, value in found.items() if value != run.metrics[key]}
        print(
            f"{name}: {len(found) - len(others)} of {len(found)} metrics on the embedded digits as stored", others or ""
        )


if __name__ == "__main__":
    main()
