"""Games on the ring, played back: the state is what was seen, and nothing moves that the reader has not set going."""

import base64
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page

from gmlib import toy
from gmlib.widgets.ring import EXTENT, ring_playback

NAMES = ("JS, 1 : 3", "W₁, 2 : 1")
LOOKS, ROUNDS = 41, 5


def games(looks: int = LOOKS, samples: int = 300) -> dict[str, list[torch.Tensor]]:
    """Make up games in which samples spread from the middle until they are on the ring and beyond, one of them halfway around."""
    generator = torch.Generator().manual_seed(0)
    end = toy.ring_points(samples, generator) * 1.6
    return {name: [part * end * i / looks for i in range(looks)] for name, part in zip(NAMES, (1.0, -0.7), strict=True)}


@pytest.fixture(scope="module")
def made():
    return ring_playback(games(), ROUNDS)


def test_points_are_those_of_the_frames(made):
    for name, frames in games().items():
        whole = np.frombuffer(base64.b64decode(made.state["games"][name]["points"]), np.int8)
        found = torch.from_numpy(whole.reshape(LOOKS, made.state["samples"], 2).astype(np.float32)) * EXTENT / 127
        expected = torch.stack(frames)[:, :200].clamp(-EXTENT, EXTENT)
        assert (found - expected).abs().max() <= 0.501 * EXTENT / 127


def test_heaps_are_counted_in_all_samples(made):
    for name, frames in games().items():
        kept, counted = made.state["games"][name], [toy.modes_found(points) for points in frames]
        assert kept["heaps"] == [heaps for heaps, _ in counted]
        assert kept["close"] == [round(100 * near) for _, near in counted]
    assert max(made.state["games"][NAMES[0]]["heaps"]) == 8


def test_the_games_of_the_chapter_fit_on_a_page():
    game = games(101, 1000)[NAMES[0]]
    assert len(ring_playback({str(i): game for i in range(5)}, 5).html()) < 400_000


def test_what_cannot_be_played_back(refused):
    short = {"one": games()[NAMES[0]], "other": games()[NAMES[1]][1:]}
    with refused("got games with [40, 41] looks", "all with as many"):
        ring_playback(short, ROUNDS)
    with refused("got games with [] looks"):
        ring_playback({}, ROUNDS)
    with refused("got games with [1] looks", "at least 2"):
        ring_playback({"one": games()[NAMES[0]][:1]}, ROUNDS)
    with refused("got 'chess'", "JS, 1 : 3, W₁, 2 : 1"):
        ring_playback(games(), ROUNDS, start="chess")


# in a browser


@pytest.fixture
def page(browser: Browser, made) -> Iterator[Page]:
    page = opened(browser, made)
    yield page
    page.close()


def opened(browser: Browser, made, **options) -> Page:
    page = browser.new_page(**options)
    page.set_content(f"<!doctype html>{made.html()}")
    page.wait_for_selector("[data-live] button:not(:empty)")
    return page


def at(page: Page) -> int:
    return int(page.locator("input[type=range]").input_value())


def to(page: Page, number: int) -> None:
    page.locator("input[type=range]").evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", number
    )
    page.wait_for_function(f"document.querySelector('input[type=range]').value === '{number}'")


def rests(page: Page) -> bool:
    page.wait_for_timeout(100)  # a picture that was still to come
    before = at(page)
    page.wait_for_timeout(400)
    return at(page) == before


def test_nothing_starts_by_itself(browser):
    made = ring_playback(games(), ROUNDS)
    made.chosen = made.chosen | {"round": 50}
    page = opened(browser, made)
    assert rests(page)
    assert (at(page), page.locator("button").inner_text()) == (50, "play")
    page.close()


def test_after_pause_nothing_moves(page):
    last = (LOOKS - 1) * ROUNDS
    button = page.locator("button")
    assert (at(page), button.inner_text()) == (last, "play from the start")
    button.click()
    page.wait_for_function("document.querySelector('input[type=range]').value === '10'")
    assert button.inner_text() == "pause"
    button.click()
    assert rests(page)
    assert 0 < at(page) < last
    assert button.inner_text() == "play"


@pytest.mark.parametrize("key", ["Space", "Enter"])
def test_the_keyboard_plays_and_pauses(page, key):
    to(page, 10)
    page.locator("button").focus()
    page.keyboard.press(key)
    page.wait_for_function("Number(document.querySelector('input[type=range]').value) >= 30")
    page.keyboard.press(key)
    assert rests(page)
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"  # it is still the same one


def test_it_stops_at_the_end(page):
    to(page, (LOOKS - 4) * ROUNDS)
    page.locator("button").click()
    page.wait_for_function(f"document.querySelector('input[type=range]').value === '{(LOOKS - 1) * ROUNDS}'")
    assert rests(page)
    assert page.locator("button").inner_text() == "play from the start"


def test_ten_to_twenty_looks_a_second(page):
    to(page, 0)
    page.locator("button").click()
    page.wait_for_timeout(2000)
    assert at(page) / ROUNDS < 2 * 20
    assert at(page) / ROUNDS > 5  # on a machine that is busy


def test_the_readers_hand_stops_it(page):
    to(page, 0)
    page.locator("button").click()
    page.wait_for_timeout(200)
    page.locator("input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    assert rests(page)
    assert page.locator("button").inner_text() == "play"


def test_another_game_at_the_same_round(page, made):
    to(page, 150)
    seen = []
    for radio in page.locator("input[type=radio]").all():
        radio.check()
        page.wait_for_timeout(150)
        seen.append(page.locator(".gm-plane").evaluate("(canvas) => canvas.toDataURL()"))
        name = NAMES[int(radio.get_attribute("value"))]
        heaps, close = (made.state["games"][name][key][30] for key in ("heaps", "close"))
        words = f"Round 150: {heaps} of 8 heaps found, {close}% of the samples near one."
        assert page.locator(".gm-numbers").inner_text() == words
        assert page.locator(".gm-plane").get_attribute("aria-label").endswith(words)
    assert len(set(seen)) == 2


def test_less_motion_steps_and_does_not_play(browser, made):
    page = opened(browser, made, reduced_motion="reduce")
    button = page.locator("button")
    assert button.inner_text() == "next look"
    button.click()  # from the end to the start
    assert rests(page)
    assert at(page) == 0
    button.click()
    assert rests(page)
    assert at(page) == ROUNDS
    page.close()


def test_less_motion_stops_what_plays(page):
    to(page, 0)
    page.locator("button").click()
    page.wait_for_function("Number(document.querySelector('input[type=range]').value) >= 10")
    page.emulate_media(reduced_motion="reduce")
    assert rests(page)
    assert page.locator("button").inner_text() == "next look"


LEFT = """async ([state, way]) => {
    let chosen = { game: Object.keys(state.games)[0], round: 0 };
    let [moved, redraw] = [0, () => {}];
    const model = {
        get: (name) => ({ state, chosen })[name],
        set(name, value) { chosen = value; moved++; redraw(); },
        on: (event, listener) => { redraw = listener; },
        off() {},
        save_changes() {},
    };
    const el = document.body.appendChild(document.createElement("div"));
    const leave = render({ model, el });
    const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
    await wait(200);
    el.querySelector("button").click();
    await wait(400);
    const before = moved;
    (way === "cleanup") ? leave() : el.remove();
    await wait(100);
    const left = moved;
    await wait(400);
    return [before, moved - left];
}"""


@pytest.mark.parametrize("way", ["cleanup", "removed"])
def test_it_ends_with_its_place_on_the_page(browser, made, way):
    page = browser.new_page()
    page.add_script_tag(content=made._esm.replace("export default { render };", ""))
    before, later = page.evaluate(LEFT, [made.state, way])
    assert before > 1
    assert later == 0
    page.close()


def test_the_line_of_heaps_is_a_handle_too(page):
    box = page.locator(".gm-low").bounding_box()
    last = (LOOKS - 1) * ROUNDS
    for across, number in ((0.5, last // 2), (0.0, 0), (1.0, last)):
        page.mouse.move(box["x"] + (box["width"] - 2) * across + 1, box["y"] + 20)
        page.mouse.down()
        page.mouse.up()
        page.wait_for_function(f"document.querySelector('input[type=range]').value === '{number}'")
