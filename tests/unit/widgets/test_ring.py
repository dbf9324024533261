"""GANs on the ring: the state holds the frames, and the animation runs only while the reader wants it."""

import base64

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from gmlib import toy
from gmlib.widgets.ring import EXTENT, ring_playback

NAMES = ("JS, 1 : 3", "W₁, 2 : 1")
FRAMES, ROUNDS = 41, 5


def games(frames: int = FRAMES, samples: int = 300) -> dict[str, list[torch.Tensor]]:
    """Make up samples that move from the origin to the ring and beyond; those of the second game in the other direction."""
    end = toy.ring_points(samples, torch.Generator().manual_seed(0)) * 1.6
    return {
        name: [factor * end * i / frames for i in range(frames)]
        for name, factor in zip(NAMES, (1.0, -0.7), strict=True)
    }


@pytest.fixture(scope="module")
def made():
    return ring_playback(games(), ROUNDS)


def test_the_state_holds_the_points_of_the_frames_and_counts_modes_over_all_samples(made):
    for name, frames in games().items():
        stored = made.state["games"][name]
        integers = np.frombuffer(base64.b64decode(stored["points"]), np.int8).reshape(FRAMES, 200, 2)
        points = torch.from_numpy(integers.astype(np.float32)) * EXTENT / 127
        assert (points - torch.stack(frames)[:, :200].clamp(-EXTENT, EXTENT)).abs().max() <= 0.501 * EXTENT / 127
        counts = [toy.modes_found(points) for points in frames]
        assert stored["modes"] == [modes for modes, _ in counts]
        assert stored["near_percent"] == [round(100 * near) for _, near in counts]
    assert max(made.state["games"][NAMES[0]]["modes"]) == 8


def test_five_games_of_a_hundred_frames_fit_on_a_page():
    game = games(101, 1000)[NAMES[0]]
    assert len(ring_playback({str(i): game for i in range(5)}, 5).html()) < 400_000


# in a browser


READY = "[data-live] button:not(:empty)"
LAST = (FRAMES - 1) * ROUNDS
SLIDER = "document.querySelector('input[type=range]')"


@pytest.fixture
def page(opened, made) -> Page:
    return opened(made, READY)


def current(page: Page) -> int:
    return int(page.locator("input[type=range]").input_value())


def button(page: Page) -> str:
    return page.locator("button").inner_text()


def go(page: Page, number: int) -> None:
    page.locator("input[type=range]").evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", number
    )
    page.wait_for_function(f"{SLIDER}.value === '{number}'")


def rests(page: Page) -> bool:
    page.wait_for_timeout(100)  # the last frame may still have to be drawn
    before = current(page)
    page.wait_for_timeout(400)
    return current(page) == before


def test_nothing_starts_by_itself(opened):
    made = ring_playback(games(), ROUNDS)
    made.chosen = made.chosen | {"round": 50}
    page = opened(made, READY)
    assert rests(page)
    assert (current(page), button(page)) == (50, "play")


@pytest.mark.parametrize("key", ["Space", "Enter"])
def test_the_keyboard_plays_and_pauses(page, key):
    assert (current(page), button(page)) == (LAST, "play from the start")
    page.locator("button").focus()
    page.keyboard.press(key)
    page.wait_for_function(f"{SLIDER}.value === '10'")
    assert button(page) == "pause"
    page.keyboard.press(key)
    assert rests(page)
    assert 0 < current(page) < LAST
    assert button(page) == "play"
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"


def test_it_stops_at_the_end(page):
    go(page, (FRAMES - 4) * ROUNDS)
    page.locator("button").click()
    page.wait_for_function(f"{SLIDER}.value === '{LAST}'")
    assert rests(page)
    assert button(page) == "play from the start"


def test_it_shows_at_most_twenty_frames_per_second_until_the_slider_stops_it(page):
    go(page, 0)
    page.locator("button").click()
    page.wait_for_timeout(1500)
    assert 4 < current(page) / ROUNDS < 1.5 * 20  # the lower bound allows for a busy machine
    page.locator("input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    assert rests(page)
    assert button(page) == "play"


def test_another_game_at_the_same_round(page, made):
    go(page, 150)
    pictures = set()
    for radio in page.locator("input[type=radio]").all():
        radio.check()
        page.wait_for_timeout(150)
        pictures.add(page.locator(".gm-plane").evaluate("(canvas) => canvas.toDataURL()"))
        game = made.state["games"][NAMES[int(radio.get_attribute("value"))]]
        words = (
            f"Round 150: {game['modes'][30]} of 8 modes found, {game['near_percent'][30]}% of the samples near a mode."
        )
        assert page.locator(".gm-numbers").inner_text() == words
        assert page.locator(".gm-plane").get_attribute("aria-label").endswith(words)
    assert len(pictures) == 2


def test_reduced_motion_stops_the_animation_and_the_button_steps(page):
    page.locator("button").click()
    page.wait_for_function(f"{SLIDER}.value === '10'")
    page.emulate_media(reduced_motion="reduce")
    assert rests(page)
    assert button(page) == "next frame"
    go(page, LAST)
    for expected in (0, ROUNDS):
        page.locator("button").click()
        assert rests(page)
        assert current(page) == expected


REMOVE = """async ([state, how]) => {
    let chosen = { game: Object.keys(state.games)[0], round: 0 };
    let [changes, redraw] = [0, () => {}];
    const model = {
        get: (name) => ({ state, chosen })[name],
        set(name, value) { chosen = value; changes++; redraw(); },
        on: (event, listener) => { redraw = listener; },
        off() {},
        save_changes() {},
    };
    const el = document.body.appendChild(document.createElement("div"));
    const cleanup = render({ model, el });
    const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
    await wait(200);
    el.querySelector("button").click();
    await wait(400);
    const before = changes;
    (how === "cleanup") ? cleanup() : el.remove();
    await wait(100);
    const removed = changes;
    await wait(400);
    return [before, changes - removed];
}"""


@pytest.mark.parametrize("how", ["cleanup", "remove"])
def test_the_animation_ends_when_its_element_is_removed(browser, made, how):
    page = browser.new_page()
    page.add_script_tag(content=made._esm.replace("export default { render };", ""))
    before, later = page.evaluate(REMOVE, [made.state, how])
    assert before > 1
    assert later == 0
    page.close()


def test_a_click_on_the_curve_of_modes_selects_a_round(page):
    box = page.locator(".gm-low").bounding_box()
    for across, number in ((0.5, LAST // 2), (0.0, 0), (1.0, LAST)):
        page.mouse.click(box["x"] + (box["width"] - 2) * across + 1, box["y"] + 20)
        page.wait_for_function(f"{SLIDER}.value === '{number}'")
