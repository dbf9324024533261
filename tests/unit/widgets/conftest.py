"""Explorers and their JavaScript in Chromium."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from gmlib.widgets.explorer import Explorer, source
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
    """Evaluate an expression after files of `gmlib/widgets`: a function of one argument, which is passed as JSON."""
    page = browser.new_page()

    def run(*files: str, expression: str, argument: Any = None) -> Any:
        page.add_script_tag(content=source(*files))
        return page.evaluate(expression, argument)

    yield run
    page.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page that holds an explorer, as many times as given; `head` stands before it."""
    pages = []

    def open_page(
        made: Explorer, wait: str = "figure[data-live]", head: str = "", times: int = 1, **options: Any
    ) -> Page:
        pages.append(browser.new_page(**options))
        pages[-1].set_content(f"<!doctype html>{head}{made.html() * times}")
        pages[-1].wait_for_selector(wait)
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()
