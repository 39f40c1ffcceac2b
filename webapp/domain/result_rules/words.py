"""The rules of a service in words, for whoever offers, orders or reads an escrow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webapp.domain.result_rules.kinds import Kind
from webapp.domain.said import said

NAMES = {
    Kind.HASH: said("Hash only"),
    Kind.IMAGE: said("Image"),
    Kind.TEXT: said("Text"),
    Kind.COMPUTATION: said("Computation"),
    Kind.FILE: said("File"),
}


def rules_in_words(kind: Kind, limits: dict[str, Any], requires_result: bool) -> list[str]:
    """A sentence for each rule, without its full stop."""
    first = said("The result itself is handed in and checked") if requires_result else _VOLUNTARY
    return [first, *_rules(kind, limits)]


_VOLUNTARY = said("The hash of the result is enough; the result itself is checked when it is handed in")


def _rules(kind: Kind, limits: dict[str, Any]) -> Iterator[str]:
    yield from _span(limits, "bytes")
    if kind is Kind.IMAGE:
        formats = " / ".join(limits.get("formats", ["PNG", "JPEG"]))
        yield said("A picture that can be decoded: {formats}", formats=formats)
        yield from _span(limits, "width")
        yield from _span(limits, "height")
        if "max_pixels" in limits:
            yield said("At most {number} pixels in all", number=limits["max_pixels"])
        if "modes" in limits:
            yield said("Colour mode {modes}", modes=" / ".join(limits["modes"]))
    elif kind is Kind.TEXT:
        yield said("Text in UTF-8")
        yield from _span(limits, "characters")
        if "language" in limits:
            yield said("In the language {code}", code=limits["language"])
    elif kind is Kind.COMPUTATION:
        yield (
            said("A JSON value that fits the service’s schema")
            if "schema" in limits
            else said("A JSON value")
        )
        yield from (each for check in limits.get("checks", []) for each in _check(check))
    if limits.get("advisory"):
        yield said("Noted only, and no reason to refuse: {names}", names=", ".join(limits["advisory"]))


# name of the limit -> exactly so many, at least, at most
_SPANS = {
    "bytes": (
        said("Exactly {number} bytes"),
        said("At least {number} bytes"),
        said("At most {number} bytes"),
    ),
    "characters": (
        said("Exactly {number} characters"),
        said("At least {number} characters"),
        said("At most {number} characters"),
    ),
    "width": (
        said("Exactly {number} pixels wide"),
        said("At least {number} pixels wide"),
        said("At most {number} pixels wide"),
    ),
    "height": (
        said("Exactly {number} pixels high"),
        said("At least {number} pixels high"),
        said("At most {number} pixels high"),
    ),
}


def _span(limits: dict[str, Any], name: str) -> Iterator[str]:
    if name in limits:
        yield said(_SPANS[name][0].template, number=limits[name])
        return
    for limit, words in zip((f"min_{name}", f"max_{name}"), _SPANS[name][1:], strict=True):
        if limit in limits:
            yield said(words.template, number=limits[limit])


def _check(check: dict[str, str]) -> Iterator[str]:
    place = check["at"] or said("the top")
    if "equals" in check:
        tolerance = check.get("tolerance", "0")
        yield said(
            "The number at {place}: {number} ± {tolerance}",
            place=place,
            number=check["equals"],
            tolerance=tolerance,
        )
    if "minimum" in check and "maximum" in check:
        yield said(
            "The number at {place}: at least {least}, at most {most}",
            place=place,
            least=check["minimum"],
            most=check["maximum"],
        )
    elif "minimum" in check:
        yield said("The number at {place}: at least {number}", place=place, number=check["minimum"])
    elif "maximum" in check:
        yield said("The number at {place}: at most {number}", place=place, number=check["maximum"])
