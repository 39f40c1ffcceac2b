"""Static files under addresses that hold a hash of their content, so that browsers keep them for ever.

`static_url("site.css")` is `/assets/<hash>/site.css`. A file that changes gets another address; an address with an
old hash still answers with the present file, but is not kept.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, current_app, send_from_directory, url_for
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

from webapp.extensions import limiter
from webapp.web.guards import public

DIGEST_LENGTH = 16
FOR_EVER = "public, max-age=31536000, immutable"


@lru_cache(maxsize=256)
def _digest(path: str, _modified_ns: int, _size: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:DIGEST_LENGTH]


def content_hash(filename: str) -> str:
    """The hash in the address of a static file. Raises NotFound when there is no such file."""
    path = safe_join(str(current_app.static_folder), filename)
    if path is None or not Path(path).is_file():
        raise NotFound
    status = Path(path).stat()
    return _digest(path, status.st_mtime_ns, status.st_size)


def static_url(filename: str) -> str:
    """The address of a file in `static/`, for templates."""
    return url_for("assets", digest=content_hash(filename), filename=filename)


@public
def assets(digest: str, filename: str) -> Response:
    """A file of `static/`, kept for ever when the hash is that of its content."""
    response = send_from_directory(str(current_app.static_folder), filename)
    response.headers["Cache-Control"] = FOR_EVER if digest == content_hash(filename) else "no-cache"
    return response


def init_static_files(app: Flask) -> None:
    """Serve `/assets/...` and give templates `static_url`."""
    limiter.exempt(assets)  # a page brings several, and none of them costs anything
    app.add_url_rule("/assets/<digest>/<path:filename>", "assets", assets)
    app.jinja_env.globals["static_url"] = static_url
