"""The explorers of the rendered site, opened from disk with the network off: by mouse, by keyboard, and without a script."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page

from tests.site import test_site
from tests.site.rendered import PHONE, SITE

pytestmark = pytest.mark.xdist_group("explorers")

browser = test_site.browser  # the fixture, which renders the site first if it is out of date

# page to the main canvas of its explorer, and to the element that can be dragged
EXPLORERS = {
    "index": (".gm-digit", "canvas.gm-plane"),
    "02-vae": (".gm-digit", "canvas.gm-plane"),
    "04-conditional-vae": (".gm-digit", "input[type=range] >> nth=0"),
    "05-pixel-vae": ("canvas[tabindex]", "canvas[tabindex]"),
    "06-minimax": ("canvas.gm-plot >> nth=0", "canvas.gm-plot >> nth=0"),
    "07-gan": (".gm-digit >> nth=0", "input[type=range]"),
    "08-dcgan": (".gm-digit", "canvas.gm-grid"),
    "09-wgan": ("canvas.gm-plot >> nth=0", "input[type=range] >> nth=0"),
    "10-mode-collapse": ("canvas.gm-plane", "input[type=range]"),
}
EXPLORER = "figure.gm-explorer"


@pytest.fixture(params=EXPLORERS)
def name(request) -> str:
    return request.param


@pytest.fixture
def context_options() -> dict:
    return {}


@pytest.fixture
def page(browser: Browser, name: str, context_options: dict) -> Iterator[Page]:
    """Open the page of an explorer, and wait for the first frame."""
    context = browser.new_context(offline=True, viewport={"width": 1100, "height": 900}, **context_options)
    page = context.new_page()
    page.goto((SITE / "book" / f"{name}.html").as_uri(), wait_until="domcontentloaded")
    page.wait_for_selector(f"{EXPLORER}[data-live]")
    page.wait_for_timeout(200)
    yield page
    context.close()


def part(page: Page, selector: str) -> Locator:
    return page.locator(f"{EXPLORER} {selector}")


def picture(page: Page, name: str) -> str:
    """Return what the main canvas shows, once the next frame is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return part(page, EXPLORERS[name][0]).evaluate("(canvas) => canvas.toDataURL()")


def label(page: Page, name: str) -> str:
    return part(page, EXPLORERS[name][0]).get_attribute("aria-label")


def slider_value(page: Page) -> int:
    return int(part(page, "input[type=range]").input_value())


def test_every_explorer_of_the_book_is_tested_here():
    pages = {path.stem for path in (SITE / "book").glob("*.html") if 'class="gm-explorer"' in path.read_text()}
    assert pages == set(EXPLORERS)


def test_it_replaces_its_poster_and_draws_on_every_canvas(page, name):
    assert page.locator(f"{EXPLORER} img").count() == 0
    ink = "(c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 === 3 && v)"
    assert all(canvas.evaluate(ink) for canvas in part(page, "canvas").all())


def test_a_drag_by_mouse_changes_the_picture_and_its_label(page, name):
    before = picture(page, name), label(page, name)
    handle = part(page, EXPLORERS[name][1])
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, y)
    page.mouse.down()
    pressed = picture(page, name)
    page.mouse.move(box["x"] + box["width"] * 0.8, y, steps=4)
    dragged = picture(page, name)
    page.mouse.up()
    assert dragged not in (before[0], pressed)
    assert label(page, name) != before[1]
    page.mouse.move(box["x"] + box["width"] * 0.2, y, steps=4)  # the button is no longer pressed
    assert picture(page, name) == dragged


def test_each_slider_follows_the_keyboard_and_describes_its_value(page, name):
    sliders = part(page, "input[type=range]").all()
    assert sliders
    for slider in sliders:
        before = picture(page, name), slider.get_attribute("aria-valuetext")
        assert slider.evaluate("(input) => input.labels[0].textContent.trim()")
        slider.focus()
        for _ in range(8):
            page.keyboard.press("ArrowLeft")
        assert picture(page, name) != before[0]
        assert slider.get_attribute("aria-valuetext") != before[1]


def test_every_control_is_reached_by_tab_and_shows_the_focus(page, name):
    part(page, "input, canvas[tabindex]").first.focus()
    page.keyboard.press("Shift+Tab")
    outline = """() => {
        const focused = document.activeElement;
        const shown = focused.nextElementSibling?.tagName === "CANVAS" ? focused.nextElementSibling : focused;
        return [!!focused.closest("figure.gm-explorer"), getComputedStyle(shown).outlineStyle];
    }"""
    for _ in range(part(page, ":is([type=range], :checked, [type=checkbox], canvas[tabindex], button)").count()):
        page.keyboard.press("Tab")
        assert page.evaluate(outline) == [True, "solid"]


@pytest.mark.parametrize("name", ["02-vae", "index"])
def test_arrow_keys_move_the_point_of_the_plane(page, name):
    pictures = [picture(page, name)]
    part(page, ".gm-plane").focus()
    top = page.evaluate("scrollY")
    for key in ("ArrowUp", "ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
        pictures.append(picture(page, name))
    assert len(set(pictures)) == 4
    assert pictures[0] == pictures[4]
    for _ in range(80):
        page.keyboard.press("ArrowUp")  # faster than pictures are drawn
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") == top  # the keys do not scroll the page
    assert "(−0.50, 3.00)" in label(page, name)  # at the edge


@pytest.mark.parametrize("name", ["04-conditional-vae"])
def test_arrow_keys_choose_the_label(page, name):
    before = picture(page, name)
    part(page, "input:checked").focus()
    page.keyboard.press("ArrowRight")
    assert picture(page, name) != before
    assert label(page, name).startswith("A 5 in the style")


@pytest.mark.parametrize("name", ["05-pixel-vae"])
def test_arrow_keys_move_the_pixel(page, name):
    part(page, "canvas[tabindex]").focus()
    first = slider_value(page)
    for key, expected in (("ArrowRight", 1), ("ArrowDown", 29), ("ArrowLeft", 28), ("ArrowUp", 0)):
        page.keyboard.press(key)
        picture(page, name)
        assert slider_value(page) == first + expected
    for _ in range(30):
        page.keyboard.press("ArrowDown")
    picture(page, name)
    assert slider_value(page) == 784  # the last one


@pytest.mark.parametrize("name", ["05-pixel-vae"])
def test_an_image_is_drawn_to_the_end_or_until_the_reader_selects_a_pixel(page, name):
    button = part(page, "button")
    button.click()
    page.wait_for_timeout(300)
    assert button.inner_text() == "stop"
    part(page, "canvas[tabindex]").click(position={"x": 20, "y": 20})
    stopped = picture(page, name)
    assert button.inner_text() == "draw"
    page.wait_for_timeout(300)
    assert picture(page, name) == stopped
    button.click()
    page.wait_for_function(f"document.querySelector('{EXPLORER} input[type=range]').value === '784'", timeout=8000)
    assert button.inner_text() == "draw"


@pytest.mark.parametrize(("name", "context_options"), [("05-pixel-vae", {"reduced_motion": "reduce"})])
def test_with_reduced_motion_there_is_no_animation(page):
    assert part(page, "button").count() == 0


@pytest.mark.parametrize("name", ["08-dcgan"])
def test_predictions_of_low_confidence_are_marked_and_counted(page, name):
    grid, counts = part(page, ".gm-grid"), []
    for which in (0, 1):
        part(page, f"input[type=radio] >> nth={which}").check()
        part(page, "input[type=checkbox]").uncheck()
        picture(page, name)
        unmarked = grid.evaluate("(canvas) => canvas.toDataURL()")
        part(page, "input[type=checkbox]").check()
        picture(page, name)
        counts.append(int(part(page, ".gm-mark").inner_text().split(": ")[1].split()[0]))
        assert (grid.evaluate("(canvas) => canvas.toDataURL()") != unmarked) == (counts[-1] > 0)
    assert counts[0] > counts[1]
    assert ". Label: " in label(page, name)


def test_without_a_script_the_poster_is_shown(browser, name):
    context = browser.new_context(offline=True, viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto((SITE / "book" / f"{name}.html").as_uri())
    poster = page.locator(f"{EXPLORER} img")
    assert poster.bounding_box()["height"] > 80
    assert poster.get_attribute("alt")
    context.close()
