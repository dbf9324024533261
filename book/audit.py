"""Grade the heaviest pages of the rendered site with Lighthouse: `make audit`, which needs Node and a Chromium.

The site is served from here as a web server would, with gzip; nothing of it leaves this machine.
"""

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

import bs4

SITE = Path(__file__).resolve().parent.parent / "_build" / "html"
LIGHTHOUSE = "lighthouse@12.8.2"
CHROMIUM = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
PAGES = 5  # the heaviest ones
ENOUGH = 95  # of 100
MAX_BYTES = 1_500_000  # a page's own HTML and images


class Zipped(SimpleHTTPRequestHandler):
    """Serves text compressed, and lets it be cached."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a file of the site."""
        path = Path(self.translate_path(self.path))
        if path.is_dir():
            path /= "index.html"
        if not path.is_file():
            self.send_error(404)
            return
        body = path.read_bytes()
        self.send_response(200)
        if path.suffix in (".html", ".css", ".js", ".svg", ".json"):
            body = gzip.compress(body, 6)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=31536000")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a folder as long as the block runs.

    Args:
        site: the folder.

    Yields:
        Its address.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Zipped, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def weight(page: Path) -> int:
    """Add up what a page brings of its own: its HTML and the images in it, each once.

    Args:
        page: an HTML file.

    Returns:
        Bytes; what all pages share, theme and MathJax, is not counted.
    """
    html = page.read_text(encoding="utf-8")
    sources = {
        image.get("src", "") for image in bs4.BeautifulSoup(html, "html.parser")("img")
    }
    files = {
        (page.parent / unquote(urlparse(s).path)).resolve()
        for s in sources
        if not s.startswith("data:")
    }
    return page.stat().st_size + sum(
        file.stat().st_size for file in files if file.is_file()
    )


def grade(url: str, folder: Path) -> dict[str, float]:
    """Let Lighthouse look at a page, as on a desktop.

    Args:
        url: its address.
        folder: for what Lighthouse writes.

    Returns:
        Its four grades, 0 to 100, and what cost points.

    Raises:
        SystemExit: if it did not run.
    """
    report = folder / "report.json"
    flags = "--headless=new --no-sandbox --disable-gpu"
    command = ["npx", "--yes", LIGHTHOUSE, url, "--preset=desktop", "--quiet", "--output=json", f"--output-path={report}"]
    command += [f"--chrome-flags={flags}", f"--only-categories={','.join(CATEGORIES)}"]
    done = subprocess.run(command, env=os.environ | {"CHROME_PATH": chromium()}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"Lighthouse did not run: {done.stderr.strip()[-500:]}")
    return json.loads(report.read_text())
