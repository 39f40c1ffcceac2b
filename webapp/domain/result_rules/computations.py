"""Computations: a JSON value that fits its schema, and numbers that are as near to what is known as was declared."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from webapp.domain.exact_json import EXACT, LARGEST_EXPONENT, MAX_DIGITS, read_json
from webapp.domain.result_rules.findings import Finding, failed, met
from webapp.domain.result_rules.schemas import complaints, read_schema
from webapp.domain.said import said

MAX_DEPTH = 32
_MISSING = object()


def check_computation(data: bytes, limits: dict[str, Any]) -> list[Finding]:
    """What the rules find: `json` (it can be read), `schema`, and one of `checks` for each declared number."""
    try:
        value = read_json(data.decode("utf-8"), MAX_DEPTH)
        _require_plain_numbers(value)
    except ValueError as error:
        return [failed("json", said("must be JSON, and {reason}", reason=_reason(error)))]
    findings = [met("json", said("is JSON"))]
    if "schema" in limits:
        findings.append(_against_schema(limits["schema"], value))
    return findings + [_number(check, value) for check in limits.get("checks", [])]


def number_of(value: object) -> Decimal | None:
    """A number, given as one or as text, exactly; None for what is none, or is beyond all use."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float | str):
        return None
    if isinstance(value, str) and not (value.isascii() and len(value) <= MAX_DIGITS):
        return None
    try:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except ArithmeticError:
        return None
    return number if number.is_finite() and _is_plain(number) else None


def _require_plain_numbers(value: object) -> None:
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            _require_plain_numbers(member)
    elif isinstance(value, int | Decimal) and not _is_plain(Decimal(value)):
        raise ValueError(said("a number is beyond all use"))


def _is_plain(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    is_small = isinstance(exponent, int) and abs(exponent) <= MAX_DIGITS
    return is_small and number.adjusted() <= LARGEST_EXPONENT and len(number.as_tuple().digits) <= MAX_DIGITS


def _against_schema(raw: object, value: object) -> Finding:
    try:
        found = complaints(read_schema(raw), value)
    except ValueError as error:
        return failed("schema", said("must fit its schema, and {reason}", reason=error.args[0]))
    return (
        failed("schema", said("must fit its schema: {names}", names="; ".join(found)))
        if found
        else met("schema", said("fits its schema"))
    )


def _number(check: dict[str, Any], value: object) -> Finding:
    place = check["at"]
    found = _at(place, value)
    number = None if isinstance(found, str) else number_of(found)
    if number is None:
        return failed("checks", said("must have a number at {place}", place=place))
    if "equals" in check:
        expected, tolerance = Decimal(check["equals"]), Decimal(check.get("tolerance", "0"))
        if EXACT.abs(EXACT.subtract(number, expected)) > tolerance:
            return failed(
                "checks",
                said(
                    "must have {expected} ± {tolerance} at {place}, and has {number}",
                    expected=expected,
                    tolerance=tolerance,
                    place=place,
                    number=_short(number),
                ),
            )
    if "minimum" in check and number < Decimal(check["minimum"]):
        return failed(
            "checks",
            said(
                "must have at least {minimum} at {place}, and has {number}",
                minimum=check["minimum"],
                place=place,
                number=_short(number),
            ),
        )
    if "maximum" in check and number > Decimal(check["maximum"]):
        return failed(
            "checks",
            said(
                "must have at most {maximum} at {place}, and has {number}",
                maximum=check["maximum"],
                place=place,
                number=_short(number),
            ),
        )
    return met("checks", said("has {number} at {place}", number=_short(number), place=place))


def _at(pointer: str, value: object) -> object:
    """What a JSON pointer (RFC 6901) leads to."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name, _MISSING)
        elif (
            isinstance(value, list)
            and name.isascii()
            and name.isdigit()
            and len(name) < 10
            and int(name) < len(value)
        ):
            value = value[int(name)]
        else:
            return _MISSING
    return value


def _reason(error: ValueError) -> str:
    if isinstance(error, UnicodeError):
        return said("is no Unicode text")
    return said("cannot be read: {error}", error=str(error)[:160])


def _short(number: Decimal) -> str:
    text = str(number)
    return text if len(text) <= 40 else text[:39] + "…"
