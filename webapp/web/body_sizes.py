"""How much a request may bring. 256 KiB is enough for every form and document; a result may be larger."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app, request
from flask.typing import ResponseReturnValue

from webapp.web.current import services

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])

_MARKER = "__duxos_takes_results__"


def takes_results(view: View) -> View:
    """Mark a view whose requests may bring a result of `escrow.max_result_size`, in base64 at worst."""
    setattr(view, _MARKER, True)
    return view


def init_body_sizes(app: Flask) -> None:
    """Tie the rule to an app. Call it before anything that reads bodies."""
    app.before_request(_make_room)


def _make_room() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if getattr(view, _MARKER, False):
        in_base64 = services().settings.escrow.max_result_size * 4 // 3
        request.max_content_length = current_app.config["MAX_CONTENT_LENGTH"] + in_base64
