"""Files that somebody else has sent, given out so that no browser ever draws or runs them in the name of this site."""

from __future__ import annotations

import io

from flask import Response, send_file

_SANDBOX = "default-src 'none'; frame-ancestors 'none'; sandbox"


def foreign_file(data: bytes, name: str, media_type: str) -> Response:
    """A download under a name that was cleaned (`domain.evidence.names`), with the type that its content has."""
    response = send_file(
        io.BytesIO(data), mimetype=media_type, as_attachment=True, download_name=name, etag=False, max_age=0
    )
    response.headers["Content-Security-Policy"] = _SANDBOX
    response.headers["Cache-Control"] = "no-store"
    return response
