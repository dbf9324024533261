"""The plain twins in a live JupyterLab, driven by a browser: what a student sees."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from gmlib.widgets import quiz
from tests.book.loaded import BOOK, loaded
from tests.site.rendered import FLAGS, chromium

pytestmark = pytest.mark.xdist_group("lab")
twins = loaded("twins")


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[str]:
    """Serve the twins in a JupyterLab that renders all cells of a notebook at once; return its address."""
    folder = tmp_path_factory.mktemp("lab")
    twins.write_all(BOOK, folder / "copies")
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps({"windowingMode": "none"}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", str(folder / "copies"), "--no-browser", f"--port={port}"]
    command += ["--allow-root", "--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True"]
    environment = os.environ | {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "OMP_NUM_THREADS": "1"}
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(120):
                try:
                    urllib.request.urlopen(f"{address}/api")
                    break
                except urllib.error.URLError:
                    assert server.poll() is None, (folder / "log").read_text()[-2000:]
                    time.sleep(0.5)
            yield address
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        flags = [f"--{flag}" for flag in FLAGS.split()]
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags)
        yield browser
        browser.close()


def opened(browser, lab: str, name: str) -> Page:
    """Open a twin and wait until its last cell is rendered."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(90_000)
    page.goto(f"{lab}/lab/tree/{name}.ipynb?reset")
    page.wait_for_function("() => window.jupyterapp")
    page.locator(".jp-Notebook .jp-RenderedMarkdown", has_text="References").last.wait_for()
    return page


@pytest.mark.parametrize("name", ["02-vae", "06-minimax", "09-wgan"])
def test_a_chapter_is_rendered_and_no_answer_is_to_be_seen(browser, lab, name):
    page = opened(browser, lab, name)
    page.locator("mjx-container").first.wait_for()
    shown = page.locator(".jp-Notebook").inner_text()
    assert not twins.LEFTOVER.search(shown)
    assert re.search(rf"Fig\. {int(name[:2])}\.1\.", shown)
    solutions = page.locator(".jp-Notebook details")
    assert solutions.count() >= 3
    assert solutions.evaluate_all("all => all.every((each) => !each.open)")
    assert page.locator(".gm-reply").count() == 0
    questions = quiz(re.search(r'quiz\("(.+)"\)', page.locator(".jp-Notebook").inner_text())[1]).questions
    for answer in (answer for question in questions for answer in question["answers"]):
        why = re.sub(r"<[^>]+>", "", answer["why"])
        assert len(why) < 20 or why not in page.content()
    page.close()
