"""All rules of a kind applied to the bytes of a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from webapp.domain.result_rules.computations import check_computation
from webapp.domain.result_rules.findings import Finding, within
from webapp.domain.result_rules.images import check_image
from webapp.domain.result_rules.kinds import Kind
from webapp.domain.result_rules.texts import check_text

_OF_KIND: dict[Kind, Callable[[bytes, dict[str, Any]], list[Finding]]] = {
    Kind.IMAGE: check_image,
    Kind.TEXT: check_text,
    Kind.COMPUTATION: check_computation,
}


def check_result(kind: Kind, data: bytes, limits: dict[str, Any]) -> list[Finding]:
    """What the rules of the kind find in the bytes, `size` first. Bytes of a wrong size are not looked into."""
    size = within(
        "size",
        len(data),
        "bytes",
        exactly=None,
        least=limits.get("min_bytes"),
        most=limits.get("max_bytes"),
    )
    if not size.is_met or kind not in _OF_KIND:
        return [size]
    advisory = limits.get("advisory", [])
    found = _OF_KIND[kind](data, limits)
    return [size, *(replace(each, is_required=each.rule not in advisory) for each in found)]
