"""What every page gets beside its text: a description, when it ran, figures that load as they are reached, buttons.

The repository's address is one setting, `repository: url` in `_config.yml`. Once it is there, pages with a notebook get
buttons that run it on Colab and Binder, and all pages a link to the repository.
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

LONGEST = 160  # characters of a description, as search engines show it
IMAGE = re.compile(r'<img (?P<rest>[^>]*?src="(?P<source>[^":]+)"[^>]*)>')
LAUNCH = {
    "colab_url": "https://colab.research.google.com",
    "binderhub_url": "https://mybinder.org",
    "notebook_interface": "jupyterlab",
}


def launch(app: Sphinx, config: Config) -> None:
    """Turn the buttons on if there is an address to launch from."""
    options = config.html_theme_options
    if options.get("repository_url"):
        config.html_theme_options = options | {
            "launch_buttons": LAUNCH,
            "use_repository_button": True,
        }


def complete(
    app: Sphinx,
    page: str,
    template: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Complete a page before it is written."""
    if page != "search":  # whose own script does not wait either
        wait(context)
    context["description"] = described(doctree, context.get("title", ""))
    if "body" not in context:
        return
    # they are copied into the site only when all pages are written
    images = {
        name: Path(app.srcdir) / path for path, name in app.builder.images.items()
    }
    body = sized(context["body"], images)
    # docutils and bibtex give entries of a list roles that do not go together
    body = body.replace(' role="doc-biblioentry"', "")
    body = body.replace('<div role="list" ', "<div ")
    context["body"] = body.replace("</h1>", f"</h1>\n{ran(app, page, context)}", 1)


def without(html: str, script: str) -> str:
    """Leave out a script: a filter of templates."""
    return re.sub(rf"<script[^>]*/{re.escape(script)}[^>]*></script>", "", html)


def filters(app: Sphinx) -> None:
    """Let templates use `without`."""
    if templates := getattr(app.builder, "templates", None):
        templates.environment.filters["without"] = without


def described(doctree: nodes.document | None, title: str) -> str:
    """Say in a sentence or two what a page is about."""
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        if isinstance(paragraph.parent, nodes.section):
            text = " ".join(paragraph.astext().split())
            if len(text) <= LONGEST:
                return text
            return text[:LONGEST].rsplit(" ", 1)[0].rstrip(",;:") + " …"
    return re.sub("<[^>]+>", "", f"{title}, in a book on deep generative models")


def sized(body: str, images: dict[str, Path]) -> str:
    """Tell each image's size, so that text does not jump when it comes, and let all but the first wait to be reached."""
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


def ran(app: Sphinx, page: str, context: dict[str, Any]) -> str:
    """Say under a chapter's title when, where and how long it ran."""
    report = json.loads((Path(app.confdir) / "book" / "report.json").read_text())
    chapter = report["chapters"].get(page.removeprefix("book/"), {})
    if "seconds" not in chapter:
        return ""
    torch = report["versions"]["torch"].partition("+")[0]
    status = context["pathto"]("book/status")
    return (
        f'<p class="gm-ran">Ran in {chapter["seconds"]:.0f} s on {report["date"]}: one thread, {report["machine"]}, '
        f'torch {torch}. <a href="{status}">Status of all chapters</a></p>'
    )


def wait(context: dict[str, Any]) -> None:
    """Let scripts wait until the page is there; those that are in the page itself need the options before."""
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


def as_scripts(app: Sphinx, exception: Exception | None) -> None:
    """Put a script beside each page's source, from which `save.js` saves it where a page may not read the file."""
    for source in Path(app.outdir, "_sources").rglob("*"):
        if source.is_file() and source.suffix != ".js":
            text = json.dumps(source.read_text(encoding="utf-8"))
            source.with_name(f"{source.name}.js").write_text(f"gmSave({text});\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Have pages completed."""
    if not Path(app.confdir, "book", "report.json").exists():
        raise SystemExit(
            "This folder lacks what is written before the site is rendered. Run `make book`, or, "
            "for the chapters as committed, `python book/build.py render --committed`."
        )
    app.connect("config-inited", launch)
    app.connect("builder-inited", filters)
    app.connect("html-page-context", complete, priority=900)
    app.connect("build-finished", as_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
