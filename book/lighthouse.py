"""Grade the heaviest pages of the rendered site with Lighthouse: `make lighthouse`, which needs Node and a Chromium.

The site is served from here as a web server would, with gzip; nothing of it leaves this machine.
"""

import gzip
import json
import re
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
from typing import Any
from urllib.parse import unquote

SITE = Path(__file__).resolve().parent.parent / "_build" / "html"
LIGHTHOUSE = "lighthouse@12.8.2"
FLAGS = "--headless=new --no-sandbox --disable-gpu"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
PAGES = 5  # the heaviest ones
ENOUGH = 95  # of 100
MAX_BYTES = 1_500_000  # a page's own HTML and images
TEXT = (".html", ".css", ".js", ".svg", ".json")


class Zipped(SimpleHTTPRequestHandler):
    """Serves text compressed, and lets everything be cached."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a file of the site."""
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        body = path.read_bytes()
        self.send_response(200)
        if path.suffix in TEXT:
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=31536000")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a folder as long as the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Zipped, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def weight(page: Path) -> int:
    """Add up what a page brings of its own: its HTML and the images that it shows, each once."""
    html = page.read_text(encoding="utf-8")
    sources = re.findall(r'<img [^>]*?src="([^":]+)"', html)
    files = {(page.parent / unquote(source)).resolve() for source in sources}
    return page.stat().st_size + sum(file.stat().st_size for file in files)


def grades(url: str) -> tuple[dict[str, int], list[str]]:
    """Let Lighthouse look at a page as on a desktop."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = ["npx", "--yes", LIGHTHOUSE, url, "--preset=desktop", "--quiet"]
        command += [f"--only-categories={','.join(CATEGORIES)}", "--output=json"]
        command += [f"--output-path={report}", f"--chrome-flags={FLAGS}"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(
                f"Lighthouse did not run: {done.stderr.strip()[-800:]}\n"
                "It needs Node, the npm registry once, and a Chromium (CHROME_PATH names one)."
            )
        told = json.loads(report.read_text())
    marks = {
        name: round(100 * told["categories"][name]["score"]) for name in CATEGORIES
    }
    weighty = {
        audit["id"]
        for category in told["categories"].values()
        for audit in category["auditRefs"]
        if audit["weight"]
    }
    costly = [
        f"{told['audits'][name]['title']} {told['audits'][name].get('displayValue', '')}".strip()
        for name in sorted(weighty)
        if (told["audits"][name]["score"] or 0) < 0.9
        and told["audits"][name]["score"] is not None
    ]
    return marks, costly


def main() -> int:
    """Grade the heaviest pages, and say which fall short."""
    pages = sorted((SITE / "book").glob("*.html"), key=weight, reverse=True)[:PAGES]
    if not pages or not shutil.which("npx"):
        print(
            "`make lighthouse` needs a rendered site (`make book`) and npx, which comes with Node.",
            file=sys.stderr,
        )
        return 1
    good = True
    with served(SITE) as address:
        for page in pages:
            marks, costly = grades(f"{address}/book/{page.name}")
            bytes_ = weight(page)
            good &= min(marks.values()) >= ENOUGH and bytes_ <= MAX_BYTES
            told = ", ".join(f"{name} {mark}" for name, mark in marks.items())
            print(f"{page.stem}: {told}; {bytes_:,} bytes of its own", flush=True)
            for cost in costly:
                print(f"    {cost}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
