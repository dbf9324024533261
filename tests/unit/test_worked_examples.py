"""The worked examples of MAINTAINING.md, carried out in a copy of gmlib from the blocks of the document."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gmlib import recipes

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "MAINTAINING.md").read_text(encoding="utf-8")
TRY = """
import sys
from dataclasses import replace
import pytest, torch
from gmlib import ImageDataset, fit, recipes
from gmlib.cli import app
name, test = sys.argv[1:]
assert recipes.__file__.startswith(sys.path[0])
torch.manual_seed(0)
data = ImageDataset(torch.randint(256, (8, 1, 28, 28), dtype=torch.uint8), torch.arange(8), name="made-up")
run = fit(replace(recipes.by_name(name), batch_size=4), data, epochs=1)
print(*run.history.rows[-1])
assert run.model.sample(2).shape == (2, 1, 28, 28)
app(["show", name], standalone_mode=False)
app(["list"], standalone_mode=False)
sys.exit(pytest.main(["-q", "-o", "addopts=", "-p", "no:cacheprovider", test]))
"""


def blocks(title: str) -> dict[str, str]:
    """The block of each file that an example adds or changes."""
    section = re.split(r"^##+ ", PAGE.split(f"### {title}")[1], maxsplit=1, flags=re.M)[0]
    return dict(re.findall(r"^`(\S+\.py)`:[^\n]*\n\n```diff\n(.*?)```$", section, re.M | re.S))


def apply(block: str, path: Path) -> None:
    """Insert the lines with + between the lines around them, or write a new file."""
    for hunk in block.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line.startswith(" "))
        new = "".join(line[1:] for line in lines)
        if not old:
            assert not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(new)
            continue
        text = f"\n{path.read_text()}"
        assert text.count(f"\n{old}") == 1, f"{path.name} has no single place {old!r}"
        path.write_text(text.replace(f"\n{old}", f"\n{new}")[1:])


@pytest.mark.parametrize(
    ("title", "name", "noted"),
    [("A hinge-loss GAN: four files", "dcgan_hinge", "critic_loss"), ("A beta-TCVAE: four files", "tcvae", "train_tc")],
)
def test_an_example_of_at_most_four_files_and_sixty_lines_trains(tmp_path, title, name, noted):
    changes = blocks(title)
    added = [line for block in changes.values() for line in block.splitlines() if line.startswith("+")]
    assert len(changes) == 4
    assert len(added) <= 60
    assert name not in recipes.ALL

    shutil.copytree(ROOT / "gmlib", tmp_path / "gmlib", ignore=shutil.ignore_patterns("weights", "__pycache__"))
    (tmp_path / "gmlib" / "weights").symlink_to(ROOT / "gmlib" / "weights")
    for path, block in changes.items():
        apply(block, tmp_path / path)
    (tmp_path / "try.py").write_text(TRY)
    (test,) = [path for path in changes if path.startswith("tests/")]
    command = [sys.executable, "-W", "ignore", "try.py", name, test]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert noted in done.stdout.split("\n")[0]
    assert f"**{name}**" in done.stdout
    assert re.search(rf"^{name} +not shipped", done.stdout, re.M)
    assert "1 passed" in done.stdout
