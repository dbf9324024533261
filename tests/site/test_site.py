"""The rendered site in headless Chromium, opened from disk with the network off: what a reader gets.

Without a site, or with one older than the book, the committed chapters are rendered first; nothing is trained. What
can be checked in the files alone is in `tests/site/test_pages.py`.
"""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, sync_playwright

from gmlib.widgets import Quiz, quiz
from tests.site.rendered import FLAGS, PHONE, ROOT, SITE, chromium, render

pytestmark = pytest.mark.xdist_group("site")

# What one page holds, asked once it is loaded.
INSPECT = """async () => {
    const all = (selector) => [...document.querySelectorAll(selector)];
    for (const image of all("img")) image.loading = "eager"; // those that wait to be reached
    const decoded = all("img").map((image) => image.decode().catch(() => {}));
    await Promise.race([Promise.all(decoded), new Promise((done) => setTimeout(done, 10000))]); // what is late counts as missing
    return {
        formulas: all(".math").length,
        typeset: all(".math > math").filter((m) => m.textContent).length,
        errors: all("merror, .math").filter((e) => e.matches("merror") || /[\\\\$]/.test(e.textContent)).map((e) => e.textContent),
        images: all("img").filter((i) => !i.alt?.trim() || !i.naturalWidth).map((i) => i.src),
        too_wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        widest: all("main *").filter((e) => e.scrollWidth > innerWidth && getComputedStyle(e).overflowX === "visible")
            .slice(-3).map((e) => e.outerHTML.slice(0, 120)),
    };
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = chromium()
    render()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[f"--{flag}" for flag in FLAGS.split()])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(browser: Browser) -> dict[Path, dict]:
    """Open every page at phone width, once, and note what happened."""
    context = browser.new_context(offline=True, viewport=PHONE)
    seen = {}
    for path in sorted(SITE.rglob("*.html")):
        if "_static" in path.parts:
            continue
        page, trouble = context.new_page(), []
        page.on("request", lambda r, t=trouble: t.append(f"asks for {r.url}") if r.url.startswith("http") else None)
        page.on("requestfailed", lambda r, t=trouble: t.append(f"failed: {r.url}"))
        page.on("console", lambda m, t=trouble: t.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda e, t=trouble: t.append(f"script error: {e}"))
        page.goto(path.as_uri(), wait_until="load")
        if path != SITE / "index.html":  # which only leads to the first page
            seen[path] = page.evaluate(INSPECT)
        page.wait_for_timeout(100)
        seen.setdefault(path, {})["trouble"] = trouble
        page.close()
    context.close()
    return seen


def collect(pages: dict[Path, dict], key: str) -> dict[str, object]:
    """Pick what is not empty under `key`, by page."""
    return {str(path.relative_to(SITE)): notes[key] for path, notes in pages.items() if notes.get(key)}


def test_index_leads_to_the_book(browser):
    page = browser.new_page()
    page.goto((SITE / "index.html").as_uri())
    page.wait_for_url("**/book/index.html")
    assert page.title()
    page.close()


def test_no_request_leaves_the_disk_and_nothing_fails(pages):
    assert len(pages) > 5
    assert collect(pages, "trouble") == {}


def test_every_equation_is_typeset(pages):
    assert collect(pages, "errors") == {}
    counts = {str(p.relative_to(SITE)): (n["formulas"], n["typeset"]) for p, n in pages.items() if "formulas" in n}
    assert {name: (formulas, typeset) for name, (formulas, typeset) in counts.items() if formulas != typeset} == {}
    assert sum(formulas for formulas, _ in counts.values()) > 10


def test_images_load_and_have_alt_text(pages):
    assert collect(pages, "images") == {}


def test_no_page_scrolls_sideways_on_a_phone(pages):
    wide = {name: pages[SITE / name]["widest"] for name in collect(pages, "too_wide")}
    assert wide == {}


def test_every_chapter_says_when_and_how_long_it_ran(browser):
    page = browser.new_page()
    chapters = sorted(path.stem for path in (ROOT / "book").glob("[0-9]*.ipynb"))
    for name in chapters:
        page.goto((SITE / "book" / f"{name}.html").as_uri(), wait_until="domcontentloaded")
        assert re.match(r"Ran in \d+ s on \d{4}-\d\d-\d\d: ", page.locator("h1 + .gm-ran").inner_text())
    page.close()


def test_the_search_finds_with_the_network_off(browser):
    context = browser.new_context(offline=True)
    page, trouble = context.new_page(), []
    page.on("requestfailed", lambda r: trouble.append(r.url))
    page.on("pageerror", lambda e: trouble.append(str(e)))
    page.goto((SITE / "book" / "index.html").as_uri())
    page.locator(".search-button-field").click()
    page.locator("dialog[open] input").fill("posterior collapse")
    page.keyboard.press("Enter")
    page.wait_for_selector(".search li a")
    assert page.url.startswith((SITE / "search.html").as_uri())
    links = page.locator(".search li a").evaluate_all("(links) => links.map((a) => a.href)")
    assert any("book/05-pixel-vae" in link for link in links)
    assert trouble == []
    context.close()


def test_the_zip_opens_from_disk(browser, tmp_path):
    with zipfile.ZipFile(SITE / "open-offline.zip") as packed:
        packed.extractall(tmp_path)
    context = browser.new_context(offline=True)
    page, trouble = context.new_page(), []
    page.on("request", lambda r: trouble.append(r.url) if r.url.startswith("http") else None)
    page.on("requestfailed", lambda r: trouble.append(r.url))
    page.goto((tmp_path / "open-offline" / "index.html").as_uri())
    page.wait_for_url("**/open-offline/book/index.html")
    assert "This is the copy for reading offline." in page.locator("main").inner_text()
    assert page.locator("main a[href$=zip]").count() == 0
    page.locator("nav.bd-links a", has_text="variational autoencoder").click()
    page.wait_for_selector("figure.gm-explorer[data-live]")
    assert page.evaluate(
        "getComputedStyle(document.querySelector('.bd-article p:not(.gm-ran)')).fontFamily"
    ).startswith('"Source Serif"')
    assert trouble == []
    context.close()


def test_on_paper_there_is_the_text_and_nothing_around_it(browser):
    page = browser.new_page()
    page.goto((SITE / "book" / "02-vae.html").as_uri())
    page.emulate_media(media="print")
    assert page.locator(".bd-article h1").is_visible()
    for around in (
        ".bd-sidebar-primary",
        ".bd-sidebar-secondary",
        ".bd-header-article",
        ".prev-next-footer",
        ".headerlink",
    ):
        assert not page.locator(around).first.is_visible(), around
    page.close()


def test_without_javascript_text_formulas_figures_and_solutions_are_there(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for name in ("01-elbo", "07-gan"):
        page.goto((SITE / "book" / f"{name}.html").as_uri())
        for what in ("h1", "math", ".cell_output img", ".solution p"):
            seen = page.locator(f".bd-article {what}").first
            assert seen.is_visible(), what
            assert seen.bounding_box()["height"] > 5, what
        assert "\\(" not in page.locator(".bd-article").inner_text()
    context.close()


def test_a_table_sorts_by_a_click_or_a_key_with_dashes_last(browser):
    page = browser.new_page()
    page.goto((SITE / "book" / "11-comparison.html").as_uri())
    table = page.locator(".tag_sortable table").first
    heads = table.locator("th").all_inner_texts()

    def column(name: str) -> list[str]:
        return [
            row.split("\t")[heads.index(name)].strip()
            for row in table.locator("tbody tr").evaluate_all(
                "(rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim()).join('\\t'))"
            )
        ]

    rows = set(column("run"))
    table.locator("th button", has_text="ELBO").click()
    assert column("ELBO") == sorted(column("ELBO"), key=float)
    page.keyboard.press("Enter")  # the other way round
    assert column("ELBO") == sorted(column("ELBO"), key=float, reverse=True)
    assert table.locator("th[aria-sort=descending]").count() == table.locator("th[aria-sort]").count() == 1
    for _ in range(2):
        table.locator("th button", has_text="5,000 draws").click()
        shown = column(next(name for name in heads if "5,000" in name))
        assert shown[0] != "–"
        assert shown[-1] == "–"
    table.locator("th button", has_text="run").click()
    assert column("run") == sorted(rows)
    page.close()


# ---- quizzes

# Chooses every answer of every question in turn, and notes what the page then shows.
CHOOSE = """() => [...document.querySelectorAll(".gm-quiz input")].map((input) => {
    input.click();
    const reply = input.closest("fieldset").querySelector(".gm-reply");
    const {scrollWidth, clientWidth} = document.documentElement;
    return {text: reply.innerText, wide: scrollWidth - clientWidth};
})"""


def quizzes() -> dict[Path, Quiz]:
    """Find the pages that hold a quiz, and the quiz of each."""
    chapters = {path: nbformat.read(path, as_version=4) for path in sorted((ROOT / "book").glob("*.ipynb"))}
    sources = {path: "\n".join(cell.source for cell in chapter.cells) for path, chapter in chapters.items()}
    found = {path: re.search(r'widgets\.quiz\("(.+)"\)', source) for path, source in sources.items()}
    return {SITE / "book" / f"{path.stem}.html": quiz(name[1]) for path, name in found.items() if name}


def reply(question: Locator) -> str:
    return question.locator(".gm-reply").inner_text()


def test_a_quiz_answers_to_the_mouse(browser):
    page, (path, widget) = browser.new_page(), next(iter(quizzes().items()))
    page.goto(path.as_uri())
    questions = page.locator(".gm-quiz fieldset").all()
    assert page.locator(".gm-reply:not(:empty)").count() == 0
    for number, (question, known) in enumerate(zip(questions, widget.questions, strict=True), 1):
        labels, score = question.locator("label").all(), page.locator(".gm-score")
        labels[known["right"] - 1].click()
        assert reply(question).startswith("No. ")
        left = len(questions) - number
        still_open = f", {left} still open" if left else ""
        assert score.inner_text() == f"{number - 1} of {len(questions)} right{still_open}."
        labels[known["right"]].click()
        assert reply(question).startswith("Right. ")
        assert page.locator(".gm-right").count() == number
        assert score.inner_text() == f"{number} of {len(questions)} right{still_open}."
    page.close()


def test_a_quiz_answers_to_the_keyboard(browser):
    page = browser.new_page()
    page.goto(next(iter(quizzes())).as_uri())
    first, second = page.locator(".gm-quiz fieldset").all()[:2]
    first.locator("input").first.focus()
    page.keyboard.press("Space")
    before = reply(first)
    page.keyboard.press("ArrowDown")
    after = reply(first)
    assert before != after
    assert {before.split(".")[0], after.split(".")[0]} <= {"No", "Right"}
    assert first.locator("input").nth(1).is_checked()
    page.keyboard.press("Tab")
    assert second.locator("input:focus").count() == 1
    page.keyboard.press("Space")
    assert reply(second)
    assert "3 still open" in page.locator(".gm-score").inner_text()
    page.close()


def test_every_answer_of_every_quiz_has_its_reply_and_fits_a_phone(browser):
    for path, widget in quizzes().items():
        page = browser.new_page(viewport=PHONE)
        page.goto(path.as_uri())
        seen = iter(page.evaluate(CHOOSE))
        for question in widget.questions:
            for number in range(len(question["answers"])):
                each = next(seen)
                assert each["text"].startswith("Right. " if number == question["right"] else "No. "), path.name
                assert len(each["text"]) > 10, path.name
                assert each["wide"] <= 0, f"{path.name}: {each['text']}"
        assert next(seen, None) is None
        page.close()


def test_without_javascript_a_quiz_shows_its_questions_and_no_answer(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    path, widget = next(iter(quizzes().items()))
    page.goto(path.as_uri())
    items = page.locator(".gm-poster > ol > li")
    assert items.count() == len(widget.questions)
    assert items.first.is_visible()
    context.close()
