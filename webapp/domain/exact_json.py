"""JSON read exactly: numbers with a point become Decimal, and what JSON does not know is refused.

Malformed are also NaN and Infinity, an object that names a member twice (which of the two was meant?), text that no
database can store, and nesting without end.
"""

from __future__ import annotations

import json
from decimal import Context, Decimal, InvalidOperation
from typing import Any, NoReturn

MAX_DEPTH = 64
LARGEST_EXPONENT = 308
"""Numbers beyond what 64 bits hold are nobody's result, and make exact arithmetic dear."""
MAX_DIGITS = 400
EXACT = Context(prec=2 * (MAX_DIGITS + LARGEST_EXPONENT))
"""Precise enough for sums, differences and remainders of numbers within those bounds: nothing is rounded."""


def read_json(source: str | bytes, max_depth: int = MAX_DEPTH) -> Any:
    """The value. Raises ValueError for what is malformed; its text is a reason for the sender."""
    try:
        value = _DECODER.decode(source if isinstance(source, str) else _text(source))
    except RecursionError:
        raise ValueError("the nesting is too deep") from None
    if not _is_shallow(value, max_depth):
        raise ValueError("the nesting is too deep")
    _refuse_lone_surrogates(source, value)
    return value


def storable(value: Any) -> Any:
    """The value with its numbers as databases and canonical JSON keep them: those with a point in 64 bits.

    Raises ValueError for one that would come back as another: it is refused, not rounded.
    """
    if isinstance(value, dict):
        return {name: storable(member) for name, member in value.items()}
    if isinstance(value, list):
        return [storable(member) for member in value]
    if not isinstance(value, Decimal):
        return value
    number = float(value)
    if Decimal(repr(number)) != value:
        raise ValueError("has a number that does not fit into 64 bits; send it as text")
    return number


def exact(value: Any) -> Any:
    """The opposite: what was stored, with its numbers as Decimal again."""
    if isinstance(value, dict):
        return {name: exact(member) for name, member in value.items()}
    if isinstance(value, list):
        return [exact(member) for member in value]
    return Decimal(repr(value)) if isinstance(value, float) else value


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("a number has an exponent beyond all use") from None


def _is_shallow(value: Any, levels: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if levels < 1 or (levels < 2 and parts):
        return False
    return all(_is_shallow(part, levels - 1) for part in parts if isinstance(part, dict | list))


def _text(source: bytes) -> str:
    """In which of the Unicode encodings, JSON says by itself."""
    return source.decode(json.detect_encoding(source), "surrogatepass")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("an object names a member twice")
    return found


_DECODER = json.JSONDecoder(parse_float=_decimal, parse_constant=_refuse_constant, object_pairs_hook=_object)


def _refuse_lone_surrogates(source: str | bytes, value: Any) -> None:
    # UnicodeEncodeError is a ValueError. Only an escape can bring half of a character.
    escape = b"\\ud" if isinstance(source, bytes) else "\\ud"
    if escape in source.lower():  # type: ignore[operator]
        json.dumps(value, ensure_ascii=False, default=str).encode()
