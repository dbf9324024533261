"""Measure the largest pages of the rendered site with Lighthouse: `make lighthouse`, which needs Node and a Chromium.

A local web server delivers the site with gzip; nothing is uploaded.
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
PAGES = 5  # the largest ones
ENOUGH = 95  # of 100
MAX_BYTES = 1_500_000  # of a page's HTML and images
TEXT = (".html", ".css", ".js", ".svg", ".json")


class CompressingHandler(SimpleHTTPRequestHandler):
    """A request handler that compresses text and allows caching."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send a file of the site."""
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
        """Print nothing."""


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a folder while the block runs, and yield its address."""
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(CompressingHandler, directory=str(site))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def page_bytes(page: Path) -> int:
    """Return the bytes of a page: its HTML and its images, each counted once."""
    html = page.read_text(encoding="utf-8")
    sources = re.findall(r'<img [^>]*?src="([^":]+)"', html)
    files = {(page.parent / unquote(source)).resolve() for source in sources}
    return page.stat().st_size + sum(file.stat().st_size for file in files)


def scores(url: str) -> tuple[dict[str, int], list[str]]:
    """Return a page's score in each category, and the audits that lower it, as Lighthouse measures on a desktop."""
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
        report_data = json.loads(report.read_text())
    results = {
        name: round(100 * report_data["categories"][name]["score"])
        for name in CATEGORIES
    }
    weighty = {
        audit["id"]
        for category in report_data["categories"].values()
        for audit in category["auditRefs"]
        if audit["weight"]
    }
    failed_audits = [
        f"{report_data['audits'][name]['title']} {report_data['audits'][name].get('displayValue', '')}".strip()
        for name in sorted(weighty)
        if (report_data["audits"][name]["score"] or 0) < 0.9
        and report_data["audits"][name]["score"] is not None
    ]
    return results, failed_audits


def main() -> int:
    """Print the scores of the largest pages; return 1 if one is below `ENOUGH` or too large."""
    pages = sorted((SITE / "book").glob("*.html"), key=page_bytes, reverse=True)[:PAGES]
    if not pages or not shutil.which("npx"):
        print(
            "`make lighthouse` needs a rendered site (`make book`) and npx, which comes with Node.",
            file=sys.stderr,
        )
        return 1
    good = True
    with served(SITE) as address:
        for page in pages:
            results, failed_audits = scores(f"{address}/book/{page.name}")
            bytes_ = page_bytes(page)
            good &= min(results.values()) >= ENOUGH and bytes_ <= MAX_BYTES
            text = ", ".join(f"{name} {mark}" for name, mark in results.items())
            print(
                f"{page.stem}: {text}; {bytes_:,} bytes of HTML and images", flush=True
            )
            for audit in failed_audits:
                print(f"    {audit}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
