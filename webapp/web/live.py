"""Views that open pages ask again and again by themselves, as long as something may change.

They use up neither what their reader may ask nor the time after which an idle session ends. The stream that tells
pages when to ask is one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import current_app, request
from flask.typing import ResponseReturnValue

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])

_MARKER = "__duxos_live__"


def live(view: View) -> View:
    """Mark a view as one that pages ask by themselves."""
    setattr(view, _MARKER, True)
    return view


def is_live() -> bool:
    """Whether the present request is for such a view."""
    return bool(getattr(current_app.view_functions.get(request.endpoint or ""), _MARKER, False))
