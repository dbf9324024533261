"""The rendered site, and the browser that opens it: what the tests of the site share.

python -m tests.site.rendered    renders the committed chapters, unless the site is newer than the book and the library
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
FLAGS = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update disable-sync"
PHONE = {"width": 390, "height": 844}


def chromium() -> str:
    """Find an installed Chromium; without one, skip, but fail where `CI` is set."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None) or (str(MAC) if MAC.exists() else None)
    if not found:
        sentence = f"No Chromium found under the names {', '.join(NAMES)}: install one to check the rendered site."
        (pytest.fail if os.environ.get("CI") else pytest.skip)(sentence)
    return found


def is_current(root: Path = ROOT) -> bool:
    """Return whether there is a site, newer than all that it is made from."""
    index = root / "_build" / "html" / "index.html"
    sources = [
        root / "_config.yml",
        root / "_toc.yml",
        *(root / "book").rglob("*"),
        *(root / "gmlib").rglob("*"),
        *(root / "audit").rglob("*"),
    ]
    made_from = [path for path in sources if path.is_file() and not is_made(path.relative_to(root))]
    return index.exists() and index.stat().st_mtime >= max(path.stat().st_mtime for path in made_from)


def is_made(path: Path) -> bool:
    """Return whether a file is a tool's own: compiled, or below a hidden folder such as ruff's cache."""
    return path.suffix == ".pyc" or any(part.startswith(".") for part in path.parts)


def render() -> None:
    """Render the committed chapters if the site is missing or out of date; nothing is trained."""
    SITE.parent.mkdir(exist_ok=True)
    with FileLock(SITE.parent / "render.lock"):  # other workers wait for the site too
        if not is_current():
            command = [sys.executable, "book/build.py", "render", "--committed"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    render()
