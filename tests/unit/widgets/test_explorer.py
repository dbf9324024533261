"""What an explorer contains for a notebook and for a page, and that it runs in a browser without a kernel."""

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
from gmlib.widgets.explorer import FOLDER, Explorer
from gmlib.widgets.grids import between_corners


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


MAKERS = {
    "plane": lambda: widgets.latent_plane(pretrained("vae"), mnist("validation"), points=100),
    "styles": lambda: widgets.class_and_style(pretrained("cvae")),
    "distributions": widgets.two_distributions,
    "interpolation": lambda: widgets.latent_interpolation(pretrained("gan"), generator=seeded(1)),
    "pixels": lambda: widgets.pixel_by_pixel(pretrained("pixel_vae"), pretrained("pixel_cnn"), 6, generator=seeded(1)),
    "grids": lambda: widgets.latent_grids(pretrained("dcgan"), pretrained("cdcgan"), generator=seeded(2)),
    "critics": widgets.critics_on_a_line,
    "ring": lambda: widgets.ring_playback({"JS, 1 : 3": toy.play_ring(MINIMAX, frames=4, rounds=5, samples=20)}, 5),
}


class Elements(HTMLParser):
    """Parse a page as a browser does: its tags in order, and the text of each script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.scripts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == "script":
            self.scripts[-1] += data


@pytest.fixture(scope="module", params=MAKERS)
def each(request) -> Explorer:
    return MAKERS[request.param]()


def small(alt: str = "a line", **state) -> Explorer:
    """Return an explorer whose module fails, because its state has no decoder."""
    poster = figures.lines({"": {"a": ([0.0, 1.0], [0.0, 1.0])}}, x="x", y="y")
    return Explorer("plane.js", state=state, chosen={}, poster=poster, alt=alt)


def test_a_notebook_gets_widget_html_png_and_text(each):
    data, _ = DisplayFormatter().format(each)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == each.model_id
    assert base64.b64decode(data["image/png"]) == each.poster
    assert each.poster.startswith(b"\x89PNG")
    assert data["text/plain"] == f"Explorer('{each.name}')"
    assert data["text/html"] == each.html()


def test_a_page_contains_poster_state_and_module_and_fetches_nothing(each):
    page = each.html()
    elements = Elements(page)
    assert [tag for tag, _ in elements.tags] == ["figure", "style", "img", "script", "script"]
    (_, figure), _, (_, image), (_, state), (_, code) = elements.tags
    assert image["alt"]
    assert image["src"].startswith("data:image/png;base64,")
    assert (state["type"], code["type"]) == ("application/json", "module")
    assert json.loads(elements.scripts[0]) == {"state": each.state, "chosen": each.chosen}
    assert f'attach("{figure["id"]}", render);' in elements.scripts[1]
    assert not re.search(r"^\s*import\b|\bimport\(|\bfetch\(|XMLHttpRequest|https?://", elements.scripts[1], re.M)
    assert len(page) < 450_000


def test_the_id_is_a_hash_of_the_content():
    ids = [Elements(made.html()).tags[0][1]["id"] for made in (small(), small(), small("another"), small(extent=2))]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_no_string_ends_a_script():
    evil = "</script><script>alert(1)</script><!--"
    elements = Elements(small(alt='"><script>', words=evil).html())
    assert [tag for tag, _ in elements.tags] == ["figure", "style", "img", "script", "script"]
    assert elements.tags[2][1]["alt"] == '"><script>'
    assert json.loads(elements.scripts[0])["state"]["words"] == evil


def test_every_explorer_is_tested_here():
    exporting = {path.stem for path in FOLDER.glob("*.js") if "export default { render };" in path.read_text()}
    assert exporting == {*MAKERS, "quiz"}  # which is no explorer


@pytest.mark.parametrize(
    "chapter",
    ["02-vae", "04-conditional-vae", "05-pixel-vae", "06-minimax", "07-gan", "08-dcgan", "09-wgan", "10-mode-collapse"],
)
def test_the_chapters_contain_the_present_module(chapter):
    cells = nbformat.read(FOLDER.parents[1] / "book" / f"{chapter}.ipynb", as_version=4).cells
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    (data,) = [data for data in outputs if data.get("text/plain", "").startswith("Explorer")]
    made = MAKERS[data["text/plain"].split("'")[1]]()
    assert made._css in data["text/html"], "the style changed since the chapter was run: `make update`"
    assert made._esm.strip() in data["text/html"], "the module changed since the chapter was run: `make update`"
    stored = json.loads(Elements(data["text/html"]).scripts[0])
    constants = {key: value for key, value in made.state.items() if isinstance(value, int | float)}
    assert constants == {key: stored["state"].get(key) for key in constants}
    assert made.chosen == stored["chosen"] | ({"round": 20} if made.name == "ring" else {})
    assert made.poster[16:24] == base64.b64decode(data["image/png"])[16:24]  # width and height


# in a browser


def test_a_module_that_fails_leaves_the_poster(browser):
    page = browser.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_content(f"<!doctype html>{small().html()}")
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


def test_values_chosen_in_a_notebook_come_back_to_python():
    made = MAKERS["distributions"]()
    made.set_state({"chosen": {"theta": -0.5, "images": 0.2, "samples": 0.1}})  # as a slider sends it
    assert made.chosen["theta"] == -0.5


def test_the_plane_has_points_at_posterior_means_and_labels_at_their_medians():
    run, digits = pretrained("vae"), mnist("train")
    run.model.train()  # the explorer shows the model in eval mode all the same
    made = widgets.latent_plane(run, digits, points=300)
    assert run.model.training
    some = digits[:: -(-len(digits) // 300)]
    mu = posterior_means(pretrained("vae").model, some)
    assert 150 < len(made.state["points"]) <= 300
    np.testing.assert_allclose(made.state["points"], mu, atol=0.00501)
    assert made.state["labels"] == some.labels.tolist()
    assert [digit for digit, *_ in made.state["centres"]] == list(range(10))
    for digit, *centre in made.state["centres"]:
        assert centre == pytest.approx(mu[some.labels == digit].median(0).values.tolist(), abs=0.00501)


@pytest.mark.parametrize("name", ["vae", "cdcgan", "pixel_vae"])
def test_models_without_classes_or_with_other_decoders_are_refused(name):
    with pytest.raises(InputError):
        widgets.class_and_style(pretrained(name))


def images_in(text: str) -> torch.Tensor:
    return torch.tensor(np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, 1, 28, 28) / 255).float()


def test_images_and_lengths_along_both_paths():
    run = pretrained("gan")
    made = widgets.latent_interpolation(run, 2, generator=seeded(1))
    ends = torch.randn(2, 2, 100, generator=seeded(1))
    for name, path in (("straight line", interpolate), ("great circle", interpolate_spherical)):
        z = path(*ends, steps=21).unflatten(0, (2, 21))
        assert torch.tensor(made.state["lengths"][name]).allclose(z.norm(dim=2), atol=0.006)
        for pair in range(2):
            images = images_in(made.state["images"][name][pair])
            torch.testing.assert_close(images, run.model.decode(z[pair]), atol=0.51 / 255, rtol=0)


def test_latents_between_four_corners():
    corners = torch.randn(4, 100, generator=seeded(0))
    z = between_corners(corners, 5, 7).view(5, 7, 100)
    torch.testing.assert_close(z[[0, 0, -1, -1], [0, -1, 0, -1]], corners)
    torch.testing.assert_close(z[:, 0], interpolate_spherical(corners[:1], corners[2:3], 5))
    middle = interpolate_spherical(z[2:3, 0], z[2:3, -1], 7)[3]
    torch.testing.assert_close(z[2, 3], middle)


def test_grids_hold_the_images_and_the_predictions_of_the_classifier():
    runs = pretrained("dcgan"), pretrained("cdcgan")
    made = widgets.latent_grids(*runs, generator=seeded(2))
    generator = seeded(2)
    corners, ends = torch.randn(4, 100, generator=generator), torch.randn(2, 100, generator=generator)
    path = interpolate_spherical(ends[:1], ends[1:], 11)
    rows = [runs[1].model.decode(path, torch.full((11,), label)) for label in range(10)]
    expected = runs[0].model.decode(between_corners(corners, 10, 11)), torch.cat(rows)
    for grid, images in zip(made.state["grids"], expected, strict=True):
        torch.testing.assert_close(images_in(grid["images"]), images, atol=0.51 / 255, rtol=0)
        probabilities = extract(images, shipped_classifier()).softmax(1)
        assert grid["digits"] == predict(images).tolist()
        assert grid["probabilities"] == pytest.approx(probabilities.max(1).values.tolist(), abs=1e-4)
    assert [grid["labelled"] for grid in made.state["grids"]] == [False, True]
