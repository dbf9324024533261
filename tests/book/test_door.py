"""The first page: rows of samples with the FIDs of their records, an explorer that is light, and a map of all chapters."""

import base64
import re
import runpy
from io import BytesIO

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image

from gmlib import mnist, pretrained
from gmlib.metrics import predict
from tests.book.loaded import BOOK, loaded

door = loaded("door")

TEN = ("vae", "conv_vae", "cvae", "pixel_vae", "gan", "cgan", "dcgan", "cdcgan", "wgan", "wgan_gp")
CONDITIONAL = ("cvae", "cgan", "cdcgan")
MAX_SCRIPTS = 150_000  # bytes of scripts and their data


@pytest.fixture(scope="module")
def hero() -> BeautifulSoup:
    return BeautifulSoup(door.hero(), "html.parser")


@pytest.fixture(scope="module")
def rows(hero) -> list:
    return hero.select("ul > li")


def opacity(row) -> np.ndarray:
    """Return the opacities of a row's images, `(10, 28, 28)`, one number per pixel of an image."""
    png = base64.b64decode(row.img["src"].partition("base64,")[2])
    sheet = np.array(Image.open(BytesIO(png)).getchannel("A"))[1::3, 1::3]
    return np.stack([sheet[:, 30 * i : 30 * i + 28] for i in range(10)])


def test_real_digits_come_first_then_the_ten_models_each_with_its_chapter(rows):
    assert tuple(row.recipe for row in door.ROWS) == TEN
    assert [row.a.text for row in rows] == ["Real test digits", *(row.name for row in door.ROWS)]
    assert [row.a["href"] for row in rows] == ["measuring.html", *(f"{row.chapter}.html" for row in door.ROWS)]
    assert len({row.name for row in door.ROWS}) == 10
    for row in door.ROWS:
        used = rf'recipes\.{row.recipe.upper()}\b|\\"{row.recipe}\\"'
        assert re.search(used, (BOOK / f"{row.chapter}.ipynb").read_text(encoding="utf-8")), row


def test_every_fid_is_that_of_the_record(rows):
    found = [row.span.text for row in rows]
    metrics = [pretrained(name).metrics for name in TEN]
    assert found == [f"FID {fid:.1f}" for fid in (metrics[4]["fid_real"], *(each["fid"] for each in metrics))]
    assert len(set(found)) == 11


def test_the_note_states_the_fid_of_real_binary_digits_and_the_number_of_samples(hero):
    note = " ".join(hero.select("ul + p")[0].text.split())
    for name in TEN:
        assert f"compares {pretrained(name).metrics['n']:,} samples" in note
    assert note.endswith(f"the FID of real digits is {pretrained('vae').metrics['fid_real']:.1f}.")


def test_every_image_has_its_size_and_an_alt_text_of_its_own(rows):
    alts = [row.img["alt"] for row in rows]
    assert len(set(alts)) == 11
    assert alts[0] == "One real test digit of each class, 0 to 9 in order."
    for row, alt in zip(door.ROWS, alts[1:], strict=True):
        assert alt.startswith(f"10 samples of the {row.name}")
        assert alt.endswith(", asked for the digits 0 to 9 in order.") == (row.recipe in CONDITIONAL)
    assert {(row.img["width"], row.img["height"]) for row in rows} == {("894", "84")}


def test_the_rows_show_real_digits_and_samples_of_their_models(rows):
    real = opacity(rows[0])
    stored = mnist("test")
    for label, image in enumerate(real):
        matching = (stored.images.flatten(1) == torch.tensor(image).flatten()).all(1)
        assert stored.labels[matching].tolist() == [label]
    for name, row in zip(TEN, rows[1:], strict=True):
        ink = (255 * door.samples(pretrained(name))).round().byte()
        np.testing.assert_array_equal(opacity(row), ink[:, 0], err_msg=name)
        assert (set(np.unique(opacity(row))) == {0, 255}) == ("vae" in name), name


def test_conditional_models_draw_what_is_asked_for_in_order():
    for name in ("cgan", "cdcgan"):
        assert (predict(door.samples(pretrained(name))) == torch.arange(10)).sum() >= 9


def test_the_explorer_of_the_plane_is_there_and_its_scripts_are_light(hero):
    (figure,) = hero.select("figure.gm-explorer")
    assert len(hero.select("script")) == len(figure.select("script")) == 2
    assert "decode(z)" in figure.select("script[type=module]")[0].text
    assert figure.img["alt"]
    assert sum(len(script.text.encode()) for script in hero.select("script")) < MAX_SCRIPTS


def test_the_first_page_includes_the_hero_and_lists_every_chapter_with_its_time():
    text = (BOOK / "index.md").read_text(encoding="utf-8")
    assert re.search(r"^```\{raw\} html\n:file: hero\.html\n```$", text, re.M)
    chapters = sorted(path.stem for path in BOOK.glob("[0-9]*.ipynb"))
    listed = re.findall(
        r'^\| \{doc\}`(\d\d) [^<]+<([\w-]+)>` \|.+\| \{\{ seconds\["([\w-]+)"\] \}\}&nbsp;s \|$', text, re.M
    )
    assert [chapter for _, chapter, _ in listed] == [chapter for _, _, chapter in listed] == chapters
    assert [number for number, _, _ in listed] == [chapter[:2] for chapter in chapters]


def test_the_command_writes_the_html(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["door.py", str(tmp_path / "hero.html")])
    runpy.run_path(str(BOOK / "door.py"), run_name="__main__")
    assert (tmp_path / "hero.html").read_text(encoding="utf-8") == door.hero()
