"""The rules of a service, as its provider states them: read, checked, and put into the form that is kept.

All are optional. Of every kind with bytes: `min_bytes`, `max_bytes`, `advisory` (names of rules that only report).
image: `formats`, `modes`, `width`, `height`, `min_width` ... `max_height`, `max_pixels`. text: `min_characters`,
`max_characters`, `language` (ISO 639-1). computation: `schema` (JSON Schema 2020-12), and `checks`: numbers that are
known beforehand, each `{"at": "/total", "equals": "3.14", "tolerance": "0.01"}` or with `minimum` and `maximum`.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import rfc8785

from webapp.domain.canonical import canonical_json
from webapp.domain.exact_json import storable
from webapp.domain.exceptions import ValidationError
from webapp.domain.result_rules.computations import number_of
from webapp.domain.result_rules.images import FORMATS, MAX_PIXELS, MAX_SIDE, MODES
from webapp.domain.result_rules.kinds import ADVISABLE, Kind
from webapp.domain.result_rules.languages import known_languages
from webapp.domain.result_rules.schemas import read_schema
from webapp.domain.said import said

MAX_LIMITS_BYTES = 8192
MAX_CHECKS = 20
_CHECK_NAMES = frozenset({"at", "equals", "tolerance", "minimum", "maximum"})

Reading = Callable[[Any], Any]


def read_limits(kind: Kind, raw: object, max_bytes: int) -> dict[str, Any]:
    """The limits in the form that is kept. Raises ValidationError naming `limits.<name>` for each wrong one."""
    if not isinstance(raw, dict):
        raise ValidationError.of("limits", said("must be an object"))
    known = _readings(kind, max_bytes)
    complaints: dict[str, str] = {}
    limits: dict[str, Any] = {}
    for name, value in raw.items():
        try:
            if name not in known:
                raise ValueError(
                    said(
                        "is no rule of this kind; known are {names}", names=", ".join(sorted(known)) or "none"
                    )
                )
            limits[name] = storable(known[name](value))
        except ValueError as error:
            complaints[f"limits.{name[:64]}"] = error.args[0]
    complaints = complaints or _contradictions(limits)
    if not complaints:
        complaints = _size_complaint(limits)
    if complaints:
        raise ValidationError(
            "; ".join(f"{name}: {text}" for name, text in complaints.items()), fields=complaints
        )
    return limits


def _readings(kind: Kind, max_bytes: int) -> dict[str, Reading]:
    if kind is Kind.HASH:
        return {}
    readings: dict[str, Reading] = {name: _count(max_bytes) for name in ("min_bytes", "max_bytes")}
    if advisable := ADVISABLE[kind]:
        readings["advisory"] = _choice(tuple(sorted(advisable)))
    if kind is Kind.IMAGE:
        sides = ("width", "height", "min_width", "max_width", "min_height", "max_height")
        readings |= {name: _count(MAX_SIDE) for name in sides}
        readings |= {"max_pixels": _count(MAX_PIXELS), "formats": _choice(FORMATS), "modes": _choice(MODES)}
    elif kind is Kind.TEXT:
        readings |= {name: _count(max_bytes) for name in ("min_characters", "max_characters")}
        readings["language"] = _language
    elif kind is Kind.COMPUTATION:
        readings |= {"schema": _schema, "checks": _checks}
    return readings


def _count(most: int) -> Reading:
    def read(value: object) -> int:
        if type(value) is not int or not 1 <= value <= most:
            raise ValueError(said("must be a whole number from 1 to {most}", most=most))
        return value

    return read


def _choice(known: tuple[str, ...]) -> Reading:
    def read(value: object) -> list[str]:
        if not isinstance(value, list) or not value or any(each not in known for each in value):
            raise ValueError(said("must be a list of {names}", names=", ".join(known)))
        return [each for each in known if each in value]

    return read


def _language(value: object) -> str:
    if value not in known_languages():
        raise ValueError(said("must be one of {names}", names=", ".join(known_languages())))
    return str(value)


def _schema(value: object) -> object:
    read_schema(value)
    return value


def _checks(value: object) -> list[dict[str, str]]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CHECKS:
        raise ValueError(said("must be a list of 1 to {max_checks} checks", max_checks=MAX_CHECKS))
    return [_check(each) for each in value]


def _check(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not value.keys() <= _CHECK_NAMES:
        raise ValueError(said("must each be an object of {names}", names=", ".join(sorted(_CHECK_NAMES))))
    place = value.get("at")
    if not isinstance(place, str) or len(place) > 256 or not (place == "" or place.startswith("/")):
        raise ValueError(said('must each say where: "at" is a JSON pointer such as /total or /rows/0'))
    numbers = {name: number_of(number) for name, number in value.items() if name != "at"}
    if not numbers.keys() & {"equals", "minimum", "maximum"} or None in numbers.values():
        raise ValueError(said("must each have a number: equals (and tolerance), minimum or maximum"))
    if "tolerance" in numbers and ("equals" not in numbers or (numbers["tolerance"] or Decimal()) < 0):
        raise ValueError(said("must have a tolerance beside equals only, and not below zero"))
    return {"at": place} | {name: str(number) for name, number in numbers.items()}


def _contradictions(limits: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in ("bytes", "width", "height", "characters"):
        least, most, exactly = (limits.get(key) for key in (f"min_{name}", f"max_{name}", name))
        if least and most and least > most:
            found[f"limits.max_{name}"] = said("must be at least min_{name}", name=name)
        elif exactly and not (least or exactly) <= exactly <= (most or exactly):
            found[f"limits.{name}"] = said("must be between min_{name} and max_{name}", name=name)
    width, height = (limits.get(name) or limits.get(f"min_{name}", 1) for name in ("width", "height"))
    if width * height > limits.get("max_pixels", MAX_PIXELS):
        found["limits.max_pixels"] = said(
            "must leave room for {width} × {height} pixels; at most {max_pixels} are taken",
            width=width,
            height=height,
            max_pixels=MAX_PIXELS,
        )
    return found


def _size_complaint(limits: dict[str, Any]) -> dict[str, str]:
    try:
        text = canonical_json(limits)
    except rfc8785.CanonicalizationError:
        return {"limits": said("has a number that is not exact in 64 bits")}
    if len(text) > MAX_LIMITS_BYTES:
        return {
            "limits": said(
                "must take at most {max_limits_bytes} bytes as JSON", max_limits_bytes=MAX_LIMITS_BYTES
            )
        }
    return {"limits": said("must not contain the character U+0000")} if b"\\u0000" in text else {}
