"""The rules of a service in words, for whoever offers, orders or reads an escrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webapp.domain.result_rules.kinds import Kind

NAMES = {
    Kind.HASH: "Hash only",
    Kind.IMAGE: "Image",
    Kind.TEXT: "Text",
    Kind.COMPUTATION: "Computation",
    Kind.FILE: "File",
}


def rules_in_words(kind: Kind, limits: dict[str, Any], requires_result: bool) -> list[str]:
    """A sentence for each rule, without its full stop."""
    first = "The result itself is handed in and checked" if requires_result else _VOLUNTARY
    return [first, *_rules(kind, limits)]


_VOLUNTARY = "The hash of the result is enough; the result itself is checked when it is handed in"


def _rules(kind: Kind, limits: dict[str, Any]) -> Iterator[str]:
    yield from _span(limits, "bytes", "bytes")
    if kind is Kind.IMAGE:
        yield f"A picture that can be decoded: {_any_of(limits.get('formats', ['PNG', 'JPEG']))}"
        yield from _side(limits, "width", "wide")
        yield from _side(limits, "height", "high")
        if "max_pixels" in limits:
            yield f"At most {limits['max_pixels']} pixels in all"
        if "modes" in limits:
            yield f"Colour mode {_any_of(limits['modes'])}"
    elif kind is Kind.TEXT:
        yield "Text in UTF-8"
        yield from _span(limits, "characters", "characters")
    elif kind is Kind.COMPUTATION:
        yield "A JSON value" + (" that fits the service’s schema" if "schema" in limits else "")
        yield from (_check(check) for check in limits.get("checks", []))
    if limits.get("advisory"):
        yield f"Noted only, and no reason to refuse: {', '.join(limits['advisory'])}"


def _side(limits: dict[str, Any], name: str, word: str) -> Iterator[str]:
    if name in limits:
        yield f"Exactly {limits[name]} pixels {word}"
    else:
        yield from _span(limits, name, f"pixels {word}")


def _span(limits: dict[str, Any], name: str, unit: str) -> Iterator[str]:
    if f"min_{name}" in limits:
        yield f"At least {limits[f'min_{name}']} {unit}"
    if f"max_{name}" in limits:
        yield f"At most {limits[f'max_{name}']} {unit}"


def _check(check: dict[str, str]) -> str:
    wanted = []
    if "equals" in check:
        wanted.append(f"{check['equals']} ± {check.get('tolerance', '0')}")
    if "minimum" in check:
        wanted.append(f"at least {check['minimum']}")
    if "maximum" in check:
        wanted.append(f"at most {check['maximum']}")
    return f"The number at {check['at'] or 'the top'}: {', '.join(wanted)}"


def _any_of(names: list[str]) -> str:
    return " or ".join(names)
