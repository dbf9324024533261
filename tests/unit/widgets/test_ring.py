"""Games on the ring, played back: the state holds the frames, and nothing moves until the reader starts it."""

import base64

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

from gmlib import InputError, toy
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


def test_modes_are_counted_over_all_samples(made):
    for name, frames in games().items():
        kept, counted = made.state["games"][name], [toy.modes_found(points) for points in frames]
        assert kept["heaps"] == [heaps for heaps, _ in counted]
        assert kept["close"] == [round(100 * near) for _, near in counted]
    assert max(made.state["games"][NAMES[0]]["heaps"]) == 8


def test_the_games_of_the_chapter_fit_on_a_page():
    game = games(101, 1000)[NAMES[0]]
    assert len(ring_playback({str(i): game for i in range(5)}, 5).html()) < 400_000


def test_games_of_different_lengths_are_refused():
    with pytest.raises(InputError, match="frames"):
        ring_playback({"one": games()[NAMES[0]], "other": games()[NAMES[1]][1:]}, ROUNDS)


# in a browser


READY = "[data-live] button:not(:empty)"
LAST = (LOOKS - 1) * ROUNDS


@pytest.fixture
def page(opened, made) -> Page:
    return opened(made, READY)


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


def test_nothing_starts_by_itself(opened):
    made = ring_playback(games(), ROUNDS)
    made.chosen = made.chosen | {"round": 50}
    page = opened(made, READY)
    assert rests(page)
    assert (at(page), page.locator("button").inner_text()) == (50, "play")


def test_after_pause_nothing_moves(page):
    button = page.locator("button")
    assert (at(page), button.inner_text()) == (LAST, "play from the start")
    button.click()
    page.wait_for_function("document.querySelector('input[type=range]').value === '10'")
    assert button.inner_text() == "pause"
    button.click()
    assert rests(page)
    assert 0 < at(page) < LAST
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
    page.wait_for_function(f"document.querySelector('input[type=range]').value === '{LAST}'")
    assert rests(page)
    assert page.locator("button").inner_text() == "play from the start"


def test_ten_to_twenty_looks_a_second(page):
    to(page, 0)
    page.locator("button").click()
    page.wait_for_timeout(2000)
    assert at(page) / ROUNDS < 2 * 20
    assert at(page) / ROUNDS > 5  # on a machine that is busy


def test_the_slider_stops_the_animation(page):
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


def test_less_motion_steps_and_does_not_play(opened, made):
    page = opened(made, READY, reduced_motion="reduce")
    button = page.locator("button")
    assert button.inner_text() == "next look"
    for expected in (0, ROUNDS):  # from the end to the start, then one step
        button.click()
        assert rests(page)
        assert at(page) == expected


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
def test_the_animation_ends_when_its_element_is_removed(browser, made, way):
    page = browser.new_page()
    page.add_script_tag(content=made._esm.replace("export default { render };", ""))
    before, later = page.evaluate(LEFT, [made.state, way])
    assert before > 1
    assert later == 0
    page.close()


def test_the_curve_of_modes_is_a_slider_too(page):
    box = page.locator(".gm-low").bounding_box()
    for across, number in ((0.5, LAST // 2), (0.0, 0), (1.0, LAST)):
        page.mouse.move(box["x"] + (box["width"] - 2) * across + 1, box["y"] + 20)
        page.mouse.down()
        page.mouse.up()
        page.wait_for_function(f"document.querySelector('input[type=range]').value === '{number}'")
