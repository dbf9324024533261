"""The header's download button in headless Chromium: it saves the page's source, from disk and from a server."""

import functools
import http.server
import threading
from pathlib import Path

import pytest

from tests.site.test_site import SITE, browser  # noqa: F401 a fixture


@pytest.fixture(scope="module")
def served():
    """Return the site's address on a server that lets a browser show notebooks, as many do."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {".ipynb": "application/json"}

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=SITE)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("name", ["06-minimax.ipynb", "index.md"])
@pytest.mark.parametrize("host", ["disk", "server"])
def test_the_download_button_saves_the_source(browser, served, host, name):  # noqa: F811
    page = browser.new_page()
    address = SITE.as_uri() if host == "disk" else served
    page.goto(f"{address}/book/{Path(name).stem}.html")
    page.locator(".dropdown-download-buttons > button").click()
    with page.expect_download() as saving:
        page.locator("a.btn-download-source-button").click()
    assert saving.value.suggested_filename == name
    assert Path(saving.value.path()).read_bytes() == (SITE / "_sources" / "book" / name).read_bytes()
    assert page.url.endswith(".html")
    assert len(page.context.pages) == 1
    page.close()
