"""How much a request may bring: 256 KiB for every form and document, more for results, evidence and batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app, request
from flask.typing import ResponseReturnValue

from webapp.config import Settings
from webapp.services.batches.operations import MAX_OPERATIONS
from webapp.web.current import services

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])

_MARKER = "__duxos_file_size__"
# What an operation takes without its metadata, in bytes: its names are at most 128 characters each.
_OPERATION = 1024


def takes_results(view: View) -> View:
    """Mark a view whose requests may bring a result of `escrow.max_result_size`, in base64 at worst."""
    return _takes(view, lambda settings: _in_base64(settings.escrow.max_result_size))


def takes_evidence(view: View) -> View:
    """Mark a view whose requests may bring a file of `evidence.max_file_bytes`, in base64 at worst."""
    return _takes(view, lambda settings: _in_base64(settings.evidence.max_file_bytes))


def takes_batches(view: View) -> View:
    """Mark a view whose requests may bring as many operations as a batch has, each with all of its metadata."""
    return _takes(view, lambda settings: MAX_OPERATIONS * (_OPERATION + settings.escrow.max_metadata_bytes))


def _in_base64(size: int) -> int:
    return size * 4 // 3


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
        request.max_content_length = current_app.config["MAX_CONTENT_LENGTH"] + largest(services().settings)
