"""How much a request may bring. 256 KiB is enough for every form and document; results and evidence may be larger."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app, request
from flask.typing import ResponseReturnValue

from webapp.config import Settings
from webapp.web.current import services

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])

_MARKER = "__duxos_file_size__"


def takes_results(view: View) -> View:
    """Mark a view whose requests may bring a result of `escrow.max_result_size`, in base64 at worst."""
    return _takes(view, lambda settings: settings.escrow.max_result_size)


def takes_evidence(view: View) -> View:
    """Mark a view whose requests may bring a file of `evidence.max_file_bytes`, in base64 at worst."""
    return _takes(view, lambda settings: settings.evidence.max_file_bytes)


def _takes(view: View, largest: Callable[[Settings], int]) -> View:
    setattr(view, _MARKER, largest)
    return view


def init_body_sizes(app: Flask) -> None:
    """Tie the rule to an app. Call it before anything that reads bodies."""
    app.before_request(_make_room)


def _make_room() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    largest: Callable[[Settings], int] | None = getattr(view, _MARKER, None)
    if largest is not None:
        in_base64 = largest(services().settings) * 4 // 3
        request.max_content_length = current_app.config["MAX_CONTENT_LENGTH"] + in_base64
