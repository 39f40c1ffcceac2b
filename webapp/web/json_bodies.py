"""JSON as money needs it: numbers are read as Decimal, and what JSON does not know is refused.

Malformed are also NaN and Infinity, an object that names a member twice (which of the two was meant?), text that no
database can store, and nesting without end. An empty body reads as nothing sent, `{}`.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from flask import Request, request
from flask.json.provider import DefaultJSONProvider

from webapp.domain.exceptions import ValidationError

MAX_DEPTH = 64


class ExactJsonProvider(DefaultJSONProvider):
    """Reads exactly. Writes members in the order that the code gave them."""

    sort_keys = False
    compact = True

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """The value. Raises ValueError for what is malformed."""
        try:
            value = json.loads(
                s, parse_float=_decimal, parse_constant=_refuse_constant, object_pairs_hook=_object, **kwargs
            )
        except RecursionError:
            raise ValueError("the nesting is too deep") from None
        if not _is_shallow(value, MAX_DEPTH):
            raise ValueError("the nesting is too deep")
        _refuse_lone_surrogates(s, value)
        return value


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
        raise ValidationError.of("body", "must be a JSON object")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("a number has an exponent beyond all use") from None


def _is_shallow(value: Any, levels: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_shallow(part, levels - 1) for part in parts)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("an object names a member twice")
    return found


def _refuse_lone_surrogates(source: str | bytes, value: Any) -> None:
    # UnicodeEncodeError is a ValueError. Only an escape can bring half of a character.
    escape = b"\\ud" if isinstance(source, bytes) else "\\ud"
    if escape in source.lower():  # type: ignore[operator]
        json.dumps(value, ensure_ascii=False, default=str).encode()
