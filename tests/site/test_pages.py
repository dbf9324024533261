"""The files of the rendered site: links lead somewhere, nothing comes from the network, no page is too heavy.

They are skipped unless the site is newer than the book; `make book` and `make test-release` render it.
"""

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from bs4 import BeautifulSoup

from tests.book.loaded import loaded
from tests.site.rendered import SITE, is_current

pytestmark = pytest.mark.xdist_group("pages")

lighthouse = loaded("lighthouse")
RESOURCES = {"img": "src", "script": "src", "link": "href", "source": "src", "iframe": "src"}


class Page(NamedTuple):
    """The anchors of a page, its links, and the files that it needs."""

    ids: set[str]
    links: list[str]
    files: list[str]


def read(site: Path) -> dict[Path, Page]:
    """Read the pages of a site."""
    found = {}
    for path in sorted(site.rglob("*.html")):
        if "_static" in path.relative_to(site).parts:
            continue
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        resources = [each for tag, name in RESOURCES.items() for each in page(tag, {name: True})]
        files = [
            each[RESOURCES[each.name]] for each in resources if not {"canonical", "license"} & {*each.get("rel", [])}
        ]
        found[path] = Page(
            ids={each["id"] for each in page(id=True)} | {each["name"] for each in page("a", attrs={"name": True})},
            links=[each["href"] for each in page("a", href=True)],
            files=[file for file in files if not file.startswith("data:")],
        )
    return found


def target(path: Path, link: str) -> tuple[Path, str]:
    """Find the file and the anchor that a link on a page leads to."""
    place, anchor = urldefrag(link)
    file = (path.parent / unquote(urlparse(place).path)).resolve() if place else path
    return file, unquote(anchor)


def broken(pages: dict[Path, Page]) -> list[str]:
    """List links between pages that lead nowhere."""
    found = []
    for path, page in pages.items():
        for link in page.links:
            if urlparse(link).scheme:  # of another site, or an address to write to
                continue
            file, anchor = target(path, link)
            if not file.exists():
                found.append(f"{path.name} -> {link}")
            elif anchor and file in pages and anchor not in pages[file].ids:
                found.append(f"{path.name} -> {link}: no such anchor")
    return found


def lost(pages: dict[Path, Page]) -> list[str]:
    """List files that a page needs and that are not in the site."""
    return [
        f"{path.name} -> {file}"
        for path, page in pages.items()
        for file in page.files
        if urlparse(file).scheme or urlparse(file).netloc or not target(path, file)[0].is_file()
    ]


@pytest.fixture(scope="module")
def pages() -> dict[Path, Page]:
    if not is_current():
        pytest.skip("There is no site that is newer than the book: `make book` renders it.")
    return read(SITE)


def test_links_and_anchors_between_pages_resolve(pages):
    assert sum(len(page.links) for page in pages.values()) > 1000
    assert broken(pages) == []


def test_every_file_that_a_page_needs_is_in_the_site(pages):
    assert sum(len(page.files) for page in pages.values()) > 100
    assert lost(pages) == []


def test_no_page_is_heavier_than_it_may_be(pages):
    weights = {path.stem: lighthouse.page_bytes(path) for path in pages if path.parent.name == "book"}
    assert len(weights) > 20
    assert {name: weight for name, weight in weights.items() if weight > lighthouse.MAX_BYTES} == {}


@pytest.mark.parametrize(
    ("touched", "current"),
    [
        *[("book/a.md", False), ("_toc.yml", False), ("gmlib/widgets/a.js", False)],
        *[("book/.ruff_cache/x", True), ("gmlib/__pycache__/a.pyc", True), ("tests/a.py", True)],
    ],
)
def test_a_site_is_rendered_again_after_a_change_of_what_it_is_made_from(tmp_path, touched, current):
    for name in ("_config.yml", "_toc.yml", "book/a.md", "gmlib/a.py", "_build/html/index.html", touched):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000, 1000))
    assert is_current(tmp_path)
    os.utime(tmp_path / touched, (1001, 1001))
    assert is_current(tmp_path) == current
    (tmp_path / "_build" / "html" / "index.html").unlink()
    assert not is_current(tmp_path)


def test_what_leads_nowhere_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#here"></a><a href="b.html#gone"></a><a href="c.html"></a>')
    (tmp_path / "b.html").write_text(
        '<p id="here"></p><a href="#here"></a><a href="https://example.org/x"></a>'
        '<img src="x.png"><script src="https://example.org/x.js"></script><img src="data:image/png;base64,AA">'
    )
    pages = read(tmp_path)
    assert broken(pages) == ["a.html -> b.html#gone: no such anchor", "a.html -> c.html"]
    assert lost(pages) == ["b.html -> x.png", "b.html -> https://example.org/x.js"]
