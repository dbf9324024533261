"""What every page gets in addition to its text: a description, when the chapter ran, image sizes, and buttons.

The repository's address is one setting, `repository: url` in `_config.yml`. If it is set, pages with a notebook get buttons
that run it on Colab and Binder, and all pages get a link to the repository.
"""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.config import Config

MAX_DESCRIPTION = 160  # characters, as search engines show them
IMAGE = re.compile(r'<img (?P<rest>[^>]*?src="(?P<source>[^":]+)"[^>]*)>')
LAUNCH = {
    "colab_url": "https://colab.research.google.com",
    "binderhub_url": "https://mybinder.org",
    "notebook_interface": "jupyterlab",
}


def show_launch_buttons(app: Sphinx, config: Config) -> None:
    """Show launch buttons if the repository's address is set."""
    options = config.html_theme_options
    if options.get("repository_url"):
        config.html_theme_options = options | {
            "launch_buttons": LAUNCH,
            "use_repository_button": True,
        }


def read_report(app: Sphinx) -> dict[str, Any]:
    """Return what the last run of the chapters recorded."""
    return json.loads((Path(app.confdir) / "book" / "report.json").read_text())


def fill_in_seconds(app: Sphinx, config: Config) -> None:
    """Let pages show the seconds that a chapter ran: `{{ seconds["02-vae"] }}`."""
    chapters = read_report(app)["chapters"]
    config.myst_substitutions = {
        "seconds": {
            name: f"{chapter['seconds']:.0f}"
            for name, chapter in chapters.items()
            if "seconds" in chapter
        }
    }


def complete(
    app: Sphinx,
    page: str,
    template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Add description, image sizes and running time to a page before it is written."""
    if page != "search":  # its own script needs the others at once
        defer_scripts(context)
    context["description"] = description(doctree, context.get("title", ""))
    if "body" not in context:
        return
    # they are copied into the site only when all pages are written
    images = {
        name: Path(app.srcdir) / path for path, name in app.builder.images.items()
    }
    body = with_image_sizes(context["body"], images)
    # docutils and bibtex give entries of a list roles that do not go together
    body = body.replace(' role="doc-biblioentry"', "")
    body = body.replace('<div role="list" ', "<div ")
    context["body"] = body.replace(
        "</h1>", f"</h1>\n{running_time(app, page, context)}", 1
    )


def without_script(html: str, script: str) -> str:
    """Return HTML without a script; a filter for templates."""
    return re.sub(rf"<script[^>]*/{re.escape(script)}[^>]*></script>", "", html)


def register_filter(app: Sphinx) -> None:
    """Register `without_script` as the filter `without`."""
    if templates := getattr(app.builder, "templates", None):
        templates.environment.filters["without"] = without_script


def description(doctree: nodes.document | None, title: str) -> str:
    """Return a page's description: the beginning of its first paragraph."""
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        if isinstance(paragraph.parent, nodes.section):
            text = " ".join(paragraph.astext().split())
            if len(text) <= MAX_DESCRIPTION:
                return text
            return text[:MAX_DESCRIPTION].rsplit(" ", 1)[0].rstrip(",;:") + " …"
    return re.sub("<[^>]+>", "", f"{title}, in a book on deep generative models")


def with_image_sizes(body: str, images: dict[str, Path]) -> str:
    """Return HTML in which images have their size, so that text does not move, and all but the first load lazily."""
    seen = 0

    def image(found: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        file = images.get(Path(unquote(found["source"])).name)
        rest = found["rest"].rstrip("/ ")
        if file and file.suffix == ".png" and "width=" not in rest:
            with Image.open(file) as picture:
                rest += f' width="{picture.width}" height="{picture.height}"'
        if seen > 1:
            rest += ' loading="lazy"'
        return f"<img {rest}>"

    return IMAGE.sub(image, body)


def running_time(app: Sphinx, page: str, context: dict[str, Any]) -> str:
    """Return a line that states when, where and how long a chapter ran; empty if it did not."""
    report = read_report(app)
    chapter = report["chapters"].get(page.removeprefix("book/"), {})
    if "seconds" not in chapter:
        return ""
    torch = report["versions"]["torch"].partition("+")[0]
    status = context["pathto"]("book/status")
    return (
        f'<p class="gm-ran">Ran in {chapter["seconds"]:.0f} s on {report["date"]}: one thread, {report["machine"]}, '
        f'torch {torch}. <a href="{status}">Status of all chapters</a></p>'
    )


def defer_scripts(context: dict[str, Any]) -> None:
    """Defer scripts until the page is loaded, except the options, which inline scripts use."""
    context["script_files"] = [
        type(script)(
            script.filename,
            priority=script.priority,
            **({"defer": "defer"} | script.attributes),
        )
        if script.filename and "documentation_options" not in str(script.filename)
        else script
        for script in context.get("script_files", [])
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    if not Path(app.confdir, "book", "report.json").exists():
        raise SystemExit(
            "This folder lacks what is written before the site is rendered. Run `make book`, or, "
            "for the chapters as committed, `python book/build.py render --committed`."
        )
    app.connect("config-inited", show_launch_buttons)
    app.connect("config-inited", fill_in_seconds)
    app.connect("builder-inited", register_filter)
    app.connect("html-page-context", complete, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
