"""The rules about pictures: what is found in one that was decoded for real."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from webapp.domain.result_rules.findings import Finding, failed, met, within
from webapp.domain.result_rules.pictures import (
    JPEG,
    MAX_PIXELS,
    MAX_SIDE,
    PNG,
    Picture,
    UnsoundPictureError,
    decode,
    form_of,
)
from webapp.domain.said import said

__all__ = ["FORMATS", "MAX_PIXELS", "MAX_SIDE", "MODES", "check_image"]

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")
FORMATS = (PNG.name, JPEG.name)


def check_image(data: bytes, limits: dict[str, Any]) -> list[Finding]:
    """What the rules find: `image` (it can be decoded), then `format`, `width`, `height` and `mode`."""
    found = form_of(data)
    if found is None or found.name not in FORMATS:
        return [
            failed(
                "image", said("must be a picture ({names}), and begins like none", names=" or ".join(FORMATS))
            )
        ]
    try:
        picture = decode(data, found, limits.get("max_pixels", MAX_PIXELS))
    except UnsoundPictureError as error:
        return [failed("image", error.args[0])]
    return [met("image", said("can be decoded, to its end")), *_properties(found.name, picture, limits)]


def _properties(name: str, picture: Picture, limits: dict[str, Any]) -> Iterator[Finding]:
    yield _one_of("format", name, limits.get("formats"))
    for rule, count, unit in (
        ("width", picture.width, said("pixels across")),
        ("height", picture.height, said("pixels down")),
    ):
        yield within(
            rule,
            count,
            unit,
            exactly=limits.get(rule),
            least=limits.get(f"min_{rule}"),
            most=limits.get(f"max_{rule}"),
        )
    yield _one_of("mode", picture.mode, limits.get("modes"))


def _one_of(rule: str, value: str, allowed: list[str] | None) -> Finding:
    if allowed is not None and value not in allowed:
        return failed(
            rule,
            said(
                "must have the {rule} {names}, and has {value}",
                rule=rule,
                names=" or ".join(allowed),
                value=value,
            ),
        )
    return met(rule, said("has the {rule} {value}", rule=rule, value=value))
