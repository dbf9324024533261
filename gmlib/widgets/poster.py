"""What stands for a widget where no kernel runs: a still picture, and what it shows in words."""

import base64
import html
from typing import Any


class WithPoster:
    """A widget that also shows as a page, as a PNG and as text; whatever hosts it takes the richest that it can show."""

    poster: bytes
    alt: str

    def html(self) -> str:
        """Write the widget for a page.

        Returns:
            A `figure`.
        """
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        shown: Any = super()._repr_mimebundle_(**kwargs) or {}  # type: ignore[misc]
        widget, metadata = (
            shown if isinstance(shown, tuple) else (shown, {})
        )  # anywidget gives both, ipywidgets the first
        poster = base64.b64encode(self.poster).decode()
        return widget | {"text/html": self.html(), "image/png": poster, "text/plain": repr(self)}, metadata


def image(picture: bytes, alt: str) -> str:
    """Write a PNG into a page, so that nothing is fetched.

    Args:
        picture: the PNG.
        alt: what it shows, in words.

    Returns:
        An `img`.
    """
    source = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    return f'<img src="{source}" alt="{html.escape(alt)}" style="max-width: 100%">'
