"""JSON as money needs it: read as `domain.exact_json` reads it. An empty body reads as nothing sent, `{}`."""

from __future__ import annotations

from typing import Any

from flask import Request, request
from flask.json.provider import DefaultJSONProvider

from webapp.domain.exact_json import read_json
from webapp.domain.exceptions import ValidationError
from webapp.domain.said import said


class ExactJsonProvider(DefaultJSONProvider):
    """Reads exactly. Writes members in the order that the code gave them."""

    sort_keys = False
    compact = True

    def loads(self, s: str | bytes, **_: Any) -> Any:
        """The value. Raises ValueError for what is malformed."""
        return read_json(s)


class JsonRequest(Request):
    """A request whose body may be left out where nothing needs to be said."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body as JSON; `{}` when it is empty and silence was asked for."""
        if silent and not self.get_data(cache=True):
            return {}
        return super().get_json(force=force, silent=silent, cache=cache)


def require_json_object() -> None:
    """Refuse a body that is not a JSON object: 415 for another media type, 400 for malformed JSON, else 422."""
    if request.method in {"GET", "HEAD", "OPTIONS"} or not request.get_data(cache=True):
        return
    if not isinstance(request.get_json(), dict):
        raise ValidationError.of("body", said("must be a JSON object"))
