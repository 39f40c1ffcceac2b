"""Requests to an application in this process, without a server: what is counted is the application's own."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bench.signed_client import Request

PORT = 8000
Application = Callable[..., Iterable[bytes]]


def ask(application: Application, request: Request) -> bytes:
    """What it answers to a request that was signed for localhost and `PORT`. Raises RuntimeError for a refusal."""
    status: list[str] = []
    content = b"".join(_closed(application(_environ(request), lambda code, *_: status.append(code))))
    if not status[0].startswith("2"):
        raise RuntimeError(content)
    return content


def _environ(request: Request) -> dict[str, Any]:
    """What a server hands to the application."""
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request.headers.items()}
    content = request.content or b""
    return headers | {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": str(PORT),
        "HTTP_HOST": f"localhost:{PORT}",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.version": (1, 0),
    }


def _closed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks; as a server does, the application is told at the end, which gives back its connections."""
    yield from chunks
    close = getattr(chunks, "close", None)
    if close:
        close()
