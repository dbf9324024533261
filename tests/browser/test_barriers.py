"""axe looks at every page of the site, in both themes, for what keeps readers out."""

from importlib import resources

import pytest
from playwright.sync_api import Browser

from tests.browser import test_site
from tests.browser.test_site import SITE

browser = test_site.browser  # the fixture, which renders the site first if it must

AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
# Everything in the light theme, then in the dark one what depends on it. Inside a formula there is no other colour than
# around it, and code has the same few on every page: one chapter's is looked at, and the library's sources in one theme.
LOOK = """async () => {
    const source = location.pathname.includes("/_modules/"), chapter = location.pathname.endsWith("/02-vae.html");
    const exclude = [["math > *"], ...(chapter ? [] : [["pre"]])];
    const root = document.documentElement, found = [];
    document.head.insertAdjacentHTML("beforeend", "<style>* { transition: none !important }</style>");
    dispatchEvent(new Event("resize"));
    for (const [theme, options] of [["light", {}], ...(source ? [] : [["dark", {runOnly: ["color-contrast"]}]])]) {
        root.dataset.theme = theme;
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        const {violations} = await axe.run({include: [["html"]], exclude}, {resultTypes: ["violations"], ...options});
        for (const {id, help, nodes} of violations)
            found.push(`${theme}, ${id}: ${help} (${nodes.length}), first ${nodes[0].target.join(" ")} ${nodes[0].html.slice(0, 120)}`);
    }
    return found;
}"""


@pytest.fixture(scope="module")
def barriers(browser: Browser) -> dict[str, list[str]]:
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900}, color_scheme="light")
    found = {}
    for path in sorted(SITE.rglob("*.html")):
        if "_static" in path.parts or path == SITE / "index.html":  # which only leads to the first page
            continue
        page = context.new_page()
        page.goto(path.as_uri(), wait_until="load")
        page.evaluate(AXE)
        found[str(path.relative_to(SITE))] = page.evaluate(LOOK)
        page.close()
    context.close()
    return found


def test_axe_finds_nothing_on_any_page(barriers):
    assert len(barriers) > 20
    assert {name: found for name, found in barriers.items() if found} == {}


def test_axe_would_find_an_image_without_words(browser):
    page = browser.new_page()
    page.set_content(
        '<html lang="en"><title>t</title><main><h1>t</h1><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="></main>'
    )
    page.evaluate(AXE)
    assert any("image-alt" in each for each in page.evaluate(LOOK))
    page.close()
