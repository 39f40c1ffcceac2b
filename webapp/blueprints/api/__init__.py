"""The JSON endpoints: signed requests in, JSON and problem documents out."""

from __future__ import annotations

from typing import Any

from flask_openapi3 import OpenAPI


def make_flask(name: str, **options: Any) -> OpenAPI:
    """The Flask application class that knows OpenAPI."""
    return OpenAPI(name, **options)
