"""axe looks for what keeps readers out: on a page of each template and on every page with an explorer, in both themes."""

from collections.abc import Iterator
from importlib import resources

import pytest
from playwright.sync_api import Browser, Page

from tests.site import test_site
from tests.site.rendered import SITE
from tests.site.test_explorers import EXPLORERS

pytestmark = pytest.mark.xdist_group("axe")

browser = test_site.browser  # the fixture, which renders the site first if it must

AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
# what the theme and our own styles lay out in a way of its own: prose, sortable tables, verdicts, signatures, lists
TEMPLATES = [
    *("book/measuring.html", "book/11-comparison.html", "book/12-claims.html", "book/api.html"),
    *("book/bibliography.html", "search.html", "genindex.html"),
]
# Everything in the light theme, then in the dark one what depends on it. Inside a formula there is no other colour than
# around it, and code has the same few on every page: one chapter's is looked at. So is one signature of each section of
# the library's page.
LOOK = """async () => {
    const chapter = location.pathname.endsWith("/02-vae.html");
    const exclude = [["math > *"], ["dl.py ~ dl.py"], ...(chapter ? [] : [["pre"]])];
    const root = document.documentElement, found = [];
    document.head.insertAdjacentHTML("beforeend", "<style>* { transition: none !important }</style>");
    dispatchEvent(new Event("resize"));
    for (const [theme, options] of [["light", {}], ["dark", {runOnly: ["color-contrast"]}]]) {
        root.dataset.theme = theme;
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        const {violations} = await axe.run({include: [["html"]], exclude}, {resultTypes: ["violations"], ...options});
        for (const {id, help, nodes} of violations)
            found.push(`${theme}, ${id}: ${help} (${nodes.length}), first ${nodes[0].target.join(" ")} ${nodes[0].html.slice(0, 120)}`);
    }
    return found;
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", [*(f"book/{name}.html" for name in EXPLORERS), *TEMPLATES])
def test_axe_finds_nothing(page, name):
    page.goto((SITE / name).as_uri(), wait_until="load")
    if name.removeprefix("book/").removesuffix(".html") in EXPLORERS:
        page.wait_for_selector("figure.gm-explorer[data-live]")
    page.evaluate(AXE)
    assert page.evaluate(LOOK) == []


@pytest.mark.parametrize(
    ("body", "theme", "rule"),
    [
        ('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">', "light", "image-alt"),
        ("<style>[data-theme=dark] { background: #222; color: #333 }</style><p>text</p>", "dark", "color-contrast"),
    ],
)
def test_axe_would_find(page, body, theme, rule):
    page.set_content(f'<html lang="en"><title>t</title><main><h1>t</h1>{body}</main>')
    page.evaluate(AXE)
    found = page.evaluate(LOOK)
    assert [each.split(":")[0] for each in found] == [f"{theme}, {rule}"]
