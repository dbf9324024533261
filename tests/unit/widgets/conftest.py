"""An explorer's JavaScript, run in Chromium."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from gmlib.widgets.explorer import source
from tests.site.rendered import FLAGS, chromium


@pytest.fixture(scope="module")  # closed before another file starts Playwright in this process
def browser() -> Iterator[Browser]:
    executable = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[f"--{flag}" for flag in FLAGS.split()])
        yield browser
        browser.close()


@pytest.fixture
def evaluate(browser: Browser) -> Iterator[Callable[..., Any]]:
    """Evaluate an expression after files of `gmlib/widgets`; it is a function of one argument, which comes as JSON."""
    page = browser.new_page()

    def run(*files: str, expression: str, argument: Any = None) -> Any:
        page.add_script_tag(content=source(*files))
        return page.evaluate(expression, argument)

    yield run
    page.close()
