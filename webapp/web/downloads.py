"""Downloads: files that strangers have sent, which no browser may draw in the name of this site, and case files."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import IO

from flask import Response, send_file

_SANDBOX = "default-src 'none'; frame-ancestors 'none'; sandbox"


_PIECE = 65_536


def foreign_file(data: bytes, name: str, media_type: str) -> Response:
    """A download under a name that was cleaned (`domain.evidence.names`), with the type that its content has."""
    response = send_file(
        io.BytesIO(data), mimetype=media_type, as_attachment=True, download_name=name, etag=False, max_age=0
    )
    response.headers["Content-Security-Policy"] = _SANDBOX
    response.headers["Cache-Control"] = "no-store"
    return response


def case_file(stream: IO[bytes], escrow_id: object) -> Response:
    """A case file, sent piece by piece and closed then."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    response = Response(_pieces(stream), mimetype="application/zip")
    response.call_on_close(stream.close)
    response.content_length = size
    response.headers["Content-Disposition"] = f'attachment; filename="case-{escrow_id}.zip"'
    response.headers["Content-Security-Policy"] = _SANDBOX
    return response


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.read(_PIECE):
        yield piece
