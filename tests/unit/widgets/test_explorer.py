"""What an explorer contains for each host, and that no string in it can break its page."""

import base64
import json
import re
from html.parser import HTMLParser

import nbformat
import numpy as np
import pytest
import torch
from IPython.core.formatters import DisplayFormatter

from gmlib import InputError, figures, interpolate, interpolate_spherical, mnist, pretrained, toy, widgets
from gmlib.metrics import extract, predict, shipped_classifier
from gmlib.metrics.latents import posterior_means
from gmlib.objectives import MINIMAX
from gmlib.widgets import explorer as module
from gmlib.widgets.explorer import FOLDER, Explorer, source
from gmlib.widgets.sheets import spread

MAKERS = {
    "plane": lambda: widgets.latent_plane(pretrained("vae"), mnist("validation"), points=100),
    "styles": lambda: widgets.class_and_style(pretrained("cvae")),
    "distributions": widgets.two_distributions,
    "ways": lambda: widgets.ways_between(pretrained("gan"), generator=torch.Generator().manual_seed(1)),
    "pixels": lambda: widgets.pixel_by_pixel(
        pretrained("pixel_vae"), pretrained("pixel_cnn"), 6, generator=torch.Generator().manual_seed(1)
    ),
    "sheets": lambda: widgets.latent_sheets(
        pretrained("dcgan"), pretrained("cdcgan"), generator=torch.Generator().manual_seed(2)
    ),
    "critics": widgets.critics_on_a_line,
    "ring": lambda: widgets.ring_playback({"JS, 1 : 3": toy.play_ring(MINIMAX, frames=2, rounds=1, samples=20)}, 1),
}


class Parts(HTMLParser):
    """Takes a page apart as a browser does: elements in order, and the text of each script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.scripts, self.inside = [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag == "script"
        if self.inside:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.scripts[-1] += data


@pytest.fixture(scope="module", params=MAKERS)
def each(request) -> Explorer:
    return MAKERS[request.param]()


def small(alt: str = "a line", **state) -> Explorer:
    poster = figures.lines({"": {"a": ([0.0, 1.0], [0.0, 1.0])}}, x="x", y="y")
    return Explorer("plane.js", state={"version": 1} | state, chosen={}, poster=poster, alt=alt)


def test_a_notebook_gets_all_four_kinds(each):
    shown, _ = DisplayFormatter().format(each)
    assert shown["application/vnd.jupyter.widget-view+json"]["model_id"] == each.model_id
    assert base64.b64decode(shown["image/png"]) == each.poster
    assert each.poster.startswith(b"\x89PNG")
    assert shown["text/plain"] == f"Explorer('{each.name}')"
    assert shown["text/html"] == each.html()


def test_a_page_gets_poster_state_and_module_and_fetches_nothing(each):
    page = each.html()
    parts = Parts(page)
    assert [tag for tag, _ in parts.tags] == ["figure", "style", "img", "script", "script"]
    (_, figure), _, (_, image), (_, state), (_, code) = parts.tags
    assert image["alt"]
    assert image["src"].startswith("data:image/png;base64,")
    assert (state["type"], code["type"]) == ("application/json", "module")
    assert json.loads(parts.scripts[0]) == {"state": each.state, "chosen": each.chosen}
    assert f'attach("{figure["id"]}", render);' in parts.scripts[1]
    assert not re.search(r"^\s*import\b|\bimport\(|\bfetch\(|XMLHttpRequest|https?://", parts.scripts[1], re.M)
    assert len(page) < 450_000


def test_the_id_is_that_of_the_content():
    def named(made: Explorer) -> str:
        return Parts(made.html()).tags[0][1]["id"]

    assert named(small()) == named(small())
    assert len({named(small()), named(small(alt="another")), named(small(extent=2))}) == 3


def test_no_string_ends_a_script(monkeypatch):
    evil = "</script><script>alert(1)</script><!--"
    monkeypatch.setattr(module, "source", lambda *names: f'const words = "</SCRIPT></script>";\n{source(*names)}')
    made = small(alt='"><script>', words=evil)
    parts = Parts(made.html())
    assert [tag for tag, _ in parts.tags] == ["figure", "style", "img", "script", "script"]
    assert parts.tags[2][1]["alt"] == '"><script>'
    assert json.loads(parts.scripts[0])["state"]["words"] == evil
    assert r'"<\/SCRIPT><\/script>"' in parts.scripts[1]


def test_state_and_module_are_of_one_version(each):
    (version,) = re.findall(r"^const render = explorer\((\d+),", source(f"{each.name}.js"), re.M)
    assert each.state["version"] == int(version)


def test_every_explorer_exports_render_and_is_tried_here():
    exporting = {path.stem for path in FOLDER.glob("*.js") if "export default { render };" in path.read_text()}
    assert exporting == set(MAKERS)


# in a browser


def test_another_version_says_so_and_keeps_the_poster(opened):
    page = opened(small(version=0), wait=".gm-stale")
    assert "stored by another version of gmlib" in page.locator(".gm-stale").inner_text()
    assert page.locator("img").is_visible()


def test_a_module_that_fails_leaves_the_poster(browser):
    page = browser.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_content(f"<!doctype html>{small().html()}")  # a state without a decoder
    page.wait_for_timeout(200)
    assert errors
    assert page.locator("img").is_visible()
    page.close()


def test_two_of_a_kind_in_one_page_both_run(opened):
    page = opened(MAKERS["distributions"](), times=2)
    page.wait_for_function("document.querySelectorAll('figure[data-live]').length === 2")
    assert page.locator("img").count() == 0


def test_it_takes_the_colours_of_the_theme(opened):
    ink = "html { --pst-color-text-base: #010203 } html[data-theme=dark] { --pst-color-text-base: #fafbfc }"
    page = opened(MAKERS["styles"](), head=f"<style>{ink}</style>")
    inks = []
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        page.wait_for_timeout(100)
        pixel = "[...document.querySelector('.gm-digit').getContext('2d').getImageData(14, 14, 1, 1).data]"
        inks.append(page.evaluate(f"{pixel}.slice(0, 3)"))
    assert max(inks[0]) < 10
    assert min(inks[1]) > 240


# in Python


def test_the_plane_has_points_at_posterior_means_and_labels_at_their_medians():
    run, digits = pretrained("vae"), mnist("train")
    made = widgets.latent_plane(run, digits, points=300)
    some = digits[:: -(-len(digits) // 300)]
    mu = posterior_means(run.model, some)
    assert 150 < len(made.state["points"]) <= 300
    np.testing.assert_allclose(made.state["points"], mu, atol=0.00501)
    assert made.state["labels"] == some.labels.tolist()
    assert [digit for digit, *_ in made.state["centres"]] == list(range(10))
    for digit, *centre in made.state["centres"]:
        assert centre == pytest.approx(mu[some.labels == digit].median(0).values.tolist(), abs=0.00501)


@pytest.mark.parametrize("name", ["cvae", "pixel_vae"])
def test_runs_of_another_kind_are_refused(name):
    with pytest.raises(InputError):
        widgets.latent_plane(pretrained(name), mnist("validation"))


@pytest.mark.parametrize("name", ["vae", "cdcgan"])
def test_another_number_of_latents_or_classes_is_refused(name):
    with pytest.raises(InputError):
        widgets.class_and_style(pretrained(name))


def test_tiles_are_the_images_along_both_ways():
    run = pretrained("gan")
    made = widgets.ways_between(run, 2, generator=torch.Generator().manual_seed(1))
    ends = torch.randn(2, 2, 100, generator=torch.Generator().manual_seed(1))
    for name, way in (("straight line", interpolate), ("great circle", interpolate_spherical)):
        z = way(*ends, steps=21).unflatten(0, (2, 21))
        assert torch.tensor(made.state["lengths"][name]).allclose(z.norm(dim=2), atol=0.006)
        for pair in range(2):
            ink = np.frombuffer(base64.b64decode(made.state["tiles"][name][pair]), np.uint8).reshape(21, 1, 28, 28)
            assert np.abs(ink / 255 - run.model.decode(z[pair]).numpy()).max() < 0.51 / 255 + 1e-6


def test_a_sheet_spreads_between_its_corners():
    corners = torch.randn(4, 100, generator=torch.Generator().manual_seed(0))
    z = spread(corners, 5, 7).view(5, 7, 100)
    torch.testing.assert_close(z[[0, 0, -1, -1], [0, -1, 0, -1]], corners)
    torch.testing.assert_close(z[-1], interpolate_spherical(corners[2:3], corners[3:], 7))
    torch.testing.assert_close(z[:, 0], interpolate_spherical(corners[:1], corners[2:3], 5))
    middle = interpolate_spherical(z[2:3, 0], z[2:3, -1], 7)[3]
    torch.testing.assert_close(z[2, 3], middle)


def test_sheets_hold_the_images_and_the_predictions_of_the_classifier():
    runs = pretrained("dcgan"), pretrained("cdcgan")
    made = widgets.latent_sheets(*runs, generator=torch.Generator().manual_seed(2))
    generator = torch.Generator().manual_seed(2)
    corners, ends = torch.randn(4, 100, generator=generator), torch.randn(2, 100, generator=generator)
    way = interpolate_spherical(ends[:1], ends[1:], 11)
    rows = [runs[1].model.decode(way, torch.full((11,), label)) for label in range(10)]
    for sheet, images in zip(
        made.state["sheets"], (runs[0].model.decode(spread(corners, 10, 11)), torch.cat(rows)), strict=True
    ):
        ink = np.frombuffer(base64.b64decode(sheet["tiles"]), np.uint8).reshape(110, 1, 28, 28)
        assert np.abs(ink / 255 - images.numpy()).max() < 0.51 / 255 + 1e-6
        likely = extract(images, shipped_classifier()).softmax(1)
        assert sheet["digits"] == predict(images).tolist()
        assert sheet["probabilities"] == pytest.approx(likely.max(1).values.tolist(), abs=1e-4)
    assert [sheet["asked"] for sheet in made.state["sheets"]] == [False, True]
    read = torch.tensor(made.state["sheets"][1]["digits"]).view(10, 11)
    assert (read == torch.arange(10)[:, None]).float().mean() > 0.9  # a row for each label, from 0 to 9


def test_what_is_chosen_comes_back_to_python():
    made = MAKERS["distributions"]()
    made.set_state({"chosen": {"theta": -0.5, "images": 0.2, "samples": 0.1}})  # as a notebook's slider sends it
    assert made.chosen["theta"] == -0.5


@pytest.mark.parametrize(
    "chapter",
    ["02-vae", "04-conditional-vae", "05-pixel-vae", "06-minimax", "07-gan", "08-dcgan", "09-wgan", "10-mode-collapse"],
)
def test_the_chapters_hold_the_module_as_it_is(chapter):
    cells = nbformat.read(FOLDER.parents[1] / "book" / f"{chapter}.ipynb", as_version=4).cells
    (page,) = [
        output.data["text/html"]
        for cell in cells
        for output in cell.get("outputs", [])
        if "gm-explorer" in output.get("data", {}).get("text/html", "")
    ]
    kept = Parts(page).scripts[1]
    (name,) = [name for name in MAKERS if source(f"{name}.js").strip() in kept]
    made = MAKERS[name]()
    assert made._css in page, "the style changed since the chapter was run: `make update`"
    assert made._esm.strip() in kept, "the module changed since the chapter was run: `make update`"


def test_a_run_in_train_mode_is_shown_in_eval_mode():
    digits, run = mnist("test"), pretrained("vae")
    expected = widgets.latent_plane(run, digits).state
    run.model.train()
    assert widgets.latent_plane(run, digits).state == expected
    assert run.model.training
