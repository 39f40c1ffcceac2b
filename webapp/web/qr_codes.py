"""QR codes as pictures inside a page."""

from __future__ import annotations

from markupsafe import Markup


def qr_code(text: str) -> Markup:
    """The text as an SVG picture that needs no style and no script."""
    import segno  # a site starts without, and most of its pages do

    picture = segno.make(text, error="m", micro=False)
    return Markup(picture.svg_inline(omitsize=True, border=0, svgclass=None, lineclass=None))  # noqa: S704
