"""Requests for the moves of an escrow that are written in the usual way, read without Flask.

Usual is what every client's library sends: a POST of JSON with its length, to one of the four addresses at the root of
a plainly named host. Whatever is written in another way may be just as right: it is left to Flask as it came.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import EnvironHeaders

from webapp.services.received_request import ReceivedRequest

Environ = dict[str, Any]

_PATH = re.compile(
    r"/escrow/(?:(create)|([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(deliver|release|refund))"
)
# One that Werkzeug takes for a host, too, and without a default port, which would not be a part of what is signed.
_HOST = re.compile(
    r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*(?::(?!80$|443$)(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}))?"
)
_SCHEMES = ("http", "https")
# Anything longer is not usual.
_LENGTH = re.compile("[0-9]{1,5}")
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """A request for one of the moves, `create` to `refund`, as it came. A new escrow has no id yet: it is empty."""

    move: str
    escrow_id: str
    path: str
    is_secure: bool
    received: ReceivedRequest


def read_plainly(environ: Environ) -> PlainRequest | None:
    """What is asked for, if it is written in the usual way. The body can be read again."""
    if (
        environ["REQUEST_METHOD"] != "POST"
        or (found := _PATH.fullmatch(environ.get("PATH_INFO", ""))) is None
    ):
        return None
    length, host = environ.get("CONTENT_LENGTH", ""), environ.get("HTTP_HOST", "")
    scheme = environ["wsgi.url_scheme"]
    if not length and "wsgi.input_terminated" not in environ:
        length = "0"  # what is not announced is not read
    is_plain = (
        "HTTP_SIGNATURE" in environ
        and "HTTP_TRANSFER_ENCODING" not in environ
        and not environ.get("QUERY_STRING")
        and not environ.get("SCRIPT_NAME")
        and scheme in _SCHEMES
        and _LENGTH.fullmatch(length)
        and _HOST.fullmatch(host)
        and (environ.get("CONTENT_TYPE") == JSON or length == "0")
    )
    if not is_plain:
        return None
    body = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    if len(body) != int(length):  # its sender went away in the middle
        return None
    path = found[0]
    received = ReceivedRequest("POST", f"{scheme}://{host}{path}", EnvironHeaders(environ), body)
    return PlainRequest(found[1] or found[3], found[2] or "", path, scheme == "https", received)
