"""The explorers of the rendered site, opened from disk with the network off: by mouse, by keyboard, and without a script."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page

from tests.site import test_site
from tests.site.rendered import PHONE, SITE

pytestmark = pytest.mark.xdist_group("explorers")

browser = test_site.browser  # the fixture, which renders the site first if it must

# page to the canvas that its explorer is about, and to what can be dragged
EXPLORERS = {
    "02-vae": (".gm-digit", "canvas.gm-plane"),
    "04-conditional-vae": (".gm-digit", "input[type=range] >> nth=0"),
    "05-pixel-vae": ("canvas[tabindex]", "canvas[tabindex]"),
    "06-minimax": ("canvas.gm-plot >> nth=0", "canvas.gm-plot >> nth=0"),
    "07-gan": (".gm-digit >> nth=0", "input[type=range]"),
    "08-dcgan": (".gm-digit", "canvas.gm-sheet"),
    "09-wgan": ("canvas.gm-plot >> nth=0", "input[type=range] >> nth=0"),
    "10-mode-collapse": ("canvas.gm-plane", "input[type=range]"),
}
EXPLORER = "figure.gm-explorer"


def opened(browser: Browser, name: str) -> Page:
    context = browser.new_context(offline=True, viewport={"width": 1100, "height": 900})
    page = context.new_page()
    page.goto((SITE / "book" / f"{name}.html").as_uri(), wait_until="domcontentloaded")
    page.wait_for_selector(f"{EXPLORER}[data-live]")
    page.wait_for_timeout(200)  # the first frame
    return page


@pytest.fixture(params=EXPLORERS)
def name(request) -> str:
    return request.param


@pytest.fixture
def page(browser: Browser, name: str) -> Iterator[Page]:
    page = opened(browser, name)
    yield page
    page.context.close()


def part(page: Page, selector: str) -> Locator:
    return page.locator(f"{EXPLORER} {selector}")


def picture(page: Page, name: str) -> str:
    """What the main canvas shows, once the next frame is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return part(page, EXPLORERS[name][0]).evaluate("(canvas) => canvas.toDataURL()")


def named(page: Page, name: str) -> str:
    return part(page, EXPLORERS[name][0]).get_attribute("aria-label")


def test_every_explorer_of_the_book_is_tried_here():
    pages = {path.stem for path in (SITE / "book").glob("*.html") if 'class="gm-explorer"' in path.read_text()}
    assert pages == set(EXPLORERS)


def test_it_replaces_its_poster_and_has_something_to_show(page, name):
    assert page.locator(f"{EXPLORER} img").count() == 0
    ink = "(c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 === 3 && v)"
    for canvas in part(page, "canvas").all():
        assert canvas.evaluate(ink)
    assert named(page, name)


def test_a_drag_by_mouse_changes_the_picture_and_what_it_is_called(page, name):
    before = picture(page, name), named(page, name)
    handle = part(page, EXPLORERS[name][1])
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, y)
    page.mouse.down()
    pressed = picture(page, name)
    page.mouse.move(box["x"] + box["width"] * 0.8, y, steps=4)
    held = picture(page, name)
    page.mouse.up()
    assert held not in (before[0], pressed)
    assert named(page, name) != before[1]
    page.mouse.move(box["x"] + box["width"] * 0.2, y, steps=4)  # nothing is held any more
    assert picture(page, name) == held


def test_each_slider_obeys_the_keyboard_and_says_what_it_does(page, name):
    sliders = part(page, "input[type=range]")
    assert sliders.count() >= 1
    for slider in sliders.all():
        before = picture(page, name), slider.get_attribute("aria-valuetext")
        assert slider.evaluate("(input) => input.labels[0].textContent.trim()")
        slider.focus()
        for _ in range(8):
            page.keyboard.press("ArrowLeft")
        assert picture(page, name) != before[0]
        assert slider.get_attribute("aria-valuetext") != before[1]


def test_everything_is_reached_by_tab_and_shows_that_it_is(page, name):
    page.evaluate(f"document.querySelector('{EXPLORER}').closest('.cell').querySelector('button')?.focus()")
    part(page, "input, canvas[tabindex]").first.focus()
    page.keyboard.press("Shift+Tab")
    controls = part(page, ":is([type=range], :checked, [type=checkbox], canvas[tabindex], button)").count()
    for _ in range(controls):
        page.keyboard.press("Tab")
        shown = """() => {
            const focused = document.activeElement;
            const seen = focused.nextElementSibling?.tagName === "CANVAS" ? focused.nextElementSibling : focused;
            return [!!focused.closest("figure.gm-explorer"), getComputedStyle(seen).outlineStyle];
        }"""
        assert page.evaluate(shown) == [True, "solid"]


def test_arrow_keys_move_the_point_of_the_plane(browser):
    page = opened(browser, "02-vae")
    seen = [picture(page, "02-vae")]
    part(page, ".gm-plane").focus()
    top = page.evaluate("scrollY")
    for key in ("ArrowUp", "ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
        seen.append(picture(page, "02-vae"))
    assert len(set(seen)) == 4
    assert seen[0] == seen[4]  # once around
    for _ in range(80):
        page.keyboard.press("ArrowUp")  # faster than pictures are drawn
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") == top  # the keys move the point, not the page
    assert "(−0.50, 3.00)" in named(page, "02-vae")  # and no further
    page.context.close()


def test_arrow_keys_choose_the_label(browser):
    page = opened(browser, "04-conditional-vae")
    before = picture(page, "04-conditional-vae")
    part(page, "input:checked").focus()
    page.keyboard.press("ArrowRight")
    assert picture(page, "04-conditional-vae") != before
    assert named(page, "04-conditional-vae").startswith("A 5 in the style")
    assert part(page, "input[type=radio]").count() == 10
    page.context.close()


def pixel(page: Page) -> int:
    """Which pixel is framed, from 1 on."""
    return int(part(page, "input[type=range]").input_value())


def test_arrow_keys_move_the_pixel(browser):
    page = opened(browser, "05-pixel-vae")
    part(page, "canvas[tabindex]").focus()
    top, first = page.evaluate("scrollY"), pixel(page)
    for key, expected in (("ArrowRight", 1), ("ArrowDown", 29), ("ArrowLeft", 28), ("ArrowUp", 0)):
        page.keyboard.press(key)
        picture(page, "05-pixel-vae")
        assert pixel(page) == first + expected
    for _ in range(30):
        page.keyboard.press("ArrowDown")
    picture(page, "05-pixel-vae")
    assert pixel(page) == 784  # and no further
    assert page.evaluate("scrollY") == top
    page.context.close()


def test_an_image_is_drawn_to_the_end_or_until_somebody_takes_the_pen(browser):
    page = opened(browser, "05-pixel-vae")
    button = part(page, "button")
    button.click()
    page.wait_for_timeout(300)
    assert button.inner_text() == "stop"
    part(page, "canvas[tabindex]").click(position={"x": 20, "y": 20})
    taken = picture(page, "05-pixel-vae")
    assert button.inner_text() == "draw"
    page.wait_for_timeout(300)
    assert picture(page, "05-pixel-vae") == taken
    button.click()
    page.wait_for_function(f"document.querySelector('{EXPLORER} input[type=range]').value === '784'", timeout=8000)
    assert button.inner_text() == "draw"
    page.context.close()


def test_nothing_offers_to_move_where_motion_is_not_wanted(browser):
    context = browser.new_context(offline=True, reduced_motion="reduce")
    page = context.new_page()
    page.goto((SITE / "book" / "05-pixel-vae.html").as_uri(), wait_until="domcontentloaded")
    page.wait_for_selector(f"{EXPLORER}[data-live]")
    assert part(page, "button").count() == 0
    context.close()


def test_unsure_readings_are_marked_and_counted(browser):
    page = opened(browser, "08-dcgan")
    sheet = part(page, ".gm-sheet")
    counts = []
    for which in (0, 1):
        part(page, f"input[type=radio] >> nth={which}").check()
        part(page, "input[type=checkbox]").uncheck()
        picture(page, "08-dcgan")
        plain = sheet.evaluate("(canvas) => canvas.toDataURL()")
        part(page, "input[type=checkbox]").check()
        picture(page, "08-dcgan")
        words = part(page, ".gm-mark").inner_text()
        counts.append(int(words.split(": ")[1].split()[0]))
        assert (sheet.evaluate("(canvas) => canvas.toDataURL()") != plain) == (counts[-1] > 0)
    assert counts[0] > counts[1]
    assert named(page, "08-dcgan").split(". ")[1].startswith("Asked for a ")
    page.context.close()


def test_without_a_script_the_poster_stands_there(browser, name):
    context = browser.new_context(offline=True, viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto((SITE / "book" / f"{name}.html").as_uri())
    poster = page.locator(f"{EXPLORER} img")
    assert poster.is_visible()
    assert poster.bounding_box()["height"] > 80
    assert poster.get_attribute("alt")
    context.close()
