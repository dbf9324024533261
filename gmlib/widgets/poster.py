"""The poster of a widget: a static image with alternative text, shown where no kernel runs."""

import base64
import html
from typing import Any


class WithPoster:
    """A widget that also displays as HTML, as a PNG and as text; the host shows the richest format that it supports."""

    poster: bytes
    alt: str

    def html(self) -> str:
        """Return the widget as a `figure` element of a page."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle: Any = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        # anywidget returns data and metadata, ipywidgets the data only
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        poster = base64.b64encode(self.poster).decode()
        return data | {"text/html": self.html(), "image/png": poster, "text/plain": repr(self)}, metadata


def image(png: bytes, alt: str) -> str:
    """Return a PNG as an `img` element that contains its data."""
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return f'<img src="{source}" alt="{html.escape(alt)}" style="max-width: 100%">'
