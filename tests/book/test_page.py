"""What a page gets in addition to its text: description, image sizes, fonts, buttons."""

import json
from types import SimpleNamespace

import pytest
from docutils import nodes
from PIL import Image

from tests.book.loaded import BOOK, loaded

page, fonts, lighthouse = loaded("page", BOOK / "_ext"), loaded("fonts", BOOK / "_ext"), loaded("lighthouse")


def document(*paragraphs: str) -> nodes.document:
    root = nodes.section("", *(nodes.paragraph(text, text) for text in paragraphs))
    return nodes.document(None, None, nodes.paragraph("", "outside"), root)


def test_a_page_is_described_by_the_beginning_of_its_text():
    assert page.description(document("Two  numbers\nare enough.", "More."), "T") == "Two numbers are enough."
    long = page.description(document("word, " * 100), "T")
    assert len(long) <= page.MAX_DESCRIPTION + 2
    assert long.endswith("word …")
    assert page.description(None, "<em>Index</em>") == "Index, in a book on deep generative models"


def test_images_say_their_size_and_all_but_the_first_wait(tmp_path):
    Image.new("RGB", (7, 5)).save(tmp_path / "source.png")
    body = '<img alt="a" src="../_images/x.png" /> <img src="../_images/x.png"> <img src="../_images/y.svg"> <img src="data:image/png;base64,AA">'
    assert page.with_image_sizes(body, {"x.png": tmp_path / "source.png"}).split(" <") == [
        '<img alt="a" src="../_images/x.png" width="7" height="5">',
        'img src="../_images/x.png" width="7" height="5" loading="lazy">',
        'img src="../_images/y.svg" loading="lazy">',
        'img src="data:image/png;base64,AA">',
    ]


def test_a_script_is_left_out_and_no_other():
    one, other = '<script defer src="../a/one.js?v=1"></script>', '<script src="../a/other.js"></script>'
    assert page.without_script(f"<p>{one}{other}</p>", "one.js") == f"<p>{other}</p>"


@pytest.mark.parametrize("url", ["", "https://github.com/someone/gmlib"])
def test_buttons_that_run_a_chapter_appear_with_the_address(url):
    config = SimpleNamespace(html_theme_options={"repository_url": url, "show_toc_level": 2})
    page.show_launch_buttons(None, config)
    options = config.html_theme_options
    assert options["show_toc_level"] == 2
    assert bool(url) == ("launch_buttons" in options) == ("use_repository_button" in options)


def test_a_page_may_state_the_seconds_of_each_chapter(tmp_path):
    (tmp_path / "book").mkdir()
    chapters = {"01-a": {"status": "ok", "seconds": 61.6}, "02-b": {"status": "not run"}}
    (tmp_path / "book" / "report.json").write_text(json.dumps({"chapters": chapters}))
    config = SimpleNamespace()
    page.fill_in_seconds(SimpleNamespace(confdir=tmp_path), config)
    assert config.myst_substitutions == {"seconds": {"01-a": "62"}}


def test_a_font_keeps_the_signs_that_are_asked_for_and_no_others(tmp_path):
    stix = fonts.fonts_of("ziamath")["STIXTwoMath-Regular.ttf"]
    small, larger = (fonts.face("F", stix, map(ord, signs)) for signs in ("x", "xyz∑√"))
    assert small.startswith(
        '@font-face { font-family: "F"; font-style: normal; font-weight: 400; src: url(data:font/woff;'
    )
    assert len(small) < len(larger) < stix.stat().st_size / 4


def test_a_page_weighs_what_it_brings_itself(tmp_path):
    (tmp_path / "a.png").write_bytes(b"12345")
    html = '<img src="a.png"><img alt="" src="a.png"><img src="data:image/png;base64,AA">'
    (tmp_path / "page.html").write_text(html)
    assert lighthouse.page_bytes(tmp_path / "page.html") == len(html) + 5


def test_a_folder_that_was_not_staged_names_make_book(tmp_path):
    with pytest.raises(SystemExit, match="make book"):
        page.setup(SimpleNamespace(confdir=tmp_path, connect=lambda *_, **__: None))
